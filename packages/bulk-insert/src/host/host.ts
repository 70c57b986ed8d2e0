import type {
  AmbientTransactions,
  BulkIngestRequest,
  BulkIngestResult,
  BulkStatementsRequest,
  BulkStatementsResult,
  EngineTraits,
} from '@keelson/core'

/** An ORM's database, as far as this package needs it. */
export interface Host {
  readonly traits: EngineTraits
  /** Whether a statement on it would run in a transaction that somebody else has begun. */
  readonly isInTransaction: boolean
  /** How its driver sends a `Date` to PostgreSQL. */
  readonly dates: 'local' | 'utc'
  /** There where transactions are ambient. */
  readonly ambient: AmbientTransactions | undefined
  /**
   * Runs `fn` in a transaction of its own, or inside one in a savepoint. Where the engine has none, `fn` is a part of the
   * transaction, which a failure dooms.
   */
  atomically<R>(fn: (session: HostSession) => Promise<R>): Promise<R>
}

/** A connection with a transaction on it. */
export interface HostSession {
  /** Whether the driver is one of Keelson's. */
  readonly isOwnDriver: boolean
  /** Runs SQL as it stands. */
  query(sql: string, parameters?: readonly unknown[]): Promise<StatementResult>
  /** Undoes what `fn` has done when it throws; without savepoints that is the transaction's to do. */
  savepoint<R>(fn: () => Promise<R>): Promise<R>
  readonly bulkStatements:
    | ((request: BulkStatementsRequest) => Promise<BulkStatementsResult>)
    | undefined
  readonly bulkIngest: ((request: BulkIngestRequest) => Promise<BulkIngestResult>) | undefined
}

export interface StatementResult {
  readonly rows: readonly Record<string, unknown>[]
  /** Rows inserted, updated or deleted, where the driver tells. */
  readonly changes: number | undefined
}
