import type { StreamOptions } from '../contract.ts'
import type { Engine } from './engine.ts'
import { checkParameters, checkSql, checkStreamOptions } from './statement-options.ts'
import { type StreamHost, StreamRun } from './stream-run.ts'

/** @throws {ParameterError} and {OptionError} at once, before anything is opened */
export function openStream<Row>(
  engine: Engine,
  sql: string,
  parameters: readonly unknown[],
  options: StreamOptions,
  host: StreamHost,
): AsyncIterableIterator<Row[]> {
  checkSql('stream()', sql)
  checkParameters(parameters)
  checkStreamOptions(options)
  const run = new StreamRun(engine, sql, parameters, options, host)
  return new PooledStream(run) as unknown as AsyncIterableIterator<Row[]>
}

const abandoned = new Error('The stream was given up.')

/** Closes streams whose consumer has forgotten them, so that their connections are not lost. */
const forgotten = new FinalizationRegistry<StreamRun>((run) => {
  if (run.isEnded) return
  process.emitWarning(
    `Nobody has closed ${run.describe()}. Read it to its end, leave its loop, or call its return().`,
    { type: 'KeelsonWarning', code: 'STREAM_ABANDONED' },
  )
  void run.stop(abandoned, 'abandoned')
})

/** The end of a stream that its consumer holds. Nothing else does, so that it can be seen that nobody holds it. */
class PooledStream implements AsyncIterableIterator<unknown[]> {
  readonly #run: StreamRun
  #isOpen = false

  constructor(run: StreamRun) {
    this.#run = run
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<unknown[], undefined>> {
    if (!this.#isOpen) {
      this.#isOpen = true
      forgotten.register(this, this.#run, this)
    }
    try {
      const result = await this.#run.next(this)
      if (result.done === true) forgotten.unregister(this)
      return result
    } catch (error) {
      forgotten.unregister(this)
      throw error
    }
  }

  async return(): Promise<IteratorResult<unknown[], undefined>> {
    forgotten.unregister(this)
    return this.#run.return()
  }
}
