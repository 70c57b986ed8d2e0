/**
 * The key of a method by which a connection takes rows in bulk, faster than any SQL with parameters. It is optional:
 * what uses it falls back to ordinary inserts where a connection has none.
 */
export const bulkIngest: unique symbol = Symbol.for('keelson.bulkIngest')

/** Rows, and the statement that puts them where they belong. */
export interface BulkIngestRequest {
  /** The table whose columns give the values their types. */
  readonly table: string
  /** Its schema. @default the connection's own */
  readonly schema?: string | undefined
  /** The columns that each row has, in the order of its values. */
  readonly columns: readonly string[]
  /** The rows, which are read in the order given. They are converted as parameters are, before anything is sent. */
  readonly rows?: readonly (readonly unknown[])[] | undefined
  /** The same by column, in place of `rows`: an array of values for each column, which saves turning them round. */
  readonly values?: readonly (readonly unknown[])[] | undefined
  /** Adds a column of this name to the source that numbers the rows, from 0. */
  readonly ordinal?: string | undefined
  /**
   * Makes the statement, for example `insert into "t" ("a") select "a" from ${source} on conflict do nothing`.
   *
   * @param source what to select from; its columns are called as `columns` says
   */
  readonly statement: (source: string) => string
  /** What the statement's own placeholders stand for, from `$1`. */
  readonly parameters?: readonly unknown[] | undefined
  /**
   * What has to be over before the statement runs, such as the ingest before it: in a transaction that has taken such
   * rows before, these are converted meanwhile. Where it rejects, so does this, and nothing was sent.
   */
  readonly after?: Promise<unknown> | undefined
  /** Interrupts it. */
  readonly signal?: AbortSignal | undefined
}

export interface BulkIngestResult {
  /** What `RETURNING` gave. */
  readonly rows: readonly Record<string, unknown>[]
  /** Rows that the statement inserted, updated or deleted, as the engine counts them. */
  readonly changes: number
  /** How the rows went in. */
  readonly method: 'table-function' | 'staging'
}

/** A connection with the capability. The statement runs as a whole or not at all. */
export interface BulkIngestCapable {
  readonly [bulkIngest]: (request: BulkIngestRequest) => Promise<BulkIngestResult>
}
