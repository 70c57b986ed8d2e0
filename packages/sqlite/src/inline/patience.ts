import { QueryTimeoutError } from '../errors.ts'
import { excerpt } from '../statement/prepared-statement.ts'
import type { InlineEngine } from './inline-engine.ts'

/** What a session waits for, and the ways to stop waiting: the caller's signal, `cancel()` and `queryTimeoutMs`. */
export class Patience {
  readonly #engine: InlineEngine
  #waiting: Set<AbortController> | undefined

  constructor(engine: InlineEngine) {
    this.#engine = engine
  }

  /** Runs `wait` under a signal that stands for all three. */
  async during<T>(
    sql: string,
    signal: AbortSignal | undefined,
    wait: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController()
    this.#waiting ??= new Set()
    this.#waiting.add(controller)
    const { queryTimeoutMs } = this.#engine.options
    const timer =
      queryTimeoutMs === undefined
        ? undefined
        : setTimeout(() => controller.abort(this.#timeout(sql, queryTimeoutMs)), queryTimeoutMs)
    try {
      return await wait(
        signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
      )
    } finally {
      clearTimeout(timer)
      this.#waiting!.delete(controller)
    }
  }

  cancel(reason: unknown): void {
    for (const waiting of this.#waiting ?? []) waiting.abort(reason)
  }

  #timeout(sql: string, queryTimeoutMs: number): QueryTimeoutError {
    const holder = this.#engine.gate.holder?.describe() ?? 'another process'
    return new QueryTimeoutError(
      `${excerpt(sql)} was still waiting after ${queryTimeoutMs} ms (queryTimeoutMs) and has not run. ` +
        `The write connection is owned by ${holder}. Allow more time, or end what holds it.`,
    )
  }
}
