import type {
  AmbientTransactions,
  BulkIngestRequest,
  BulkIngestResult,
  BulkStatementsRequest,
  BulkStatementsResult,
  EngineTraits,
  Later,
  Steps,
} from '@keelson/core'

/** An ORM's database, as far as this package needs it. */
export interface Host {
  readonly traits: EngineTraits
  /** Whether a statement on it would run in a transaction that somebody else has begun. */
  readonly isInTransaction: boolean
  /** Whether a transaction of it has to be over before anything else runs. */
  readonly isSynchronous: boolean
  /** How its driver sends a `Date` to PostgreSQL. */
  readonly dates: 'local' | 'utc'
  /** There where transactions are ambient. */
  readonly ambient: AmbientTransactions | undefined
  /** Runs `fn` so that a transaction that the caller's code begins is known to be waited for, where transactions take turns. */
  asCaller?<R>(fn: () => R): R
  /**
   * Runs `fn` in a transaction of its own, or inside one in a savepoint. Where the engine has none, `fn` is a part of the
   * transaction, which a failure dooms.
   */
  atomically<R>(fn: (session: HostSession) => Steps<R>): Steps<R>
}

/** A connection with a transaction on it. */
export interface HostSession {
  /** Whether the driver is one of Keelson's. */
  readonly isOwnDriver: boolean
  /** Whether a statement is prepared once, however often it is run. */
  readonly preparesOnce?: boolean
  /**
   * Runs SQL that returns rows.
   *
   * @param rowCount rows of a bulk that it carries, or is sent for
   */
  query(
    sql: string,
    parameters?: readonly unknown[],
    rowCount?: number,
  ): Later<readonly Record<string, unknown>[]>
  /**
   * Runs SQL that returns none.
   *
   * @param rowCount see `query()`
   * @returns rows inserted, updated or deleted, where the driver tells
   */
  run(sql: string, parameters?: readonly unknown[], rowCount?: number): Later<number | undefined>
  /**
   * Undoes what `fn` has done, by the session that it is given, when it throws; without savepoints that is the
   * transaction's to do.
   */
  savepoint<R>(fn: (inner: HostSession) => Steps<R>): Steps<R>
  /** Whether statements run on another thread. */
  readonly worksBeside?: boolean
  readonly bulkStatements:
    | ((request: BulkStatementsRequest) => Promise<BulkStatementsResult>)
    | undefined
  /**
   * PostgreSQL: how its client sends a COPY FROM STDIN, where it can. It is found out when it is asked for the first time,
   * which is to be while nothing is under way.
   */
  copier?(): Later<Copier | undefined>
  readonly bulkIngest: ((request: BulkIngestRequest) => Promise<BulkIngestResult>) | undefined
}

/** Sends a COPY FROM STDIN with its data, and returns how many rows went in. */
export type Copier = (sql: string, data: Iterable<Uint8Array>, rowCount: number) => Promise<number>
