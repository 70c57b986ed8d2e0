/**
 * What the callback of a transaction has sent through its handle. Once the callback has returned, the fence is closed:
 * nothing more is sent, and what is on its way is waited for, so that nothing of it is carried out after the commit.
 */
export class StatementFence {
  readonly #streams = new Set<AsyncIterableIterator<unknown[]>>()
  #isOpen = true
  #running = 0
  #idle: (() => void) | undefined
  #unseenFailure: { readonly error: unknown } | undefined

  /** Whether the callback may still send something. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  close(): void {
    this.#isOpen = false
  }

  /** Runs a statement of the callback. */
  async run<R>(statement: () => Promise<R>): Promise<R> {
    this.#running++
    try {
      return await statement()
    } catch (error) {
      this.#noteUnseen(error)
      throw error
    } finally {
      if (--this.#running === 0) this.#idle?.()
    }
  }

  /** Passes on the rows of a stream of the callback. */
  async *read<Row>(chunks: AsyncIterableIterator<Row[]>): AsyncGenerator<Row[], void> {
    this.#streams.add(chunks)
    try {
      yield* chunks
    } finally {
      this.#streams.delete(chunks)
    }
  }

  /** Waits for what is on its way, and ends what is still being read. */
  async settle(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((idle) => (this.#idle = idle))
    for (const stream of this.#streams) await stream.return?.()
  }

  /** @throws what failed unseen by the callback, which therefore cannot have meant to commit without it */
  throwUnseen(): void {
    if (this.#unseenFailure !== undefined) throw this.#unseenFailure.error
  }

  /**
   * A failure is unseen until the error has travelled through the promises between here and the callback, which takes
   * more than the two microtasks granted here: a callback that has returned by then did not wait for the statement.
   */
  #noteUnseen(error: unknown): void {
    const failure = { error }
    this.#unseenFailure = failure
    queueMicrotask(() =>
      queueMicrotask(() => {
        if (this.#isOpen && this.#unseenFailure === failure) this.#unseenFailure = undefined
      }),
    )
  }
}
