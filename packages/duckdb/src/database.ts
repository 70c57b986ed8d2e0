import type { BulkIngestRequest, BulkIngestResult, PoolStats } from '@keelson/core'
import type { DuckDBConnection } from '@duckdb/node-api'
import type {
  BeginOptions,
  DuckDBResult,
  DuckDBSession,
  ExecuteOptions,
  StreamOptions,
} from './contract.ts'
import type { ResolvedDuckDBOptions } from './options.ts'

export interface SessionOptions {
  /** Who asks, for events. @default 'driver' */
  readonly source?: 'kysely' | 'drizzle' | 'driver'
}

export interface ReserveOptions extends SessionOptions {
  /** Gives up waiting for a connection. */
  readonly signal?: AbortSignal
}

/** An open DuckDB database; made by `openDuckDB()`. Kysely and Drizzle may share one. */
export interface DuckDBDatabase {
  /** The absolute path of the file, or `':memory:'`. */
  readonly path: string
  /** What the database was opened with, defaults filled in. */
  readonly options: ResolvedDuckDBOptions
  /** `false` from the moment `close()` is called. */
  readonly isOpen: boolean
  /** How many connections there are, what they do, and how many callers wait for one. */
  readonly poolStats: PoolStats

  /** The same with each row as an array, in the order of the columns. */
  execute<Row = unknown[]>(
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions & { readonly rows: 'arrays' },
  ): Promise<DuckDBResult<Row>>
  /**
   * Runs one statement in autocommit, on whichever connection is free.
   *
   * @param sql exactly one statement, with `$1` or `?` placeholders
   * @param parameters bound by position, each converted to the type that the statement expects there: string, number,
   * bigint, boolean, Date, Uint8Array, arrays, objects, Map, null, undefined (as NULL). See the README's table.
   * @throws {ParameterError} for a value that the expected type cannot hold exactly. Nothing was sent.
   * @throws {DuckDBStatementError} for a statement that would only change the connection it happens to run on (`SET`,
   * `USE`, `CREATE TEMP TABLE`, `PREPARE`): those need `reserve()`; and for `BEGIN`, `COMMIT`, `ROLLBACK`
   */
  execute<Row = Record<string, unknown>>(
    sql: string,
    parameters?: readonly unknown[],
    options?: ExecuteOptions,
  ): Promise<DuckDBResult<Row>>

  /**
   * Streams the rows of any statement that returns rows, chunk by chunk as they are asked for, on a connection of its
   * own. Leaving a `for await` loop ends it.
   *
   * @throws {StreamCutShortError} when DuckDB ended the rows before their end; DuckDB's own client takes that for the end
   */
  stream<Row = Record<string, unknown>>(
    sql: string,
    parameters?: readonly unknown[],
    options?: StreamOptions,
  ): AsyncIterableIterator<Row[]>

  /** See `DuckDBSession.ingest()`; in autocommit, as a whole or not at all. */
  ingest(request: BulkIngestRequest): Promise<BulkIngestResult>

  /**
   * Runs `fn` in a transaction: commits when it resolves, rolls back when it throws, and rethrows the same error.
   *
   * @throws {TransactionAbortedError} when a statement in it has failed and `fn` resolved all the same
   */
  transaction<R>(fn: (session: DuckDBSession) => Promise<R>, options?: BeginOptions): Promise<R>

  /** A session for a host that manages transactions by itself. It owns no connection outside of them. */
  connect(options?: SessionOptions): DuckDBSession

  /**
   * A session with a connection of its own until `release()`, for what lives on a connection: temporary tables, `SET`,
   * `USE`, `PREPARE`. A connection that was changed is replaced afterwards, never handed on.
   */
  reserve(options?: ReserveOptions): Promise<DuckDBSession>

  /**
   * Lends the client's own connection, for what this package does not wrap: appenders, user-defined functions. It is
   * replaced afterwards. No statement of it may still run when `fn` resolves.
   */
  use<R>(fn: (connection: DuckDBConnection) => Promise<R>): Promise<R>

  /** Writes what is in the WAL into the file, without blocking the event loop. */
  checkpoint(): Promise<void>

  /**
   * Refuses new statements at once, lets what is open finish until the deadline, then interrupts statements, ends
   * streams, rolls transactions back; checkpoints, and closes what it opened (never an instance that was handed in).
   * Always settles.
   *
   * @param options.deadlineMs how long statements, streams and transactions may still run, in milliseconds. `@default 3000`
   * @returns what had to be ended by force, empty when nothing was open
   */
  close(options?: { readonly deadlineMs?: number }): Promise<DuckDBCloseReport>
}

export interface DuckDBCloseReport {
  /** One sentence for each statement, stream or transaction that was ended by force, and where it began. */
  readonly forced: readonly string[]
}
