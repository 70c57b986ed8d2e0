import { type DatabaseClosedError, excerpt, QueryTimeoutError } from '@keelson/core'
import { Interruption } from '../connection/interruption.ts'
import type { Endable, Engine } from './engine.ts'

/** One statement on its way: it can be cancelled, runs into `queryTimeoutMs`, and is ended by `close()`. */
export class Operation implements Endable {
  readonly sql: string
  readonly interruption: Interruption
  readonly #engine: Engine
  readonly #signal: AbortSignal | undefined
  readonly #startMs = performance.now()
  readonly #finished: Promise<void>
  #settle: () => void = () => {}

  constructor(engine: Engine, sql: string, signal: AbortSignal | undefined) {
    this.#engine = engine
    this.sql = sql
    this.#signal = signal
    this.#finished = new Promise((resolve) => (this.#settle = resolve))
    const { queryTimeoutMs } = engine.options
    this.interruption = new Interruption(
      queryTimeoutMs === undefined
        ? undefined
        : { ms: queryTimeoutMs, error: () => timedOut(sql, queryTimeoutMs) },
    )
    if (signal?.aborted === true) this.#abort()
    else signal?.addEventListener('abort', this.#abort, { once: true })
    engine.opened(this)
  }

  readonly #abort = (): void => this.interruption.abort(this.#signal!.reason)

  finish(): void {
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#engine.ended(this)
    this.#settle()
  }

  describe(): string {
    const ms = Math.round(performance.now() - this.#startMs)
    return `a statement that ran for ${ms} ms: ${excerpt(this.sql)}`
  }

  async end(error: DatabaseClosedError): Promise<void> {
    this.interruption.abort(error)
    await this.#finished
  }
}

function timedOut(sql: string, queryTimeoutMs: number): QueryTimeoutError {
  return new QueryTimeoutError(
    `The statement ran for longer than ${queryTimeoutMs} ms (queryTimeoutMs) and was interrupted: ` +
      `${excerpt(sql)}. Make it faster, or allow it more time.`,
  )
}
