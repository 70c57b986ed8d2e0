import { errorOf } from './reply-error.ts'
import type { Reply } from './thread.ts'

/** Chunks that have come and were not taken yet. */
export class Chunks {
  readonly #waiting: unknown[][] = []
  #isOver = false
  #wake: (() => void) | undefined
  #isElsewhere = false
  #failure: { readonly reply: Reply; readonly sql: string } | undefined
  /** Something has come, or it is known that nothing will. */
  readonly known: Promise<void>
  #know!: () => void

  readonly #signal: AbortSignal

  constructor(signal: AbortSignal) {
    this.#signal = signal
    this.known = new Promise((resolve) => {
      this.#know = resolve
    })
    const notice = (): void => {
      this.#know()
      this.#wake?.()
    }
    if (signal.aborted) notice()
    else signal.addEventListener('abort', notice, { once: true })
  }

  /** Another thread has to run it. */
  get isElsewhere(): boolean {
    return this.#isElsewhere
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  /** What the statement failed with, as an error made by the caller, which has the caller in its stack. */
  get error(): unknown {
    return errorOf(this.#failure!.reply, this.#failure!.sql, true)
  }

  add(rows: unknown[]): void {
    this.#waiting.push(rows)
    this.#know()
    this.#wake?.()
  }

  ended(reply: Reply, sql: string): void {
    this.#isOver = true
    if (reply.kind === 'elsewhere') this.#isElsewhere = true
    else if (reply.kind !== 'rows' && reply.kind !== 'cancelled') this.#failure = { reply, sql }
    this.#know()
    this.#wake?.()
  }

  /**
   * The next one, in order; undefined after the last.
   *
   * @throws what the statement failed with, once the rows before have been taken; the signal's reason
   */
  async next(): Promise<unknown[] | undefined> {
    while (this.#waiting.length === 0 && !this.#isOver) {
      this.#signal.throwIfAborted()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
    this.#signal.throwIfAborted()
    if (this.#waiting.length > 0) return this.#waiting.shift()
    if (this.#failure !== undefined) throw this.error
    return undefined
  }
}
