import type { AmbientTransactions } from '@keelson/core'
import type { Entry } from './entry.ts'

/** Rows that were added in transactions which are still open. */
export class Deferral {
  #rows = 0
  #bytes = 0

  get rows(): number {
    return this.#rows
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * Keeps rows until the transaction that is open around the call has ended; one of the two functions is called then.
   *
   * @param committed when the outermost one is committed
   * @param dropped when the innermost one is rolled back, or the ending of it cannot be heard: with the error that says so
   */
  keep(
    ambient: AmbientTransactions,
    entries: readonly Entry[],
    bytes: number,
    committed: () => void,
    dropped: (error?: unknown) => void,
  ): void {
    let isOpen = true
    const end = (use: () => void): void => {
      if (!isOpen) return
      isOpen = false
      this.#rows -= entries.length
      this.#bytes -= bytes
      use()
    }
    this.#rows += entries.length
    this.#bytes += bytes
    try {
      ambient.afterRollback(() => end(() => dropped()))
      ambient.afterCommit(() => end(committed))
    } catch (error) {
      end(() => dropped(error))
    }
  }
}
