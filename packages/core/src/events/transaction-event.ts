/** How a transaction ended. `released_unfinished`: its connection was given back without COMMIT or ROLLBACK. */
export type TransactionOutcome =
  | 'committed'
  | 'rolled_back'
  | 'begin_failed'
  | 'commit_failed'
  | 'released_unfinished'

/**
 * One transaction or savepoint. A single object is published when it begins and, with its results filled in, when
 * it ends; keep no reference.
 */
export interface TransactionEvent {
  /** Version of this shape. */
  readonly v: 1
  /** Number in the process-wide sequence, see `nextEventId`. */
  readonly id: number
  /** `id` of the enclosing transaction; absent for a root. */
  parentId?: number | undefined
  /** 0 for a root, 1 and more for savepoints. */
  depth: number
  /** OpenTelemetry's `db.system.name`. */
  system: string
  db: string
  /** Number of the connection in its pool. */
  conn: number
  pool: string
  isolation?: string | undefined
  /** `performance.now()` when BEGIN or SAVEPOINT was asked for. */
  startMs: number
  /** Milliseconds until a connection was free, where that was seen; `beginMs` begins after it. */
  waitMs?: number | undefined
  /** Milliseconds that BEGIN or SAVEPOINT took. */
  beginMs: number
  /** Milliseconds that COMMIT, ROLLBACK or RELEASE took. */
  commitMs: number
  /** Milliseconds from the end of BEGIN to the end of the transaction. */
  openMs: number
  /** Milliseconds of `openMs` during which no statement ran. */
  idleInTxMs: number
  /** Statements inside it, without its own control statements. */
  queries: number
  /** `undefined` until the transaction has ended. */
  outcome: TransactionOutcome | undefined
  error?: unknown
}
