/** What a pool has and what it has done since it was made. */
export interface PoolStats {
  /** Resources it may have. */
  readonly max: number
  /** Resources it has: `idle + inUse`. Those still being opened are not counted. */
  readonly size: number
  /** Resources that wait to be used. */
  readonly idle: number
  /** Resources that are leased, or are being checked before they are leased. */
  readonly inUse: number
  /** Callers that wait for a resource. */
  readonly waiting: number
  /** Leases given. */
  readonly acquired: number
  /** Leases whose caller had to wait: for another lease, for a check, or for a resource to open. */
  readonly waited: number
  /** Callers that gave up after `acquireTimeoutMs`. */
  readonly timedOut: number
  /** Resources closed because their lease was destroyed, `validate` refused them or `create` answered too late. */
  readonly closedBroken: number
  /** Resources closed because of `maxLifetimeMs`. */
  readonly closedExpired: number
  /** Resources closed because of `idleTimeoutMs`. */
  readonly closedIdle: number
}

/** The part of the stats that only grows. */
export interface PoolCounters {
  acquired: number
  waited: number
  timedOut: number
  closedBroken: number
  closedExpired: number
  closedIdle: number
}

export function newPoolCounters(): PoolCounters {
  return {
    acquired: 0,
    waited: 0,
    timedOut: 0,
    closedBroken: 0,
    closedExpired: 0,
    closedIdle: 0,
  }
}
