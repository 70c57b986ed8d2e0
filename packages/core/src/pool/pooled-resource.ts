import type { Fault } from './resource-lifecycle.ts'

/** A resource with what the pool knows about it. Times are `performance.now()`. */
export class PooledResource<T> {
  readonly id: number
  readonly value: T
  /** When it has to be replaced; `Infinity` without `maxLifetimeMs`. */
  readonly expiresMs: number
  /** Since when it has been idle. */
  idleMs: number
  /** It was opened just now and has not been idle since, so that checking it again would prove nothing. */
  fresh = true

  constructor(id: number, value: T, maxLifetimeMs: number | undefined) {
    this.id = id
    this.value = value
    this.idleMs = performance.now()
    // Resources that were opened together must not all expire together.
    this.expiresMs =
      maxLifetimeMs === undefined
        ? Infinity
        : this.idleMs + maxLifetimeMs * (0.8 + Math.random() * 0.4)
  }

  /** Its fault, once its lifetime is over. */
  expiry(): Fault | undefined {
    if (this.expiresMs > performance.now()) return undefined
    return { reason: 'expired', counter: 'closedExpired' }
  }
}
