import { AsyncLocalStorage } from 'node:async_hooks'
import { PoolAcquireTimeoutError } from '../errors/pool-errors.ts'
import type { PoolEvent } from '../events/pool-event.ts'
import type { PoolEvents } from './pool-events.ts'
import type { PoolDestroyReason, PoolSettings } from './pool-options.ts'
import type { PoolCounters } from './pool-stats.ts'
import { PooledResource } from './pooled-resource.ts'

/** Why a resource cannot be used any longer. */
export interface Fault {
  readonly reason: PoolDestroyReason
  readonly counter?: 'closedBroken' | 'closedExpired' | 'closedIdle'
  /** What `validate` threw. */
  readonly error?: unknown
}

interface Unfinished {
  /** Stops waiting for an answer of the user's function. */
  giveUp(error: Error): void
}

const keptErrors = 100

/**
 * Opens, checks and closes resources: the only caller of the user's `create`, `validate` and `destroy`.
 *
 * All three run in the async context in which the pool was made, not in that of whoever happens to need or return a
 * resource.
 */
export class ResourceLifecycle<T> {
  readonly #settings: PoolSettings<T>
  readonly #counters: PoolCounters
  readonly #events: PoolEvents
  readonly #settled: () => void
  readonly #inPoolContext = AsyncLocalStorage.snapshot()
  readonly #opening = new Set<Unfinished & { readonly controller: AbortController }>()
  readonly #checking = new Set<Unfinished>()
  readonly #destroyErrors: unknown[] = []
  #destroying = 0
  #lastId = 0
  #closedBy: Error | undefined

  /** @param settled called whenever a `create` or `destroy` that was running has ended */
  constructor(
    settings: PoolSettings<T>,
    counters: PoolCounters,
    events: PoolEvents,
    settled: () => void,
  ) {
    this.#settings = settings
    this.#counters = counters
    this.#events = events
    this.#settled = settled
  }

  /** Calls of `create` that have not answered. */
  get opening(): number {
    return this.#opening.size
  }

  /** Calls of `destroy` that have not answered. */
  get destroying(): number {
    return this.#destroying
  }

  /** What `destroy` threw, the latest 100. */
  get destroyErrors(): readonly unknown[] {
    return this.#destroyErrors
  }

  open(): Promise<PooledResource<T>> {
    const { name, create, createTimeoutMs, maxLifetimeMs } = this.#settings
    const id = (this.#lastId += 1)
    const startMs = performance.now()
    const controller = new AbortController()
    return new Promise((resolve, reject) => {
      let awaited = true
      const end = (fields: Partial<PoolEvent>): void => {
        awaited = false
        clearTimeout(timer)
        this.#events.emit('create', startMs, {
          createMs: performance.now() - startMs,
          resource: id,
          ...fields,
        })
      }
      const fail = (error: unknown): void => {
        if (!awaited) return
        end({ error })
        controller.abort(error)
        reject(error)
      }
      const opening = { controller, giveUp: fail }
      const timer = setTimeout(() => fail(createTimeout(name, createTimeoutMs)), createTimeoutMs)
      this.#opening.add(opening)
      this.#inPoolContext(async () => create({ pool: name, id, signal: controller.signal })).then(
        (value) => {
          this.#opening.delete(opening)
          const resource = new PooledResource(id, value, maxLifetimeMs)
          if (this.#closedBy !== undefined) {
            fail(this.#closedBy)
            this.close(resource, { reason: 'closed' })
          } else if (awaited) {
            end({})
            resolve(resource)
          } else {
            this.close(resource, { reason: 'late', counter: 'closedBroken' })
          }
          this.#settled()
        },
        (error: unknown) => {
          this.#opening.delete(opening)
          fail(error)
          this.#settled()
        },
      )
    })
  }

  /** What makes the resource unfit for another lease, if anything. Synchronous wherever `validate` is. */
  check(resource: PooledResource<T>): Fault | undefined | Promise<Fault | undefined> {
    const { validate } = this.#settings
    const expiry = resource.expiry()
    if (expiry !== undefined || validate === undefined || resource.fresh) return expiry
    try {
      const answer = this.#inPoolContext(validate, resource.value)
      return typeof answer === 'boolean' ? verdict(answer) : this.#checkLater(answer)
    } catch (error) {
      return invalid(error)
    }
  }

  /** Gives up a resource; the pool has forgotten it already. */
  close(resource: PooledResource<T>, fault: Fault): void {
    const startMs = performance.now()
    if (fault.counter !== undefined) this.#counters[fault.counter] += 1
    const ended = (error: unknown): void => {
      this.#events.emit('destroy', startMs, { resource: resource.id, reason: fault.reason, error })
    }
    const failed = (error: unknown): void => {
      this.#destroyErrors.push(error)
      if (this.#destroyErrors.length > keptErrors) this.#destroyErrors.shift()
      ended(error)
    }
    this.#destroying += 1
    let result: void | Promise<void>
    try {
      result = this.#inPoolContext(this.#settings.destroy, resource.value, fault.reason)
    } catch (error) {
      this.#destroying -= 1
      failed(error)
      return
    }
    if (typeof result?.then !== 'function') {
      this.#destroying -= 1
      ended(fault.error)
      return
    }
    Promise.resolve(result)
      .then(() => ended(fault.error), failed)
      .finally(() => {
        this.#destroying -= 1
        this.#settled()
      })
  }

  /** From now on whatever is opened is closed at once. Tells every running `create` so. */
  shut(error: Error): void {
    this.#closedBy = error
    for (const opening of this.#opening) opening.controller.abort(error)
  }

  /** Waits no longer for any `create` or `validate`. What they give later is still closed. */
  giveUp(error: Error): void {
    for (const unfinished of [...this.#opening, ...this.#checking]) unfinished.giveUp(error)
  }

  #checkLater(answer: PromiseLike<boolean>): Promise<Fault | undefined> {
    return new Promise((resolve) => {
      const end = (fault: Fault | undefined): void => {
        clearTimeout(timer)
        this.#checking.delete(checking)
        resolve(fault)
      }
      const checking = { giveUp: (): void => end({ reason: 'closed' }) }
      const timer = setTimeout(() => end(verdict(false)), this.#settings.acquireTimeoutMs)
      timer.unref()
      this.#checking.add(checking)
      answer.then(
        (good) => end(verdict(good)),
        (error: unknown) => end(invalid(error)),
      )
    })
  }
}

function verdict(good: boolean): Fault | undefined {
  return good ? undefined : { reason: 'invalid', counter: 'closedBroken' }
}

function invalid(error: unknown): Fault {
  return { reason: 'invalid', counter: 'closedBroken', error }
}

function createTimeout(pool: string, createTimeoutMs: number): PoolAcquireTimeoutError {
  return new PoolAcquireTimeoutError(
    `Pool "${pool}" could not open a resource: \`create\` gave no answer within ${createTimeoutMs} ms ` +
      '(createTimeoutMs). See what it waits for, or allow it more time.',
    createTimeoutMs,
    [],
  )
}
