/** What the Kysely dialect and the Drizzle driver stand on. */

import type { BulkIngestRequest, BulkIngestResult } from '@keelson/core'

/** How the values of some types are read. Each default loses nothing. */
export interface ValuePolicies {
  /**
   * BIGINT, UBIGINT, HUGEINT, UHUGEINT and BIGNUM, so also `count(*)` and the `sum()` of integers. `'number'`: one
   * that a JS number cannot hold exactly throws `Int64RangeError`, which names the column. `'bigint'` and `'string'`:
   * every one as that. `'lossyNumber'`: rounded. @default 'number'
   */
  readonly int64: 'number' | 'bigint' | 'string' | 'lossyNumber'
  /** DECIMAL. `'number'`: the nearest double. @default 'string' */
  readonly decimal: 'string' | 'number'
  /**
   * TIMESTAMP, TIMESTAMP_S, TIMESTAMP_MS, TIMESTAMP_NS, TIMESTAMPTZ. `'string'`: `2026-11-21 08:15:00.123456`, with
   * `+00` for TIMESTAMPTZ, which is in UTC. `'date'`: a `Date`, taking a TIMESTAMP as UTC; one with more than
   * milliseconds, as `now()` gives, throws `TimestampPrecisionError`. `'lossyDate'`: a `Date`, cut to milliseconds.
   * @default 'string'
   */
  readonly timestamp: 'string' | 'date' | 'lossyDate'
  /** DATE. `'string'`: `2026-11-21`. `'date'`: a `Date` of its midnight in UTC. @default 'string' */
  readonly date: 'string' | 'date'
  /** TIME. `'string'`: `08:15:00.123456`. `'micros'`: a bigint of microseconds since midnight. @default 'string' */
  readonly time: 'string' | 'micros'
  /** INTERVAL. `'object'`: `{ months, days, micros }`, the last a bigint. `'string'`: as DuckDB prints it. @default 'object' */
  readonly interval: 'object' | 'string'
  /** JSON. `'parse'`: what it stands for. `'string'`: its text. @default 'parse' */
  readonly json: 'parse' | 'string'
  /**
   * A DATE or timestamp that is `infinity` or `-infinity`. `'string'`: those words. `'number'`: `Infinity` or
   * `-Infinity`. `'throw'`: an `InfiniteTimestampError`, which names the column. @default 'string'
   */
  readonly infinity: 'string' | 'number' | 'throw'
}

export interface BeginOptions {
  /** `'read only'` makes DuckDB refuse every write in it. @default 'read write' */
  readonly accessMode?: 'read only' | 'read write'
  /** Gives up waiting for a connection. */
  readonly signal?: AbortSignal
}

export interface ExecuteOptions {
  /**
   * `'objects'`: one object per row; of several columns with one name the later are called `name:1`, `name:2`, as
   * DuckDB's own client calls them. `'arrays'`: one array per row. @default 'objects'
   */
  readonly rows?: 'objects' | 'arrays'
  /**
   * How values are read, where this differs from the options of the database: in all columns, or with an array in each
   * column by its position.
   */
  readonly values?: Partial<ValuePolicies> | readonly Partial<ValuePolicies>[]
  /** Gives up waiting for a connection, and interrupts the statement. */
  readonly signal?: AbortSignal
}

export interface StreamOptions extends ExecuteOptions {
  /** Rows per chunk, at least 1. @default as DuckDB delivers them, up to 2,048 */
  readonly chunkRows?: number
}

export interface DuckDBResult<Row = Record<string, unknown>> {
  /** Empty for statements that return no rows. */
  readonly rows: Row[]
  /** The names of the columns, in order, as the objects have them; empty for statements that return no rows. */
  readonly columns: readonly string[]
  /**
   * Rows that the statement inserted, updated, deleted, merged, copied, or created a table from, as DuckDB counts them;
   * with `RETURNING` too. `undefined` for statements that are none of these (reads, other DDL, PRAGMA).
   */
  readonly changes: number | undefined
}

/**
 * One caller's line to the database. A session of `connect()` owns a connection between `begin()` and `commit()` or
 * `rollback()`, and otherwise runs each statement on whichever is free; one of `reserve()` owns the same from its
 * first moment to `release()`.
 *
 * Statements of a session that owns a connection run one after the other, in the order of the calls. While a stream is
 * open on that connection, other statements are refused with `ConnectionBusyError`.
 */
export interface DuckDBSession {
  /** `true` from `begin()` until `commit()`, `rollback()` or `release()` has ended the transaction. */
  readonly inTransaction: boolean
  /** A statement of the transaction has failed: it will not be committed. */
  readonly isAborted: boolean
  execute<Row = unknown[]>(
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions & { readonly rows: 'arrays' },
  ): Promise<DuckDBResult<Row>>
  execute<Row = Record<string, unknown>>(
    sql: string,
    parameters?: readonly unknown[],
    options?: ExecuteOptions,
  ): Promise<DuckDBResult<Row>>
  /** Streams the rows of any statement that returns rows, in chunks. */
  stream<Row = Record<string, unknown>>(
    sql: string,
    parameters?: readonly unknown[],
    options?: StreamOptions,
  ): AsyncIterableIterator<Row[]>
  /**
   * Takes in rows in bulk, at DuckDB's own speed: it reads them from JavaScript while it runs one statement.
   *
   * @returns the rows of `RETURNING`, how many rows were changed, as DuckDB counts them, and how the rows went in
   * @throws {ParameterError} for a value that its column cannot hold, with `index`, the row's position, and `column`;
   *   nothing was sent
   */
  ingest(request: BulkIngestRequest): Promise<BulkIngestResult>
  begin(options?: BeginOptions): Promise<void>
  /**
   * @throws {TransactionAbortedError} when a statement or stream of the transaction has failed, whatever became of its
   *   error: everything is rolled back, and `cause` is that first error
   */
  commit(): Promise<void>
  rollback(): Promise<void>
  /** Interrupts what runs in this session, and stops what waits, with `reason`. */
  cancel(reason: unknown): void
  /** Ends the session; a transaction still open is rolled back. The session is not used again. */
  release(): Promise<void>
}
