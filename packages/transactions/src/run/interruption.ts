import { excerpt } from '@keelson/core'
import { TransactionTimeoutError } from '../errors.ts'
import type { Scope } from '../scope/scope.ts'

/** What ends a callback before it returns: its time, a signal, a transaction around it. */
export class Interruption {
  readonly #timer: NodeJS.Timeout | undefined
  readonly #signal: AbortSignal | undefined
  readonly #onAbort: (() => void) | undefined
  #scope: Scope | undefined
  #reject: ((error: unknown) => void) | undefined
  #abort: AbortController | undefined
  /** Set once it has happened. */
  happened: { readonly error: unknown } | undefined

  /** @param since when the transaction was asked for */
  constructor(timeoutMs: number | undefined, signal: AbortSignal | undefined, since: number) {
    if (timeoutMs !== undefined) {
      const left = Math.max(0, since + timeoutMs - performance.now())
      this.#timer = setTimeout(() => this.#happen(this.#timeoutError(timeoutMs, since)), left)
    }
    if (signal !== undefined) {
      this.#signal = signal
      this.#onAbort = () => this.#happen(signal.reason)
      if (signal.aborted) this.#happen(signal.reason)
      else signal.addEventListener('abort', this.#onAbort, { once: true })
    }
  }

  /** Is aborted with it. */
  get abortSignal(): AbortSignal | undefined {
    if (this.#timer === undefined && this.#signal === undefined) return undefined
    this.#abort ??= new AbortController()
    if (this.happened !== undefined) this.#abort.abort(this.happened.error)
    return this.#abort.signal
  }

  /** Runs the callback, but not for longer than it may. What it does afterwards is refused by its scope. */
  during<R>(scope: Scope, body: () => Promise<R>): Promise<R> {
    this.#scope = scope
    return this.#timer === undefined && this.#signal === undefined
      ? body()
      : this.#race(scope, body)
  }

  async #race<R>(scope: Scope, body: () => Promise<R>): Promise<R> {
    if (this.happened !== undefined) {
      scope.interrupt(this.happened.error)
      throw this.happened.error
    }
    const interrupted = new Promise<never>((_, reject) => (this.#reject = reject))
    // Nobody waits for what the callback does after its time.
    return Promise.race([body(), interrupted])
  }

  /** Nothing can happen any more. */
  end(): void {
    clearTimeout(this.#timer)
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort)
  }

  #happen(error: unknown): void {
    if (this.happened !== undefined) return
    this.happened = { error }
    this.end()
    this.#scope?.interrupt(error)
    this.#reject?.(error)
    this.#abort?.abort(error)
  }

  #timeoutError(limitMs: number, since: number): TransactionTimeoutError {
    // A timer may fire up to a millisecond early.
    const elapsedMs = Math.max(limitMs, performance.now() - since)
    const lastSql = this.#scope?.root.deepest?.lastSql ?? this.#scope?.lastSql
    return new TransactionTimeoutError(
      `The transaction was rolled back after ${Math.round(elapsedMs)} ms, because it may take ${limitMs} ms (timeoutMs). ` +
        `${lastSql === undefined ? 'It had sent no statement.' : `The last statement was ${excerpt(lastSql)}.`} ` +
        'Do what takes long outside the transaction, or raise the limit.',
      { elapsedMs, limitMs, lastSql },
    )
  }
}
