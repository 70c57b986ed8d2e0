import { PoolClosedError } from '../errors/pool-errors.ts'
import { checkOptionNames, invalidOption } from '../options.ts'
import type { LeaseHolder, PooledLease } from './lease.ts'
import type { ResourceLifecycle } from './resource-lifecycle.ts'
import type { WaitQueue } from './wait-queue.ts'

/** Options of `pool.close()`. */
export interface PoolCloseOptions {
  /**
   * How long to wait for leases to come back, in milliseconds; 0 does not wait.
   *
   * @default 5_000
   */
  readonly deadlineMs?: number | undefined
}

/** What `pool.close()` found. */
export interface PoolCloseReport {
  /** Name of the pool. */
  readonly pool: string
  /** How long closing took, in milliseconds. */
  readonly elapsedMs: number
  /** The leases that had not come back by the deadline, the longest held first. Their resources were destroyed. */
  readonly leaked: readonly LeaseHolder[]
  /** What `destroy` threw since the pool was made, the latest 100. */
  readonly errors: readonly unknown[]
  /** Calls of `create` and `destroy` that had not answered. What such a `create` still opens is destroyed then. */
  readonly unfinished: { readonly creating: number; readonly destroying: number }
}

/** For the resources of leaked leases, whose `destroy` starts only at the deadline. */
const destroyGraceMs = 1_000

/** Closes a pool within bounded time, whatever its users and its callbacks do. */
export class Shutdown<T> {
  readonly #pool: string
  readonly #queue: WaitQueue<T>
  readonly #lifecycle: ResourceLifecycle<T>
  readonly #leases: Set<PooledLease<T>>
  #quiet: (() => void) | undefined

  constructor(
    pool: string,
    queue: WaitQueue<T>,
    lifecycle: ResourceLifecycle<T>,
    leases: Set<PooledLease<T>>,
  ) {
    this.#pool = pool
    this.#queue = queue
    this.#lifecycle = lifecycle
    this.#leases = leases
  }

  /** To be called whenever something that the shutdown may wait for has ended. */
  settled(): void {
    if (this.#isQuiet()) this.#quiet?.()
  }

  /** @param forget called for each lease that is taken back */
  async run(deadlineMs: number, forget: (lease: PooledLease<T>) => void): Promise<PoolCloseReport> {
    const startMs = performance.now()
    const error = poolClosedError(this.#pool)
    this.#lifecycle.shut(error)
    this.#queue.shut(error)
    await this.#quietWithin(deadlineMs)

    const leaked = Array.from(this.#leases, (lease) => lease.describe())
    for (const lease of this.#leases) {
      this.#leases.delete(lease)
      lease.take()
      forget(lease)
      this.#queue.discard(lease.pooled, { reason: 'leaked' })
    }
    this.#lifecycle.giveUp(error)
    if (leaked.length > 0) await this.#quietWithin(destroyGraceMs)

    return {
      pool: this.#pool,
      elapsedMs: performance.now() - startMs,
      leaked,
      errors: [...this.#lifecycle.destroyErrors],
      unfinished: { creating: this.#lifecycle.opening, destroying: this.#lifecycle.destroying },
    }
  }

  #isQuiet(): boolean {
    return this.#queue.isDeserted && this.#lifecycle.opening + this.#lifecycle.destroying === 0
  }

  #quietWithin(timeMs: number): Promise<void> {
    if (this.#isQuiet()) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeMs)
      this.#quiet = (): void => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** @throws {OptionError} when `deadlineMs` cannot be used */
export function closeDeadlineMs(options: PoolCloseOptions): number {
  checkOptionNames('close()', options, ['deadlineMs'])
  const deadlineMs = options.deadlineMs ?? 5_000
  if (!(deadlineMs >= 0) || deadlineMs > 2_147_483_647) {
    invalidOption('close()', 'deadlineMs', deadlineMs, 'milliseconds from 0 to 2147483647')
  }
  return deadlineMs
}

export function poolClosedError(pool: string): PoolClosedError {
  return new PoolClosedError(
    `Pool "${pool}" is closed and gives no resource. Close a pool only after the last code that uses it has ended.`,
  )
}
