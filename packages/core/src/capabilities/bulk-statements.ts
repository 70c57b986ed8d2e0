/**
 * The key of a method by which a connection runs one statement many times, for rows in bulk, in one call. It is optional:
 * what uses it sends the statements one by one where a connection has none.
 */
export const bulkStatements: unique symbol = Symbol.for('keelson.bulkStatements')

/** The name of the function that counts, see `BulkStatementsRequest.countsUpserts`. */
export const upsertedFunction = 'keelson_upserted'

/** Rows, and the statement that inserts so many of them. */
export interface BulkStatementsRequest {
  /**
   * Makes the statement for a number of rows. Its parameters are the values of the rows, one row after the other, and then
   * `tail`. It is asked for `rowsPerStatement`, and for what is left in the end.
   */
  readonly statement: (rowCount: number) => string
  /** The values of the rows by column, in the order of a row's parameters. */
  readonly columns: readonly (readonly unknown[])[]
  readonly rowCount: number
  readonly rowsPerStatement: number
  readonly tail: readonly unknown[]
  /**
   * The statement calls `keelson_upserted()`, which is 1 and counts its calls, as the last condition of
   * `do update ... where`: https://www.sqlite.org/lang_upsert.html
   */
  readonly countsUpserts: boolean
  /**
   * What has to be over before any of it runs, for a connection that `worksBeside`: the rows are made ready meanwhile.
   * Where it rejects, so does this, and nothing was sent.
   */
  readonly after?: Promise<unknown> | undefined
}

export interface BulkStatementsResult {
  /** Rows inserted or updated, as the engine counts them. */
  readonly changes: number
  /** Of those the updated ones, with `countsUpserts`. */
  readonly upserted: number
  /** What `RETURNING` gave. */
  readonly rows: readonly Record<string, unknown>[]
  /** Rows of the request whose statements have run; all, unless there is an error. */
  readonly done: number
  /** What the statement after those threw; none of its rows is in. */
  readonly failure: { readonly error: unknown } | undefined
}

/**
 * The key of a property that is true where the connection's statements run on another thread, so that this one can make
 * more rows ready meanwhile.
 */
export const worksBeside: unique symbol = Symbol.for('keelson.worksBeside')

/** A connection with the capability, inside a transaction. */
export interface BulkStatementsCapable {
  readonly [worksBeside]?: boolean
  readonly [bulkStatements]: (request: BulkStatementsRequest) => Promise<BulkStatementsResult>
}
