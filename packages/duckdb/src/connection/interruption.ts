import type { DuckDBConnection } from '@duckdb/node-api'

/** Milliseconds from one interrupt to the next. */
export const repeatMs = 10

/** For how long DuckDB may work. */
export interface TimeLimit {
  readonly ms: number
  /** Makes what it is interrupted with. */
  readonly error: () => unknown
}

/**
 * Ends what DuckDB does for somebody. It forgets an interrupt that comes while the statement has not begun, so the
 * interrupt is repeated until the statement has settled.
 */
export class Interruption {
  readonly #limit: TimeLimit | undefined
  #connection: DuckDBConnection | undefined
  #repeating: NodeJS.Timeout | undefined
  #abort: AbortController | undefined
  #reason: { readonly value: unknown } | undefined
  #hasBegun = false
  #spentMs = 0

  /** @param limit counts the time in which DuckDB works, not that of waiting for it */
  constructor(limit?: TimeLimit) {
    this.#limit = limit
  }

  get isAborted(): boolean {
    return this.#reason !== undefined
  }

  /** Why it was aborted. */
  get reason(): unknown {
    return this.#reason?.value
  }

  /** Whether DuckDB was given anything to do. */
  get hasBegun(): boolean {
    return this.#hasBegun
  }

  /** Milliseconds for which DuckDB has worked. */
  get spentMs(): number {
    return this.#spentMs
  }

  /** Aborted with it, for waiting that is no work of DuckDB's. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.isAborted) this.#abort.abort(this.reason)
    return this.#abort.signal
  }

  throwIfAborted(): void {
    if (this.#reason !== undefined) throw this.#reason.value
  }

  /** The first reason holds. */
  abort(reason: unknown): void {
    if (this.isAborted) return
    this.#reason = { value: reason }
    this.#abort?.abort(reason)
    this.#interrupt()
  }

  /**
   * Runs work of DuckDB's on a connection, and settles when that has, aborted or not.
   *
   * @throws the reason, where it failed after it was aborted; work that was done all the same counts as done
   */
  async guard<R>(connection: DuckDBConnection, work: () => Promise<R>): Promise<R> {
    this.throwIfAborted()
    this.#hasBegun = true
    this.#connection = connection
    const start = performance.now()
    const timer = this.#startTimer()
    try {
      return await work()
    } catch (error) {
      this.throwIfAborted()
      throw error
    } finally {
      clearTimeout(timer)
      clearInterval(this.#repeating)
      this.#connection = undefined
      this.#spentMs += performance.now() - start
    }
  }

  #startTimer(): NodeJS.Timeout | undefined {
    const limit = this.#limit
    if (limit === undefined) return undefined
    const leftMs = Math.max(1, limit.ms - this.#spentMs)
    return setTimeout(() => this.abort(limit.error()), leftMs)
  }

  #interrupt(): void {
    const connection = this.#connection
    if (connection === undefined) return
    connection.interrupt()
    this.#repeating = setInterval(() => connection.interrupt(), repeatMs)
  }
}
