import { callSite, excerpt } from '@keelson/core'
import { TransactionWaitTimeoutError } from '../errors.ts'

/** Who has the turn, for those who wait for it. */
export interface TurnHolder {
  readonly kind: 'statement' | 'stream' | 'nested transaction' | 'transaction' | 'command'
  /** The statement, or the last one. */
  sql: string | undefined
  /** Where it began. */
  readonly begun: Error | undefined
  /** When it got the turn, by `performance.now()`. Set by the queue. */
  since: number
}

interface Waiter {
  readonly holder: TurnHolder
  readonly waitsSince: number
  readonly timeoutMs: number
  readonly admit: () => void
  readonly refuse: (error: unknown) => void
}

/**
 * Lets one at a time use a connection, first come, first served.
 *
 * A waiter gives up when one and the same holder has kept it waiting for the timeout: a long queue that moves is
 * healthy, a holder that waits for the waiter is not.
 */
export class TurnQueue {
  readonly #waiters: Waiter[] = []
  #holder: TurnHolder | undefined
  #timer: NodeJS.Timeout | undefined
  #drained: (() => void)[] | undefined

  get holder(): TurnHolder | undefined {
    return this.#holder
  }

  get isIdle(): boolean {
    return this.#holder === undefined && this.#waiters.length === 0
  }

  /** Takes the turn if nobody has it. */
  tryEnter(holder: TurnHolder): boolean {
    if (this.#holder !== undefined) return false
    this.#holder = holder
    return true
  }

  /**
   * Waits for the turn.
   *
   * @param what waits, as the error names it
   * @param timeoutMs how long one holder may keep it waiting, in milliseconds
   * @throws {TransactionWaitTimeoutError} after the timeout; the signal's reason; what `refuseWaiting` was given
   */
  async enter(
    holder: TurnHolder,
    what: string,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<void> {
    signal?.throwIfAborted()
    if (this.tryEnter(holder)) return
    let abort: (() => void) | undefined
    try {
      await new Promise<void>((admit, refuse) => {
        const waiter: Waiter = {
          holder,
          waitsSince: performance.now(),
          timeoutMs,
          admit,
          refuse: (error) => refuse(error === timedOut ? this.#timeoutError(what, waiter) : error),
        }
        this.#waiters.push(waiter)
        this.#watch()
        if (signal !== undefined) {
          abort = () => this.#remove(waiter, signal.reason)
          signal.addEventListener('abort', abort, { once: true })
        }
      })
    } finally {
      if (abort !== undefined) signal?.removeEventListener('abort', abort)
    }
  }

  /** Gives the turn to the next in line. */
  leave(holder: TurnHolder): void {
    if (this.#holder !== holder) return
    this.#holder = undefined
    const next = this.#waiters.shift()
    if (next === undefined) {
      this.#unwatch()
      for (const drained of this.#drained?.splice(0) ?? []) drained()
      return
    }
    next.holder.since = performance.now()
    this.#holder = next.holder
    next.admit()
    this.#watch()
  }

  /** Refuses all who wait; the holder stays until it leaves. */
  refuseWaiting(error: unknown): void {
    this.#unwatch()
    for (const waiter of this.#waiters.splice(0)) waiter.refuse(error)
  }

  /** Resolves once nobody has the turn and nobody waits for it. */
  async idle(): Promise<void> {
    while (!this.isIdle) await new Promise<void>((drained) => (this.#drained ??= []).push(drained))
  }

  #remove(waiter: Waiter, reason: unknown): void {
    const index = this.#waiters.indexOf(waiter)
    if (index === -1) return
    this.#waiters.splice(index, 1)
    waiter.refuse(reason)
  }

  /** A new holder gives all who wait more time. */
  #watch(): void {
    this.#unwatch()
    let next = Infinity
    for (const waiter of this.#waiters) next = Math.min(next, this.#givesUpAt(waiter))
    if (next === Infinity) return
    const delay = Math.min(Math.max(0, next - performance.now()), 0x7fffffff)
    this.#timer = setTimeout(() => this.#expire(), delay)
  }

  #unwatch(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #givesUpAt(waiter: Waiter): number {
    return Math.max(this.#holder!.since, waiter.waitsSince) + waiter.timeoutMs
  }

  #expire(): void {
    // A timer may fire up to a millisecond early.
    const now = performance.now() + 1
    for (const waiter of this.#waiters.filter((each) => this.#givesUpAt(each) <= now))
      this.#remove(waiter, timedOut)
    if (this.#holder !== undefined) this.#watch()
  }

  #timeoutError(what: string, waiter: Waiter): TransactionWaitTimeoutError {
    const holder = this.#holder!
    return new TransactionWaitTimeoutError(
      `Gave up after waiting ${Math.round(performance.now() - waiter.waitsSince)} ms to run ${what}: the connection is ` +
        `used by ${describeHolder(holder)}. If that one waits for the statement, run the statement inside it, or start ` +
        'it later; if it takes long, raise `waitTimeoutMs`. Nothing was sent.',
    )
  }
}

const timedOut = Symbol('timed out')

/** `a nested transaction, open for 5003 ms, begun at app.ts:12:3, last statement: insert ...`. */
export function describeHolder({ kind, sql, begun, since }: TurnHolder): string {
  const parts = [`a ${kind}, open for ${Math.round(performance.now() - since)} ms`]
  const site = begun && callSite(begun)
  if (site !== undefined) parts.push(`begun at ${site}`)
  if (sql !== undefined)
    parts.push(`${kind === 'statement' ? '' : 'last statement: '}${excerpt(sql)}`)
  return parts.join(', ')
}
