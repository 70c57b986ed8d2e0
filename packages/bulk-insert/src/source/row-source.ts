import { AsyncLocalStorage } from 'node:async_hooks'
import { describeValue, OptionError } from '@keelson/core'

/** Where rows come from: anything that can be iterated, at once or with waiting. */
export type Rows<Row> = Iterable<Row> | AsyncIterable<Row> | ReadableStream<Row>

/**
 * Reads the rows of an input, as many at a time as are asked for and no further ahead: what produces them waits. It is
 * read in the async context of the caller, not in that of the transaction.
 */
export class RowSource {
  /** How many rows there are, where that is known. */
  readonly total: number | undefined
  readonly #array: readonly unknown[] | undefined
  readonly #iterator: Iterator<unknown> | undefined
  readonly #asyncIterator: AsyncIterator<unknown> | undefined
  readonly #inContext = AsyncLocalStorage.snapshot()
  #position = 0
  #isDone = false
  /** What ends a stream of Node's, whose iterator does not end while its next row is waited for. */
  readonly #destroy: (() => void) | undefined
  #isWaiting = false
  #thrown: { readonly error: unknown } | undefined

  constructor(where: string, rows: unknown) {
    const source = rows as Partial<Iterable<unknown> & AsyncIterable<unknown>>
    if (Array.isArray(rows)) {
      this.#array = rows
      this.total = rows.length
    } else if (rows instanceof ReadableStream) {
      this.#asyncIterator = iteratorOf(rows)
    } else if (isObject(rows) && typeof source[Symbol.asyncIterator] === 'function') {
      this.#asyncIterator = source[Symbol.asyncIterator]!()
      const { destroy } = rows as { readonly destroy?: unknown }
      if (typeof destroy === 'function') this.#destroy = () => void destroy.call(rows)
    } else if (isObject(rows) && typeof source[Symbol.iterator] === 'function') {
      this.#iterator = source[Symbol.iterator]!()
    } else {
      throw new OptionError(
        'INVALID_OPTION',
        'rows',
        `${where} cannot read rows from ${describeValue(rows)}. It takes an array, anything iterable or async iterable, a ` +
          'Node.js Readable in object mode or a web ReadableStream.',
      )
    }
  }

  /** Whether an error is what the input itself has thrown. */
  hasThrown(error: unknown): boolean {
    return this.#thrown !== undefined && this.#thrown.error === error
  }

  /**
   * The next rows, at most so many; fewer only at the end.
   *
   * @throws whatever the input throws
   */
  next(max: number): unknown[] | Promise<unknown[]> {
    if (this.#isDone) return []
    if (this.#array !== undefined) {
      const rows = this.#array.slice(this.#position, this.#position + max)
      this.#position += rows.length
      if (this.#position >= this.#array.length) this.#isDone = true
      return rows
    }
    if (this.#iterator !== undefined) return this.#inContext(() => this.#nextSync(max))
    this.#isWaiting = true
    return this.#inContext(() => this.#nextAsync(max))
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#isWaiting = false
      })
  }

  /** Tells the input that no more is wanted, so that it can let go of what it holds. */
  async close(): Promise<void> {
    if (this.#isDone) return
    this.#isDone = true
    const isWaiting = this.#isWaiting
    await this.#inContext(async () => {
      if (isWaiting) this.#destroy?.()
      this.#iterator?.return?.()
      const returned = this.#asyncIterator?.return?.()
      // A generator that waits for something takes notice when that has come, if ever.
      if (isWaiting) returned?.catch(() => {})
      else await returned
    })
  }

  #fail(error: unknown): never {
    this.#thrown = { error }
    throw error
  }

  #nextSync(max: number): unknown[] {
    const rows: unknown[] = []
    try {
      while (rows.length < max) {
        const { done, value } = this.#iterator!.next()
        if (done === true) {
          this.#isDone = true
          break
        }
        rows.push(value)
      }
    } catch (error) {
      this.#fail(error)
    }
    return rows
  }

  async #nextAsync(max: number): Promise<unknown[]> {
    const rows: unknown[] = []
    while (rows.length < max) {
      const { done, value } = await this.#asyncIterator!.next()
      if (done === true) {
        this.#isDone = true
        break
      }
      rows.push(value)
    }
    return rows
  }
}

/** A web stream's own iterator does not cancel it while its next row is waited for. */
function iteratorOf(stream: ReadableStream<unknown>): AsyncIterator<unknown> {
  const reader = stream.getReader()
  return {
    next: () => reader.read(),
    async return() {
      await reader.cancel()
      return { done: true, value: undefined }
    },
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
