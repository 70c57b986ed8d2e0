import { QueryTimeoutError, excerpt } from '@keelson/core'
import { retryWhileBusy } from '../inline/busy-retry.ts'
import { isPassingBusy } from '../statement/passing-busy.ts'
import type { DatabaseLifetime } from './lifetime.ts'
import type { WriteGate } from './write-gate.ts'

/** What there is to wait for. */
export interface PatienceEngine extends Pick<DatabaseLifetime, 'untilClosed'> {
  readonly options: { readonly queryTimeoutMs: number | undefined }
  readonly gate: Pick<WriteGate, 'holder'>
}

/**
 * What a session waits for, and the ways to stop waiting: the caller's signal, `cancel()`, `queryTimeoutMs`, and the
 * database being closed.
 */
export class Patience {
  readonly #engine: PatienceEngine
  #waiting: Set<AbortController> | undefined

  constructor(engine: PatienceEngine) {
    this.#engine = engine
  }

  /** Runs `wait` under a signal that stands for all of them. */
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
      return await this.#engine.untilClosed(controller, () =>
        wait(
          signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
        ),
      )
    } finally {
      clearTimeout(timer)
      this.#waiting!.delete(controller)
    }
  }

  /** Runs `attempt` at once, and again while another process holds its lock. */
  async whileBusy<T>(
    sql: string,
    attempt: () => T,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    signal?.throwIfAborted()
    try {
      return attempt()
    } catch (error) {
      if (!isPassingBusy(error)) throw error
    }
    return this.during(sql, signal, (either) => retryWhileBusy(attempt, timeoutMs, either))
  }

  get isWaiting(): boolean {
    return this.#waiting !== undefined && this.#waiting.size > 0
  }

  cancel(reason: unknown): void {
    for (const waiting of this.#waiting ?? []) waiting.abort(reason)
  }

  #timeout(sql: string, queryTimeoutMs: number): QueryTimeoutError {
    const { holder: owner } = this.#engine.gate
    const holder =
      owner === undefined || owner.kind === 'statement' ? 'another process' : owner.describe()
    return new QueryTimeoutError(
      `${excerpt(sql)} was still waiting after ${queryTimeoutMs} ms (queryTimeoutMs) and has not run. ` +
        `The write connection is owned by ${holder}. Allow more time, or end what holds it.`,
    )
  }
}
