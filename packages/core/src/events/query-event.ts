/** How a query ended. `early`: the consumer left the stream; `abandoned`: it never finished or closed the stream. */
export type QueryOutcome = 'ok' | 'error' | 'aborted' | 'early' | 'abandoned'

/** What a statement is, apart from its values. Filled in by the timing package. */
export interface QueryFingerprint {
  /** Short, stable id of `text`. */
  readonly id: string
  /** The statement with lists collapsed and literals replaced by `?`. */
  readonly text: string
  /** Operation and tables in query order, for example `SELECT account`; at most 255 characters. */
  readonly summary: string
  /** The first word, upper case: `SELECT`, `INSERT`. */
  readonly operation: string
  readonly tables: readonly string[]
  /** The table, when the statement has exactly one. */
  readonly single?: string | undefined
}

/** One statement of a batch. */
export interface BatchedStatement {
  readonly sql: string
  readonly fp: QueryFingerprint
  readonly rows: number
  /** Rows that the engine says were changed; `undefined` where it does not say. */
  readonly affectedRows: number | undefined
}

/**
 * One statement, stream or batch. A single object is published when it starts and, with its results filled in, when
 * it ends; read what you need during the call and keep no reference. It never holds result rows.
 */
export interface QueryEvent {
  /** Version of this shape. */
  readonly v: 1
  /** Number in the process-wide sequence, see `nextEventId`. */
  readonly id: number
  kind: 'query' | 'stream' | 'batch' | 'bulk'
  source: 'kysely' | 'drizzle' | 'driver'
  /** OpenTelemetry's `db.system.name`: `sqlite`, `duckdb`, `postgresql`, `mysql`. */
  system: string
  /** Name of the database instance that the user or the driver chose, for example the file's name. */
  db: string
  /** Schema or database on the server. */
  namespace?: string | undefined
  server?: { address: string; port?: number | undefined } | undefined
  sql: string
  paramCount: number
  /** The values, present only where capturing them was asked for. */
  params?: readonly unknown[] | undefined
  /** Filled in by the timing package. */
  readonly fp?: QueryFingerprint | undefined
  /** `performance.now()` at the call; wall-clock time is `performance.timeOrigin + startMs`. */
  startMs: number
  /** Milliseconds until a connection was free. */
  waitMs: number
  /** Milliseconds from the call of the driver to its answer. */
  executeMs: number
  /** Milliseconds spent on turning the answer into JavaScript values, where the driver shows it. */
  decodeMs?: number | undefined
  /** `waitMs + executeMs + decodeMs`; for a stream, until it was closed. 0 until the query has ended. */
  totalMs: number
  /** Milliseconds until the first row of a stream. */
  firstRowMs?: number | undefined
  /** Milliseconds the database worked for a stream, without the time its consumer took. */
  dbMs?: number | undefined
  /** Rows that were returned. */
  rows: number
  /** Rows that the engine says were changed; `undefined` where it does not say. */
  affectedRows?: number | undefined
  /** Statements or parameter sets in a batch. A multi-row `INSERT ... VALUES` is not a batch. */
  batchSize?: number | undefined
  /** Filled in by the timing package: the statements of a batch, in their order, with what the driver has told of each. */
  batch?: readonly BatchedStatement[] | undefined
  /** Rows that a bulk operation sent. */
  bulkRows?: number | undefined
  /** Whether the prepared statement was found in the cache. */
  cache?: 'hit' | 'miss' | undefined
  /** The open transaction, depth 0 being the root. */
  tx?: { id: number; depth: number } | undefined
  /** Number of the connection in its pool. */
  conn: number
  /** Name of the pool that the connection belongs to. */
  pool: string
  /** `undefined` until the query has ended. */
  outcome: QueryOutcome | undefined
  /** The driver's own error object. */
  error?: unknown
  /** SQLSTATE, `SQLITE_...` or the engine's number, as text. */
  errorType?: string | undefined
  errorClass?: 'constraint' | 'timeout' | 'busy' | 'connection' | 'syntax' | 'other' | undefined
  /** Filled in by the timing package: the named scope in which the query ran. */
  scope?: { name: string; tags?: Record<string, string> | undefined } | undefined
  /** Filled in by the timing package: `file:line` of the caller, for signals only. */
  site?: string | undefined
}
