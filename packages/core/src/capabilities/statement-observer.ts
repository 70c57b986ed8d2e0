/**
 * The key of what measures the statements that go to an engine past its ORM, as rows in bulk do: on a Kysely connection, and
 * on the dialect of a Drizzle session. Whoever sends a statement so has it sent by `observe()`, where that is there.
 */
export const statementObserver: unique symbol = Symbol.for('keelson.statementObserver')

/**
 * The key of how many rows of a bulk a query carries, on the query that an ORM's connection or session is given. What is sent
 * over and over for one bulk is so told from a query in a loop.
 */
export const bulkRows: unique symbol = Symbol.for('keelson.bulkRows')

/** What is sent in one call: a statement, or in bulk one that is run for all rows of the call. */
export interface DirectStatement {
  readonly sql: string
  /** None are told of in bulk. */
  readonly parameters?: readonly unknown[] | undefined
  /** The rows that are sent; there only in bulk. */
  readonly bulkRows?: number | undefined
  /** What has to be over before it runs: until then it neither executes nor waits, and where that rejects nothing is sent. */
  readonly after?: Promise<unknown> | undefined
}

export interface DirectOutcome {
  /** Rows that were returned. */
  readonly rows: number
  /** Rows that the engine says were changed; `undefined` where it does not say. */
  readonly affectedRows: number | undefined
  /** What stopped the call after that; none of so many rows is in. */
  readonly failure?: { readonly error: unknown; readonly bulkRows: number } | undefined
}

/** Measures what is sent past the ORM. What it is given back is the very result, or error, of `send`. */
export interface StatementObserver {
  /** @param on the Kysely connection, or the Drizzle session, that it is sent on */
  observe<R>(
    on: object,
    statement: DirectStatement,
    send: () => R,
    outcomeOf: (result: Awaited<R>) => DirectOutcome,
  ): R
}
