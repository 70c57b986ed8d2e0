import { callStatement, type QueryOutcome } from '@keelson/core'
import type { Observation } from './observation.ts'

/** Passes on the chunks of a stream, and measures how long each was waited for: what its reader does meanwhile does not count. */
export class TimedStream<C> implements AsyncIterableIterator<C> {
  readonly #inner: AsyncIterator<C>
  readonly #observation: Observation
  readonly #rowsIn: (chunk: C) => number
  readonly #signal: AbortSignal | undefined
  readonly #ended: (outcome: QueryOutcome, error: unknown) => void
  readonly #waitedMs: number
  #spentMs = 0
  #isOver = false

  /**
   * @param rowsIn how many rows a chunk has
   * @param ended is called once, when the observation is complete
   */
  constructor(
    inner: AsyncIterator<C>,
    observation: Observation,
    rowsIn: (chunk: C) => number,
    signal: AbortSignal | undefined,
    ended: (outcome: QueryOutcome, error: unknown) => void,
  ) {
    this.#inner = inner
    this.#observation = observation
    this.#rowsIn = rowsIn
    this.#signal = signal
    this.#ended = ended
    this.#waitedMs = observation.waitMs
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<C>> {
    const start = performance.now()
    const chunk = callStatement(this.#observation, () => this.#inner.next())
    chunk.then(
      (given) => this.#got(given, start),
      (error: unknown) => {
        this.#spentMs += performance.now() - start
        this.#end(this.#signal?.aborted === true ? 'aborted' : 'error', error)
      },
    )
    return chunk
  }

  return(value?: unknown): Promise<IteratorResult<C>> {
    const start = performance.now()
    const left: Promise<IteratorResult<C>> =
      this.#inner.return?.(value) ?? Promise.resolve({ done: true, value: undefined })
    const outcome = this.#signal?.aborted === true ? 'aborted' : 'early'
    left.then(
      () => {
        this.#spentMs += performance.now() - start
        this.#end(outcome, undefined)
      },
      (error: unknown) => this.#end('error', error),
    )
    return left
  }

  throw(error?: unknown): Promise<IteratorResult<C>> {
    const thrown: Promise<IteratorResult<C>> =
      this.#inner.throw?.(error) ?? Promise.reject(error as Error)
    thrown.then(
      (given) => this.#got(given, performance.now()),
      (later: unknown) => this.#end('error', later),
    )
    return thrown
  }

  /** Nobody reads it to its end any more. */
  abandon(): void {
    this.#end('abandoned', undefined)
  }

  #got({ done, value }: IteratorResult<C>, start: number): void {
    const now = performance.now()
    const observation = this.#observation
    this.#spentMs += now - start
    if (done === true) {
      this.#end('ok', undefined)
      return
    }
    const rows = this.#rowsIn(value as C)
    if (rows > 0) observation.firstRowMs ??= now - observation.startMs
    observation.rows += rows
  }

  #end(outcome: QueryOutcome, error: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    // What the driver has waited for in the first step is waiting, and no work.
    const { waitMs } = this.#observation
    this.#observation.dbMs = Math.max(0, this.#spentMs - (waitMs - this.#waitedMs))
    this.#ended(outcome, error)
  }
}
