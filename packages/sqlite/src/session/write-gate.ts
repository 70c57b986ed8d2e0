import { ConnectionBusyError, callSite, captureCallSite, excerpt, type Holder } from '@keelson/core'

interface Waiter {
  /** Undefined for who merely passes. */
  readonly holder: Holder | undefined
  readonly sql: string
  readonly site: Error
  readonly since: number
  readonly timeoutMs: number
  readonly admit: () => void
  readonly refuse: (error: unknown) => void
}

/**
 * Lets one holder at a time own the write connection, first come, first served.
 *
 * A waiter gives up when one and the same holder has kept it waiting for the timeout: a long queue that moves is
 * healthy, a holder that never finishes (a forgotten transaction, or one that waits for the waiter) is not.
 */
export class WriteGate {
  readonly #timeoutMs: number
  readonly #queue: Waiter[] = []
  #holder: Holder | undefined
  #timer: NodeJS.Timeout | undefined
  #watchesUntil = Infinity
  #closed: Error | undefined

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** @throws the error of `close()` */
  get isFree(): boolean {
    if (this.#closed !== undefined) throw this.#closed
    return this.#holder === undefined
  }

  get holder(): Holder | undefined {
    return this.#holder
  }

  /** Takes the gate if nobody has it. */
  tryEnter(holder: Holder): boolean {
    if (this.#closed !== undefined) throw this.#closed
    if (this.#holder !== undefined) return false
    this.#admit(holder)
    return true
  }

  /**
   * @param sql what is waiting, for the error message
   * @param timeoutMs how long one holder may keep this waiter
   * @throws {ConnectionBusyError} naming the holder, after the timeout; the signal's reason; the error of `close()`
   */
  async enter(
    holder: Holder,
    sql: string,
    signal?: AbortSignal,
    timeoutMs: number = this.#timeoutMs,
  ): Promise<void> {
    signal?.throwIfAborted()
    if (this.tryEnter(holder)) return
    await this.#wait<void>(holder, sql, signal, timeoutMs, (admitted) => admitted())
  }

  /**
   * Does something that needs nobody to own the connection, and is over for this side as soon as it was sent: those who
   * pass do not wait for each other. `send` runs in the moment of admission, when nobody can have entered.
   *
   * @throws like `enter()`
   */
  async pass<R>(sql: string, send: () => R, signal?: AbortSignal): Promise<Awaited<R>> {
    signal?.throwIfAborted()
    if (this.isFree) return await send()
    return await this.#wait<R>(undefined, sql, signal, this.#timeoutMs, (admitted, refuse) => {
      try {
        admitted(send())
      } catch (error) {
        refuse(error)
      }
    })
  }

  async #wait<R>(
    holder: Holder | undefined,
    sql: string,
    signal: AbortSignal | undefined,
    timeoutMs: number,
    start: (
      admitted: (value: R | PromiseLike<R>) => void,
      refuse: (error: unknown) => void,
    ) => void,
  ): Promise<R> {
    const site = captureCallSite()
    let abort: (() => void) | undefined
    try {
      return await new Promise<R>((admitted, refuse) => {
        const waiter: Waiter = {
          holder,
          sql,
          site,
          since: performance.now(),
          timeoutMs,
          admit: () => start(admitted, refuse),
          refuse,
        }
        this.#queue.push(waiter)
        if (this.#timer === undefined || this.#givesUpAt(waiter) < this.#watchesUntil) this.#watch()
        if (signal !== undefined) {
          abort = () => this.#remove(waiter, signal.reason)
          signal.addEventListener('abort', abort, { once: true })
        }
      })
    } finally {
      if (abort !== undefined) signal?.removeEventListener('abort', abort)
    }
  }

  /** Hands the connection to the next in line. */
  leave(holder: Holder): void {
    if (this.#holder !== holder) return
    this.#holder = undefined
    for (;;) {
      const next = this.#queue.shift()
      if (next === undefined) {
        this.#unwatch()
        return
      }
      if (next.holder !== undefined) this.#admit(next.holder)
      next.admit()
      if (next.holder !== undefined) return
    }
  }

  /** Refuses everyone who waits and everyone who comes; the holder stays until it leaves. */
  close(error: Error): void {
    this.#closed = error
    this.#unwatch()
    for (const waiter of this.#queue.splice(0)) waiter.refuse(error)
  }

  #admit(holder: Holder): void {
    holder.since = performance.now()
    this.#holder = holder
  }

  #remove(waiter: Waiter, reason: unknown): void {
    const index = this.#queue.indexOf(waiter)
    if (index === -1) return
    this.#queue.splice(index, 1)
    if (this.#queue.length === 0) this.#unwatch()
    waiter.refuse(reason)
  }

  /**
   * Looks again when the first waiter may have to give up. A new holder gives all of them more time, and is not worth
   * a look at each: the timer then fires too early, and looks again.
   */
  #watch(): void {
    this.#unwatch()
    let next = Infinity
    for (const waiter of this.#queue) next = Math.min(next, this.#givesUpAt(waiter))
    if (next === Infinity) return
    this.#watchesUntil = next
    this.#timer = setTimeout(() => this.#expire(), Math.max(0, next - performance.now()))
  }

  #unwatch(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #givesUpAt(waiter: Waiter): number {
    return Math.max(this.#holder!.since, waiter.since) + waiter.timeoutMs
  }

  #expire(): void {
    // A timer may fire up to a millisecond early.
    const now = performance.now() + 1
    for (const waiter of this.#queue.filter((each) => this.#givesUpAt(each) <= now)) {
      this.#remove(waiter, busyError(waiter, this.#holder!))
    }
    this.#watch()
  }
}

function at({ site }: Waiter): string {
  const place = callSite(site)
  return place === undefined ? '' : ` at ${place}`
}

function busyError(waiter: Waiter, holder: Holder): ConnectionBusyError {
  return new ConnectionBusyError(
    `Gave up after waiting ${Math.round(performance.now() - waiter.since)} ms to run ${excerpt(waiter.sql)}${at(waiter)}. ` +
      `The write connection is owned by ${holder.describe()}. ` +
      'A statement that belongs to that transaction must run on its handle (trx, tx); a transaction or stream that ' +
      'was forgotten must be ended; for one that takes long, raise busyTimeoutMs.',
  )
}
