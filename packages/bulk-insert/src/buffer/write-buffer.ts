import type { Fate } from './fate.ts'
import type { WriteBufferStats } from './buffer-stats.ts'
import type { SignalOptions } from './shutdown-signals.ts'

export interface CloseOptions {
  /** How long what is there may take to be written, in milliseconds. @default 30_000 */
  readonly deadlineMs?: number | undefined
}

/** Collects rows and writes them in batches. Every row that was added is accounted for, at every moment. */
export interface WriteBuffer<Row> extends AsyncDisposable {
  /**
   * Adds a row, which is copied, but for objects in it.
   *
   * Inside an open transaction of a wrapped database it is added once that is committed, and dropped with it: do not await it
   * there, since the transaction would wait for itself.
   *
   * @returns a promise of what becomes of the row: once its transaction is committed, or with a spill once it is on disk
   * @throws the row's own error, as the engine gave it, or why it was not taken: `BufferFullError`, `BufferClosedError`,
   *   `BufferStoppedError`, `RowDroppedError`, `RowExpiredError`, `OutcomeUnknownError`, `SpillError`; never before it returns
   */
  add(row: Row): Promise<Fate>
  /**
   * Adds rows, which follow each other in the table as well.
   *
   * @throws {RowsRejectedError} once all are decided, when some of them were not written
   */
  addMany(rows: readonly Row[]): Promise<readonly Fate[]>
  /** Resolves when there is room for another row: what a producer awaits that does not await `add()`. */
  ready(): Promise<void>
  /**
   * Writes everything that was added before, and waits for it, what is sent again included.
   *
   * @throws {BufferStoppedError} when an error that no row is to blame for stops it
   */
  flush(): Promise<void>
  /**
   * Takes no more rows, writes those that are there, and lets go of everything. What is not written at the deadline stays in
   * the spill; without one its promises are rejected with `BufferClosedError`, or `OutcomeUnknownError` for what was under way.
   *
   * @returns the final numbers; nothing is pending any more
   */
  close(options?: CloseOptions): Promise<WriteBufferStats>
  /** Closes the buffer when the process gets a signal, and then lets the signal end the process. @returns what undoes it */
  handleSignals(options?: SignalOptions): () => void
  readonly stats: WriteBufferStats
}
