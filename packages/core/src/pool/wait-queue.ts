import { Pool as TarnPool } from 'tarn'
import { CreateBackoff } from './create-backoff.ts'
import type { PoolSettings } from './pool-options.ts'
import type { PooledResource } from './pooled-resource.ts'
import type { Fault, ResourceLifecycle } from './resource-lifecycle.ts'

/** A caller that waits. Exactly one of the three is called, once; none when the caller was removed. */
export interface Waiter<T> {
  served(resource: PooledResource<T>): void
  failed(error: unknown): void
  timedOut(): void
}

type Ticket<T> = ReturnType<TarnPool<PooledResource<T>>['acquire']>

/**
 * Who gets which resource: tarn's queue, its lists of free and used resources, its limit and its acquire timeout.
 *
 * The step that assigns resources is ours, because tarn 3.1.2 binds a waiter to a resource before it validates the
 * resource. A waiter whose resource turns out bad then lines up behind later ones, and one that gives up during
 * the validation puts the resource back without serving the next in line, who waits until something else happens
 * (https://github.com/Vincit/tarn.js/pull/68 left that open). Here a resource is checked first and then goes to
 * whoever is first at that moment. Tarn's reaping is not used: its interval keeps a process alive and follows the
 * wall clock. Nor is its `destroy()`, which waits for leaked resources for ever.
 */
export class WaitQueue<T> extends TarnPool<PooledResource<T>> {
  readonly #lifecycle: ResourceLifecycle<T>
  readonly #minIdle: number
  readonly #changed: () => void
  readonly #backoff = new CreateBackoff()
  readonly #waiters = new Map<Ticket<T>, Waiter<T>>()
  #checking = 0
  #lining = false
  #closed = false
  #retry: NodeJS.Timeout | undefined

  /** @param changed called after every change */
  constructor(settings: PoolSettings<T>, lifecycle: ResourceLifecycle<T>, changed: () => void) {
    super({
      create: () => lifecycle.open(),
      destroy: (resource) => lifecycle.close(resource, { reason: 'late', counter: 'closedBroken' }),
      min: 0,
      max: settings.max,
      acquireTimeoutMillis: Math.ceil(settings.acquireTimeoutMs),
      // `lifecycle.open()` keeps the time and always settles; tarn's own timeout must never be the first.
      createTimeoutMillis: 2_147_483_647,
    })
    this.#lifecycle = lifecycle
    this.#minIdle = settings.minIdle
    this.#changed = changed
    this.on('createSuccess', (_, resource) => this.#opened(resource))
    this.on('createFail', (_, error) => this.#notOpened(error))
  }

  /** The last error of `create`, unless an attempt has succeeded since. */
  get lastCreateError(): unknown {
    return this.#backoff.lastError
  }

  /** The idle resources, the one that has been idle longest first. */
  get idle(): readonly PooledResource<T>[] {
    return this.free.map((slot) => slot.resource)
  }

  get longestIdle(): PooledResource<T> | undefined {
    return this.free[0]?.resource
  }

  get lastIdle(): PooledResource<T> | undefined {
    return this.free.at(-1)?.resource
  }

  /** Nothing is leased, idle, being checked or being opened. */
  get isDeserted(): boolean {
    return this.used.length + this.free.length + this.pendingCreates.length === 0
  }

  /** An idle resource, when there is one that needs no waiting and nobody waits already. */
  takeIdle(): PooledResource<T> | undefined {
    while (this.pendingAcquires.length === 0) {
      const slot = this.free.pop()
      if (slot === undefined) return undefined
      this.used.push(slot)
      const fault = this.#lifecycle.check(slot.resource)
      if (fault === undefined) return slot.resource
      if (fault instanceof Promise) {
        void this.#afterCheck(slot.resource, fault)
        return undefined
      }
      this.discard(slot.resource, fault)
    }
    return undefined
  }

  lineUp(waiter: Waiter<T>): void {
    // acquire() opens what is missing at once, `create` may return a lease, and then the ticket has to be known.
    this.#lining = true
    const ticket = this.acquire()
    this.#lining = false
    this.#waiters.set(ticket, waiter)
    ticket.promise.catch(() => this.#takeWaiter(ticket)?.timedOut())
    this._tryAcquireOrCreate()
  }

  /** Takes a waiter out of the line; `false` when it is no longer in it. */
  remove(waiter: Waiter<T>): boolean {
    for (const [ticket, candidate] of this.#waiters) {
      if (candidate === waiter) return this.#reject(ticket) !== undefined
    }
    return false
  }

  /** Puts a resource that was leased back for the next caller. */
  giveBack(resource: PooledResource<T>): void {
    this.release(resource)
  }

  /** Closes a resource that is leased or being checked; the next caller gets another one. */
  discard(resource: PooledResource<T>, fault: Fault): void {
    this.used = this.used.filter((slot) => slot.resource !== resource)
    this.#lifecycle.close(resource, fault)
    this._tryAcquireOrCreate()
  }

  /** Closes a resource, if it is still idle: closing another one may have run code that acquired or closed this one. */
  closeIdle(resource: PooledResource<T>, fault: Fault): void {
    const rest = this.free.filter((slot) => slot.resource !== resource)
    if (rest.length === this.free.length) return
    this.free = rest
    this.#lifecycle.close(resource, fault)
  }

  /** Refuses everybody who waits and closes what is idle, now and whenever something comes back. */
  shut(error: Error): void {
    this.#closed = true
    clearTimeout(this.#retry)
    this.#failAll(error)
    this._tryAcquireOrCreate()
  }

  /** Called by tarn and by us after every change: hands out what is free, opens what is missing. */
  override _tryAcquireOrCreate(): void {
    if (this.#lining) return
    if (this.#closed) {
      for (const resource of this.idle) this.closeIdle(resource, { reason: 'closed' })
    } else {
      this.#handOut()
      this.#openMissing()
    }
    this.#changed()
  }

  #handOut(): void {
    // Each check in progress is going to serve one waiter.
    while (this.pendingAcquires.length > this.#checking) {
      const slot = this.free.pop()
      if (slot === undefined) return
      this.used.push(slot)
      const fault = this.#lifecycle.check(slot.resource)
      if (fault instanceof Promise) void this.#afterCheck(slot.resource, fault)
      else this.#conclude(slot.resource, fault)
    }
  }

  async #afterCheck(
    resource: PooledResource<T>,
    answer: Promise<Fault | undefined>,
  ): Promise<void> {
    this.#checking += 1
    const fault = await answer
    this.#checking -= 1
    this.#conclude(resource, fault)
  }

  #conclude(resource: PooledResource<T>, fault: Fault | undefined): void {
    if (fault !== undefined) this.discard(resource, fault)
    else if (!this.#serve(resource)) this.giveBack(resource)
  }

  #serve(resource: PooledResource<T>): boolean {
    for (;;) {
      const ticket = this.pendingAcquires.shift()
      if (ticket === undefined) return false
      const waiter = this.#takeWaiter(ticket)
      if (waiter === undefined) continue
      ticket.resolve(resource)
      waiter.served(resource)
      return true
    }
  }

  #openMissing(): void {
    for (;;) {
      const missing =
        this.pendingAcquires.length - this.#checking + Math.max(0, this.#minIdle - this.free.length)
      const room = this.max - this.used.length - this.free.length - this.pendingCreates.length
      if (room <= 0 || this.pendingCreates.length >= missing) return
      const delayMs = this.#backoff.remainingMs()
      if (delayMs > 0) {
        this.#retryAfter(delayMs)
        return
      }
      this.#open()
    }
  }

  #open(): void {
    // What became of it is told by tarn's events, some microtasks before this promise settles.
    this._create().promise.catch(() => {})
  }

  #opened(resource: PooledResource<T>): void {
    this.#backoff.succeeded()
    this._tryAcquireOrCreate()
    resource.fresh = false
  }

  #notOpened(error: unknown): void {
    this.#backoff.failed(error)
    // While other resources exist, the rest of the line can still be served by them.
    if (this.isDeserted) this.#failAll(error)
    else this.#failFirst(error)
    this._tryAcquireOrCreate()
  }

  #retryAfter(delayMs: number): void {
    if (this.#retry !== undefined) return
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this._tryAcquireOrCreate()
    }, delayMs)
    // Whoever waits has a timer that keeps the process alive; keeping `minIdle` is no reason to.
    this.#retry.unref()
  }

  #failAll(error: unknown): void {
    for (const ticket of this.#waiters.keys()) this.#reject(ticket)?.failed(error)
  }

  #failFirst(error: unknown): void {
    const [ticket] = this.#waiters.keys()
    if (ticket !== undefined) this.#reject(ticket)?.failed(error)
  }

  #reject(ticket: Ticket<T>): Waiter<T> | undefined {
    // Tarn would take it off the line some microtasks later, after having offered it a resource.
    this.pendingAcquires = this.pendingAcquires.filter((pending) => pending !== ticket)
    const waiter = this.#takeWaiter(ticket)
    ticket.abort()
    return waiter
  }

  #takeWaiter(ticket: Ticket<T>): Waiter<T> | undefined {
    const waiter = this.#waiters.get(ticket)
    this.#waiters.delete(ticket)
    return waiter
  }
}
