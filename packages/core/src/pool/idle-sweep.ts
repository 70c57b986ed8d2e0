import type { PoolSettings } from './pool-options.ts'
import type { PooledResource } from './pooled-resource.ts'
import type { Fault } from './resource-lifecycle.ts'
import type { WaitQueue } from './wait-queue.ts'

/**
 * Closes idle resources after `idleTimeoutMs` and `maxLifetimeMs`. One timer, which does not keep the process alive
 * and runs only while something is idle.
 */
export class IdleSweep<T> {
  readonly #settings: PoolSettings<T>
  readonly #queue: WaitQueue<T>
  readonly #isNeeded: boolean
  #timer: NodeJS.Timeout | undefined
  /** When the timer fires; `Infinity` while there is none. */
  #dueMs = Infinity

  constructor(settings: PoolSettings<T>, queue: WaitQueue<T>) {
    this.#settings = settings
    this.#queue = queue
    this.#isNeeded = settings.idleTimeoutMs !== Infinity || settings.maxLifetimeMs !== undefined
  }

  /** Makes sure that what has become idle is looked at in time. To be called after every change. */
  start(): void {
    const { longestIdle, lastIdle } = this.#queue
    if (!this.#isNeeded || longestIdle === undefined || lastIdle === undefined) return
    const isSpare = this.#queue.numFree() > this.#settings.minIdle
    const idleDueMs = isSpare ? longestIdle.idleMs + this.#settings.idleTimeoutMs : Infinity
    this.#sweepAt(Math.min(idleDueMs, lastIdle.expiresMs))
  }

  /** For ever: what comes back to a closed pool does not become idle. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  #sweepAt(dueMs: number): void {
    if (dueMs >= this.#dueMs) return
    clearTimeout(this.#timer)
    this.#dueMs = dueMs
    // A longer delay than setTimeout takes is cut: that sweeps once too often.
    const delayMs = Math.min(Math.max(dueMs - performance.now(), 1), 2_147_483_647)
    this.#timer = setTimeout(() => this.#sweep(), delayMs)
    this.#timer.unref()
  }

  #sweep(): void {
    this.#dueMs = Infinity
    const now = performance.now()
    for (const [resource, dueMs] of this.#idleWithDue()) {
      if (dueMs > now) continue
      const fault: Fault = resource.expiry() ?? { reason: 'idle', counter: 'closedIdle' }
      this.#queue.closeIdle(resource, fault)
    }
    // Opens what `minIdle` misses now.
    this.#queue._tryAcquireOrCreate()
    this.#sweepAt(Math.min(...this.#idleWithDue().map(([, dueMs]) => dueMs)))
  }

  /** When each idle resource has to go; the ones used last are those that `minIdle` keeps. */
  #idleWithDue(): [PooledResource<T>, number][] {
    const { idleTimeoutMs, minIdle } = this.#settings
    const idle = this.#queue.idle
    return idle.map((resource, index) => {
      const isSpare = index < idle.length - minIdle
      return [
        resource,
        Math.min(resource.expiresMs, isSpare ? resource.idleMs + idleTimeoutMs : Infinity),
      ]
    })
  }
}
