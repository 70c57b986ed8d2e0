import { DatabaseClosedError } from '@keelson/core'

/** What is open besides the connections: closing the database ends it. */
export interface Endable {
  /** For the report of `close()`. */
  describe(): string
  /** Ends it now; who uses it next gets `error`. */
  end(error: DatabaseClosedError): Promise<void>
}

/** Whether a database is open, and what is open in it. */
export class DatabaseLifetime {
  readonly path: string
  readonly #open = new Set<Endable>()
  readonly #waiting = new Set<AbortController>()
  #whenIdle: (() => void) | undefined
  #closed: DatabaseClosedError | undefined

  constructor(path: string) {
    this.path = path
  }

  assertOpen(): void {
    if (this.#closed !== undefined) throw this.#closed
  }

  get closedError(): DatabaseClosedError | undefined {
    return this.#closed
  }

  refuseNewWork(): DatabaseClosedError {
    this.#closed ??= new DatabaseClosedError(
      `The database ${this.path} has been closed. Open it again with openSqlite() to go on.`,
    )
    for (const waiting of this.#waiting) waiting.abort(this.#closed)
    return this.#closed
  }

  /** Runs `wait`, which ends when its controller is aborted; closing the database does so. */
  async untilClosed<T>(
    controller: AbortController,
    wait: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#waiting.add(controller)
    try {
      return await wait(controller.signal)
    } finally {
      this.#waiting.delete(controller)
    }
  }

  /** Open transactions and streams. */
  get open(): readonly Endable[] {
    return [...this.#open]
  }

  opened(endable: Endable): void {
    this.#open.add(endable)
  }

  ended(endable: Endable): void {
    if (this.#open.delete(endable) && this.#open.size === 0) this.#whenIdle?.()
  }

  /** Resolves when no transaction and no stream is open, at the latest at `deadline` (of `performance.now()`). */
  async idleUntil(deadline: number): Promise<void> {
    if (this.#open.size === 0) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve
      timer = setTimeout(resolve, Math.max(0, deadline - performance.now()))
    })
    clearTimeout(timer)
  }
}
