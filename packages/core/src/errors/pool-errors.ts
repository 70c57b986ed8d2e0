import type { LeaseHolder } from '../pool/lease.ts'
import { KeelsonError } from './keelson-error.ts'

/**
 * No resource became free, or could be opened, within the time that was allowed. `cause` is the last error that
 * opening a resource gave, when there was one.
 */
export class PoolAcquireTimeoutError extends KeelsonError {
  declare readonly code: 'POOL_ACQUIRE_TIMEOUT'
  /** How long the caller waited, in milliseconds. */
  readonly waitedMs: number
  /** Who held a lease at that moment, the longest first. */
  readonly holders: readonly LeaseHolder[]

  constructor(
    message: string,
    waitedMs: number,
    holders: readonly LeaseHolder[],
    options?: ErrorOptions,
  ) {
    super('POOL_ACQUIRE_TIMEOUT', message, options)
    this.waitedMs = waitedMs
    this.holders = holders
  }
}

/** The pool is closed, or was closed while the caller waited. */
export class PoolClosedError extends KeelsonError {
  declare readonly code: 'POOL_CLOSED'

  constructor(message: string, options?: ErrorOptions) {
    super('POOL_CLOSED', message, options)
  }
}

/** As many callers as `maxWaiters` allows are waiting already; this one was refused at once. */
export class PoolQueueFullError extends KeelsonError {
  declare readonly code: 'POOL_QUEUE_FULL'

  constructor(message: string, options?: ErrorOptions) {
    super('POOL_QUEUE_FULL', message, options)
  }
}

/** A lease was returned twice, returned to a pool that did not give it, or used after it was returned. */
export class PoolLeaseError extends KeelsonError {
  declare readonly code: 'POOL_LEASE'

  constructor(message: string, options?: ErrorOptions) {
    super('POOL_LEASE', message, options)
  }
}
