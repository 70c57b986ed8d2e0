import { AsyncLocalStorage } from 'node:async_hooks'
import { ConnectionBusyError } from '@keelson/core'

/** A statement or a nested transaction that waits until the open nested transaction has ended. */
interface Waiter {
  readonly purpose: () => string
  readonly since: number
  readonly start: () => void
  readonly refuse: (error: unknown) => void
  timer: NodeJS.Timeout | undefined
}

/**
 * Lets one nested transaction at a time into a scope, and keeps the scope's own statements waiting meanwhile, all in
 * the order they came.
 */
export class ScopeGate<Nested extends { readonly name: string }> {
  readonly #busyTimeoutMs: number
  readonly #waiters: Waiter[] = []
  #nested: Nested | undefined
  #since = 0

  constructor(busyTimeoutMs: number) {
    this.#busyTimeoutMs = busyTimeoutMs
  }

  /** The nested transaction that is open. */
  get nested(): Nested | undefined {
    return this.#nested
  }

  get isFree(): boolean {
    return this.#nested === undefined && this.#waiters.length === 0
  }

  enter(nested: Nested): void {
    this.#nested = nested
    this.#since = performance.now()
  }

  /** Ends the turn of the nested transaction, and starts who has waited for that. */
  leave(): void {
    this.#nested = undefined
    while (this.#nested === undefined) {
      const waiter = this.#waiters.shift()
      if (waiter === undefined) return
      clearTimeout(waiter.timer)
      waiter.start()
    }
  }

  /**
   * Queues up.
   *
   * @param purpose the SQL, or what is to be nested, for messages
   * @param start runs as soon as it is its turn, and may `enter()`
   * @param refuse gets a `ConnectionBusyError` once one nested transaction has taken `busyTimeoutMs`; a queue of them
   * that moves on may take as long as it takes
   */
  wait(purpose: () => string, start: () => void, refuse: (error: unknown) => void): void {
    const waiter: Waiter = {
      purpose,
      since: performance.now(),
      // What is started belongs to the context that asked for it, not to the one that made way.
      start: AsyncLocalStorage.bind(start),
      refuse,
      timer: undefined,
    }
    this.#waiters.push(waiter)
    this.#watch(waiter)
  }

  /** Refuses everyone who waits. Returns what the first of them was for. */
  close(refusal: (purpose: string) => Error): string | undefined {
    const [first] = this.#waiters
    for (const waiter of this.#waiters.splice(0)) {
      clearTimeout(waiter.timer)
      waiter.refuse(refusal(waiter.purpose()))
    }
    return first?.purpose()
  }

  #watch(waiter: Waiter): void {
    const leftMs = this.#leftMs(waiter)
    waiter.timer = setTimeout(
      () => {
        // A timer may fire up to a millisecond early.
        if (this.#leftMs(waiter) > 1) this.#watch(waiter)
        else this.#expire(waiter)
      },
      Math.max(0, leftMs),
    )
  }

  #leftMs(waiter: Waiter): number {
    return Math.max(waiter.since, this.#since) + this.#busyTimeoutMs - performance.now()
  }

  #expire(waiter: Waiter): void {
    this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
    const waitedMs = Math.round(performance.now() - waiter.since)
    waiter.refuse(
      new ConnectionBusyError(
        `Gave up after waiting ${waitedMs} ms to run ${waiter.purpose()}. ` +
          `The transaction it belongs to waits for ${this.#nested!.name} to end. ` +
          'What belongs to a nested transaction must run on the handle that its callback is given; for one that takes ' +
          'long, raise busyTimeoutMs.',
      ),
    )
  }
}
