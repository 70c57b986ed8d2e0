import { PoolLeaseError } from '../errors/pool-errors.ts'
import type { BorrowSite } from './leak-watch.ts'
import type { PooledResource } from './pooled-resource.ts'
import type { Fault } from './resource-lifecycle.ts'

/**
 * The right to use one resource until it is returned, exactly once, with `release` or `destroy`.
 *
 * @example
 * const lease = await pool.acquire({ purpose: 'nightly report' })
 * try {
 *   await lease.resource.run(sql)
 * } finally {
 *   lease.release()
 * }
 */
export interface Lease<T> {
  /** Number of the lease in its pool, in the order in which leases were given. */
  readonly id: number
  /**
   * What was leased.
   *
   * @throws {PoolLeaseError} after the lease was returned, or taken back by `close()`
   */
  readonly resource: T
  /** Remembers the SQL that is about to run, so that a leak report and a timeout can name it. */
  note(sql: string): void
  /**
   * Gives the resource back for the next caller.
   *
   * After `close()` has taken the resource away this does nothing, so that a `finally` never hides another error.
   *
   * @throws {PoolLeaseError} when the lease was returned before
   */
  release(): void
  /**
   * Gives the resource back to be closed and replaced, because its state is in doubt.
   *
   * @param reason passed to the pool's `destroy` and to its events
   * @throws {PoolLeaseError} when the lease was returned before
   */
  destroy(reason: string): void
}

/** A lease that has not been returned, as reports and errors show it. */
export interface LeaseHolder {
  /** Number of the lease in its pool. */
  readonly id: number
  /** What the caller said it needs the resource for. */
  readonly purpose?: string | undefined
  /** For how long it has been held, in milliseconds. */
  readonly heldMs: number
  /** The last SQL that was noted on the lease. */
  readonly sql?: string | undefined
  /** Where it was acquired, one frame per line, the caller's line first; only with `leakAfterMs`. */
  readonly stack?: string | undefined
}

/** What a lease needs of the pool that gave it. */
export interface LeaseOwner<T> {
  readonly name: string
  /** @param fault why the resource must not be used again */
  takeBack(lease: PooledLease<T>, fault?: Fault): void
}

export class PooledLease<T> implements Lease<T> {
  readonly id: number
  readonly owner: LeaseOwner<T>
  readonly pooled: PooledResource<T>
  readonly purpose: string | undefined
  readonly site: BorrowSite | undefined
  readonly borrowedMs: number = performance.now()
  #sql: string | undefined
  #end: 'returned' | 'taken' | undefined

  constructor(
    id: number,
    owner: LeaseOwner<T>,
    pooled: PooledResource<T>,
    purpose: string | undefined,
    site: BorrowSite | undefined,
  ) {
    this.id = id
    this.owner = owner
    this.pooled = pooled
    this.purpose = purpose
    this.site = site
  }

  get resource(): T {
    if (this.#end === undefined) return this.pooled.value
    const past = this.#end === 'returned' ? 'was returned' : 'was taken back when the pool closed'
    throw new PoolLeaseError(
      `${this.#title()} cannot give its resource: it ${past}. Keep using the resource only until release() or destroy().`,
    )
  }

  get isOpen(): boolean {
    return this.#end === undefined
  }

  note(sql: string): void {
    this.#sql = sql
  }

  release(): void {
    if (this.#end !== 'taken') this.#return('release()')
    this.owner.takeBack(this)
  }

  destroy(reason: string): void {
    if (this.#end !== 'taken') this.#return('destroy()')
    this.owner.takeBack(this, { reason, counter: 'closedBroken' })
  }

  /** Ends the lease without its holder; a later `release()` is not the holder's mistake. */
  take(): void {
    this.#end = 'taken'
  }

  describe(): LeaseHolder {
    return {
      id: this.id,
      purpose: this.purpose,
      heldMs: performance.now() - this.borrowedMs,
      sql: this.#sql,
      stack: this.site?.frames,
    }
  }

  #return(method: string): void {
    if (this.#end !== undefined) {
      throw new PoolLeaseError(
        `${this.#title()} cannot be returned by ${method}: it was returned before. ` +
          'Return each lease once, in one place: a `finally`, or pool.use().',
      )
    }
    this.#end = 'returned'
  }

  #title(): string {
    const purpose = this.purpose === undefined ? '' : ` (${this.purpose})`
    return `Lease ${this.id}${purpose} of pool "${this.owner.name}"`
  }
}

/** @throws {PoolLeaseError} for what is no lease of this owner */
export function ownLease<T>(lease: Lease<T>, owner: LeaseOwner<T>, method: string): PooledLease<T> {
  if (lease instanceof PooledLease && lease.owner === owner) return lease
  throw new PoolLeaseError(
    `Pool "${owner.name}" cannot take what it did not give: ${method} got something else than a lease of this pool. ` +
      'Return a lease to the pool that gave it, or call the method of the lease itself.',
  )
}
