/**
 * What the Kysely dialect and the Drizzle driver stand on. Every call answers with a promise, so nothing above this
 * line knows on which thread SQLite runs.
 */
import type { BulkStatementsRequest } from '@keelson/core'

/** How SQLite takes its locks when a transaction begins. https://www.sqlite.org/lang_transaction.html */
export type TransactionBehavior = 'immediate' | 'deferred' | 'exclusive'

/** How 64-bit integers are read. See `SqliteOptions.int64`. */
export type Int64Policy = 'number' | 'bigint' | 'string' | 'lossyNumber'

export interface BeginOptions {
  /** @default the database's `behavior` option, which is `'immediate'` unless set */
  readonly behavior?: TransactionBehavior
  /**
   * `'read only'` runs the transaction under `PRAGMA query_only`, on a read connection where there is one, so it does
   * not keep writers waiting.
   * @default 'read write'
   */
  readonly accessMode?: 'read only' | 'read write'
  /** Gives up waiting for the write connection. */
  readonly signal?: AbortSignal
}

export interface ExecuteOptions {
  /**
   * `'objects'`: one object per row; of two columns with one name the last wins. `'arrays'`: one array per row.
   * @default 'objects'
   */
  readonly rows?: 'objects' | 'arrays'
  /** Stop after the first row of a read. @default false */
  readonly first?: boolean
  /** Gives up waiting for a connection, and stops between rows where rows are stepped one by one. */
  readonly signal?: AbortSignal
}

/** `ExecuteOptions` for a host that delivers results in a shape of its own. */
export interface MappedExecuteOptions<Row, R> extends ExecuteOptions {
  /** Makes what `execute()` resolves to, in the same step that makes the result: a `then()` more is felt. */
  readonly map: (result: SqliteResult<Row>) => R
}

/** `ExecuteOptions` for rows in bulk, which are bound in place of the parameters. */
export interface BulkExecuteOptions extends ExecuteOptions {
  readonly bulk: BulkStatementsRequest
}

export interface StreamOptions {
  readonly rows?: 'objects' | 'arrays'
  /** Rows per chunk, at least 1. @default 500 */
  readonly chunkRows?: number
  /** Ends the stream with the signal's reason. */
  readonly signal?: AbortSignal
}

export interface SqliteResult<Row = Record<string, unknown>> {
  /** Empty for statements that return no rows. */
  readonly rows: Row[]
  /**
   * Rows that the statement itself inserted, updated or deleted, as SQLite counts them: without those of triggers and
   * foreign-key actions; with `RETURNING` too. `undefined` for statements that are none of these (reads, DDL, PRAGMA).
   */
  readonly changes: number | undefined
  /**
   * The rowid of the last row that this statement inserted; `undefined` when it inserted none (an ignored insert, an
   * upsert that updated, UPDATE, DELETE, DDL) or its table has no rowid.
   */
  readonly insertId: bigint | undefined
}

/**
 * One caller's line to the database. Outside a transaction a session owns nothing; between `begin()` and `commit()` or
 * `rollback()` it owns the connection its statements run on, and every other session waits for it.
 */
export interface SqliteSession {
  /** `true` from `begin()` until `commit()`, `rollback()` or `release()` has ended the transaction. */
  readonly inTransaction: boolean
  /** SQLite has rolled the transaction back on its own (`OR ROLLBACK`, a full disk). */
  readonly isAborted: boolean
  execute<Row = unknown[]>(
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions & { readonly rows: 'arrays'; readonly map?: never },
  ): Promise<SqliteResult<Row>>
  execute<Row = Record<string, unknown>>(
    sql: string,
    parameters?: readonly unknown[],
    options?: ExecuteOptions,
  ): Promise<SqliteResult<Row>>
  execute<Row, R>(
    sql: string,
    parameters: readonly unknown[],
    options: MappedExecuteOptions<Row, R>,
  ): Promise<R>
  /** Streams the rows of any statement that returns rows, in chunks. */
  stream<Row = Record<string, unknown>>(
    sql: string,
    parameters?: readonly unknown[],
    options?: StreamOptions,
  ): AsyncIterableIterator<Row[]>
  begin(options?: BeginOptions): Promise<void>
  /**
   * @throws {TransactionAbortedError} when SQLite had already rolled the transaction back; `cause` is the first error
   */
  commit(): Promise<void>
  /** Ends the transaction; does nothing when SQLite has already ended it. */
  rollback(): Promise<void>
  savepoint(name: string): Promise<void>
  rollbackToSavepoint(name: string): Promise<void>
  releaseSavepoint(name: string): Promise<void>
  /**
   * Turns foreign-key enforcement off for this session's next transactions, as a schema migration needs it (else a
   * table rebuild deletes the rows that refer to the table), and keeps every other writer waiting until
   * `endMigration()`. Each commit in between runs `foreign_key_check` first and refuses to commit violations that were
   * not there before.
   */
  beginMigration(): Promise<void>
  /** Puts enforcement back as it was and lets others write. Does nothing without `beginMigration()`. */
  endMigration(): Promise<void>
  /** Stops what waits in this session (a queued statement, an open stream) with `reason`. */
  cancel(reason: unknown): void
  /** Ends the session; a transaction still open is rolled back. The session is not used again. */
  release(): Promise<void>
}
