/**
 * Something that happened in a pool. For `keelson:pool:acquire` a single object is published when the acquire starts
 * and, with its results filled in, when it ends; keep no reference.
 */
export interface PoolEvent {
  /** Version of this shape. */
  readonly v: 1
  /** Number in the process-wide sequence, see `nextEventId`. */
  readonly id: number
  /** Name of the pool. */
  readonly pool: string
  /**
   * `acquire` and `release`: a lease was given, came back. `create` and `destroy`: a resource was opened, closed;
   * with `error`, this failed. `timeout`: an acquire gave up.
   *
   * When a lease that comes back goes straight to a caller that waits, the `acquire` of that caller is told first.
   */
  readonly type: 'acquire' | 'release' | 'create' | 'destroy' | 'timeout'
  /** `performance.now()` when this began. */
  readonly startMs: number
  /** Milliseconds that the caller waited (`acquire`, `timeout`). */
  waitMs?: number | undefined
  /** Milliseconds for which the lease was held (`release`). */
  useMs?: number | undefined
  /** Milliseconds that opening took (`create`). */
  createMs?: number | undefined
  /** Resources the pool may have. */
  max: number
  /** Resources the pool has: `idle` and those in use. */
  size: number
  /** Resources that wait to be used. */
  idle: number
  /** Callers that wait for a resource. */
  pending: number
  /** Number of the lease in its pool. */
  lease?: number | undefined
  /** Number of the resource in its pool. */
  resource?: number | undefined
  /** What the caller said it needs the resource for. */
  purpose?: string | undefined
  /** Why a resource was closed (`destroy`). */
  reason?: string | undefined
  error?: unknown
}
