import { poolAcquireChannel, traceAsync, traceSync } from '../events/channels.ts'
import type { PoolEvent } from '../events/pool-event.ts'
import { checkOptionNames } from '../options.ts'
import { acquireTimeoutError, queueFullError } from './acquire-errors.ts'
import { IdleSweep } from './idle-sweep.ts'
import { BorrowSite, LeakWatch } from './leak-watch.ts'
import { type Lease, type LeaseOwner, ownLease, PooledLease } from './lease.ts'
import { type PoolCounts, PoolEvents } from './pool-events.ts'
import {
  type AcquireOptions,
  type PoolOptions,
  type PoolSettings,
  poolSettings,
} from './pool-options.ts'
import { newPoolCounters, type PoolCounters, type PoolStats } from './pool-stats.ts'
import type { PooledResource } from './pooled-resource.ts'
import { type Fault, ResourceLifecycle } from './resource-lifecycle.ts'
import {
  closeDeadlineMs,
  poolClosedError,
  type PoolCloseOptions,
  type PoolCloseReport,
  Shutdown,
} from './shutdown.ts'
import { waitInLine } from './wait-in-line.ts'
import { WaitQueue } from './wait-queue.ts'

/**
 * Shares a limited number of expensive things, such as connections, among many callers.
 *
 * Callers are served in the order in which they came; the resource used last is given first. Each holds a lease,
 * which comes back exactly once. What is broken is destroyed and replaced, never handed on.
 *
 * It opens nothing before the first acquire. None of its timers keeps the process alive, except while a caller waits or
 * a resource is being opened. It does not reset what comes back: whoever returns a connection has proven it idle, or
 * destroys it.
 *
 * @example
 * const pool = new Pool({
 *   name: 'readers',
 *   max: 4,
 *   create: () => openConnection(),
 *   destroy: (connection) => connection.close(),
 * })
 * const rows = await pool.use((connection) => connection.all('select 1'))
 * const { leaked } = await pool.close()
 */
export class Pool<T> {
  readonly #settings: PoolSettings<T>
  readonly #events: PoolEvents
  readonly #counters: PoolCounters = newPoolCounters()
  readonly #leases = new Set<PooledLease<T>>()
  readonly #lifecycle: ResourceLifecycle<T>
  readonly #queue: WaitQueue<T>
  readonly #sweep: IdleSweep<T>
  readonly #leaks: LeakWatch<T> | undefined
  readonly #shutdown: Shutdown<T>
  readonly #owner: LeaseOwner<T>
  #closing: Promise<PoolCloseReport> | undefined

  /**
   * Opens nothing yet.
   *
   * @throws {OptionError} for an option that is not known and for a value that cannot be used
   */
  constructor(options: PoolOptions<T>) {
    const settings = poolSettings(options)
    const { name, leakAfterMs, onLeak } = settings
    const changed = (): void => {
      if (this.#closing === undefined) this.#sweep.start()
      else this.#shutdown.settled()
    }
    this.#settings = settings
    this.#events = new PoolEvents(settings, () => this.#counts())
    this.#lifecycle = new ResourceLifecycle(settings, this.#counters, this.#events, changed)
    this.#queue = new WaitQueue(settings, this.#lifecycle, changed)
    this.#sweep = new IdleSweep(settings, this.#queue)
    this.#leaks = leakAfterMs === undefined ? undefined : new LeakWatch(name, leakAfterMs, onLeak)
    this.#shutdown = new Shutdown(name, this.#queue, this.#lifecycle, this.#leases)
    this.#owner = { name, takeBack: (lease, fault) => this.#takeBack(lease, fault) }
  }

  /** The name that errors, events and reports use. */
  get name(): string {
    return this.#settings.name
  }

  /** What the pool has now and has done so far. */
  get stats(): PoolStats {
    const idle = this.#queue.numFree()
    const inUse = this.#queue.numUsed()
    return {
      max: this.#settings.max,
      size: idle + inUse,
      idle,
      inUse,
      waiting: this.#queue.numPendingAcquires(),
      ...this.#counters,
    }
  }

  /**
   * Waits for a resource and leases it.
   *
   * An error of `create` rejects the first caller in line at once, with the same error object, and every caller when
   * the pool has no other resource. Attempts after a failed one are spaced by 50 ms to 2 s.
   *
   * @throws {PoolAcquireTimeoutError} after `acquireTimeoutMs`; it names who holds the leases
   * @throws {PoolQueueFullError} when `maxWaiters` callers wait for leases already
   * @throws {PoolClosedError} after `close()` was called
   * @throws the signal's reason when `signal` is aborted before the lease is given
   */
  acquire(options: AcquireOptions = {}): Promise<Lease<T>> {
    return this.#acquire(options, this.#borrowSite('acquire'))
  }

  /**
   * Leases a resource if one is idle and nobody waits, and never opens one or waits. With a `validate` that answers
   * by a promise the result is always `undefined`.
   *
   * @returns `undefined` when there is no such resource, or the pool is closed
   */
  tryAcquire(options: Omit<AcquireOptions, 'signal'> = {}): Lease<T> | undefined {
    checkOptionNames('tryAcquire()', options, ['purpose'])
    const startMs = performance.now()
    const pooled = this.#takeIdle()
    if (pooled === undefined) return undefined
    const site = this.#borrowSite('tryAcquire')
    const { purpose } = options
    if (!poolAcquireChannel.hasSubscribers) return this.#lend(pooled, purpose, site, startMs)
    const event = this.#events.make('acquire', startMs, { purpose })
    const lend = (): Lease<T> => this.#lend(pooled, purpose, site, startMs, event)
    return traceSync(poolAcquireChannel, event, lend)
  }

  /**
   * Leases a resource for the duration of `fn` and releases it afterwards, unless `fn` has returned the lease itself.
   *
   * @throws what `acquire` and `fn` throw
   */
  async use<R>(
    fn: (resource: T, lease: Lease<T>) => R | Promise<R>,
    options: AcquireOptions = {},
  ): Promise<R> {
    const lease = await this.#acquire(options, this.#borrowSite('use'))
    try {
      return await fn(lease.resource, lease)
    } finally {
      if (lease.isOpen) lease.release()
    }
  }

  /**
   * The same as `lease.release()`, for a lease of this pool.
   *
   * @throws {PoolLeaseError} for a lease of another pool, and for one that was returned before
   */
  release(lease: Lease<T>): void {
    ownLease(lease, this.#owner, 'release()').release()
  }

  /**
   * The same as `lease.destroy(reason)`, for a lease of this pool.
   *
   * @throws {PoolLeaseError} for a lease of another pool, and for one that was returned before
   */
  destroy(lease: Lease<T>, reason: string): void {
    ownLease(lease, this.#owner, 'destroy()').destroy(reason)
  }

  /**
   * Refuses new callers, rejects those that wait, waits for the leases until the deadline, then destroys what has not
   * come back. Always resolves, at the latest one second after the deadline, whatever `create` and `destroy` do.
   *
   * Every call gives the promise of the first one.
   *
   * @throws {OptionError} when `deadlineMs` cannot be used
   */
  close(options: PoolCloseOptions = {}): Promise<PoolCloseReport> {
    if (this.#closing !== undefined) return this.#closing
    const deadlineMs = closeDeadlineMs(options)
    this.#sweep.stop()
    let begin: (report: Promise<PoolCloseReport>) => void
    this.#closing = new Promise((resolve) => {
      begin = resolve
    })
    // Only now, because `destroy` and listeners of `signal` run at once and may close the pool, too.
    begin!(this.#shutdown.run(deadlineMs, (lease) => this.#leaks?.forget(lease)))
    return this.#closing
  }

  #acquire(options: AcquireOptions, site: BorrowSite | undefined): Promise<PooledLease<T>> {
    if (!poolAcquireChannel.hasSubscribers) return this.#leaseOrWait(options, site)
    const startMs = performance.now()
    const event = this.#events.make('acquire', startMs, { purpose: options.purpose })
    return traceAsync(
      poolAcquireChannel,
      event,
      () => this.#leaseOrWait(options, site, event),
      () => this.#events.complete(event),
    )
  }

  async #leaseOrWait(
    options: AcquireOptions,
    site: BorrowSite | undefined,
    event?: PoolEvent,
  ): Promise<PooledLease<T>> {
    checkOptionNames('acquire()', options, ['signal', 'purpose'])
    const { signal, purpose } = options
    const startMs = performance.now()
    if (this.#closing !== undefined) throw poolClosedError(this.name)
    signal?.throwIfAborted()
    const pooled = this.#takeIdle()
    if (pooled !== undefined) return this.#lend(pooled, purpose, site, startMs, event)
    this.#checkRoom()

    return waitInLine(
      this.#queue,
      signal,
      (resource) => {
        this.#counters.waited += 1
        return this.#lend(resource, purpose, site, startMs, event)
      },
      () => this.#timedOut(startMs, purpose),
    )
  }

  #takeIdle(): PooledResource<T> | undefined {
    return this.#closing === undefined ? this.#queue.takeIdle() : undefined
  }

  #checkRoom(): void {
    const { max, maxWaiters } = this.#settings
    // As many waiters as there are resources not leased wait only for one to be opened or checked.
    const waiting = this.#queue.numPendingAcquires() - (max - this.#leases.size)
    if (waiting >= maxWaiters) throw queueFullError(this.#settings, waiting)
  }

  #lend(
    pooled: PooledResource<T>,
    purpose: string | undefined,
    site: BorrowSite | undefined,
    startMs: number,
    event?: PoolEvent,
  ): PooledLease<T> {
    this.#counters.acquired += 1
    const lease = new PooledLease(this.#counters.acquired, this.#owner, pooled, purpose, site)
    this.#leases.add(lease)
    this.#leaks?.watch(lease)
    const given = { waitMs: lease.borrowedMs - startMs, lease: lease.id, resource: pooled.id }
    if (event !== undefined) Object.assign(event, given, this.#counts())
    this.#events.emit('acquire', startMs, { ...given, purpose })
    return lease
  }

  #takeBack(lease: PooledLease<T>, fault: Fault | undefined): void {
    this.#leaks?.returned(lease)
    if (!this.#leases.delete(lease)) return
    const { pooled } = lease
    const now = performance.now()
    pooled.idleMs = now
    const why = fault ?? pooled.expiry()
    if (why === undefined) this.#queue.giveBack(pooled)
    else this.#queue.discard(pooled, why)
    this.#events.emit('release', now, {
      useMs: now - lease.borrowedMs,
      lease: lease.id,
      resource: pooled.id,
      purpose: lease.purpose,
    })
  }

  #timedOut(startMs: number, purpose: string | undefined): Error {
    this.#counters.timedOut += 1
    const waitMs = performance.now() - startMs
    const error = acquireTimeoutError(
      this.#settings,
      this.#leases,
      waitMs,
      purpose,
      this.#queue.lastCreateError,
    )
    this.#events.emit('timeout', startMs, { waitMs, purpose, error })
    return error
  }

  #borrowSite(method: 'acquire' | 'tryAcquire' | 'use'): BorrowSite | undefined {
    return this.#leaks && new BorrowSite(Reflect.get(Pool.prototype, method))
  }

  #counts(): PoolCounts {
    const { max, size, idle, waiting: pending } = this.stats
    return { max, size, idle, pending }
  }
}
