import type {
  BeginOptions,
  ExecuteOptions,
  SqliteResult,
  SqliteSession,
  StreamOptions,
} from './contract.ts'
import type { SqliteMaintenance } from './maintenance/maintenance.ts'
import type { Maintain } from './maintenance/schedule.ts'
import type { ResolvedSqliteOptions } from './options.ts'

/** Marks a database of ours, also one that another copy of this package made. */
export const databaseBrand: unique symbol = Symbol.for('keelson.sqlite.database')

/** An open SQLite database; made by `openSqlite()`. Kysely and Drizzle may share one. */
export interface SqliteDatabase {
  /** The absolute path of the file, or `':memory:'`. */
  readonly path: string
  /**
   * `'inline'`: SQLite runs on the calling thread. Lowest latency; the event loop stands still while a statement
   * runs, but never while it waits for a lock. `'threads'`: it runs on threads of its own, and the event loop never waits
   * for it.
   */
  readonly mode: 'inline' | 'threads'
  /** What the database was opened with, defaults filled in. */
  readonly options: ResolvedSqliteOptions
  /** `false` from the moment `close()` is called. */
  readonly isOpen: boolean

  /** The same with each row as an array, in the order of the columns. */
  execute<Row = unknown[]>(
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions & { readonly rows: 'arrays' },
  ): Promise<SqliteResult<Row>>
  /**
   * Runs one statement in autocommit.
   *
   * @param sql exactly one statement, with `?` placeholders
   * @param parameters bound by position: string, number (as REAL), bigint (as INTEGER), boolean (as 1 or 0), Date (as
   * ISO 8601 text in UTC), Uint8Array, ArrayBuffer, null, undefined (as NULL)
   */
  execute<Row = Record<string, unknown>>(
    sql: string,
    parameters?: readonly unknown[],
    options?: ExecuteOptions,
  ): Promise<SqliteResult<Row>>

  /**
   * Streams the rows of any statement that returns rows, in chunks, without ever holding more than one chunk.
   *
   * A read runs on a read connection of its own and sees one snapshot; a statement that writes, and anything on
   * `:memory:`, owns the write connection until the stream ends. Leaving a `for await` loop ends it.
   */
  stream<Row = Record<string, unknown>>(
    sql: string,
    parameters?: readonly unknown[],
    options?: StreamOptions,
  ): AsyncIterableIterator<Row[]>

  /**
   * Runs `fn` in a transaction: commits when it resolves, rolls back when it throws, and rethrows the same error.
   *
   * @throws {TransactionAbortedError} when SQLite rolled back on its own and `fn` did not notice
   * @throws {ConnectionBusyError} when another transaction kept the write connection for `busyTimeoutMs`
   */
  transaction<R>(fn: (session: SqliteSession) => Promise<R>, options?: BeginOptions): Promise<R>

  /** A session for a host that manages transactions by itself, as the Kysely dialect and the Drizzle driver do. */
  connect(options?: { readonly source?: 'kysely' | 'drizzle' | 'driver' }): SqliteSession

  /** Backup, checks and clean-up; none of it runs inside someone's transaction. */
  readonly maintenance: SqliteMaintenance

  /** Runs maintenance on a schedule until it is stopped or the database is closed. */
  readonly maintain: Maintain

  /**
   * Refuses new statements at once, lets open transactions finish until the deadline, ends open streams, rolls back
   * what is still open, and closes every connection it opened (never one that was handed in). Always settles.
   *
   * @param options.deadlineMs how long transactions may still run, in milliseconds. `@default 3000`
   * @returns what had to be ended by force, empty when nothing was open
   */
  close(options?: { readonly deadlineMs?: number }): Promise<SqliteCloseReport>
}

export interface SqliteCloseReport {
  /** One sentence for each transaction or stream that was ended by force: what it was and where it began. */
  readonly forced: readonly string[]
}
