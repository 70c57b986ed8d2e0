/** Rows that were committed together. */
export interface WriteCounts {
  readonly rows: number
  readonly inserted: number | undefined
  readonly updated: number | undefined
  readonly skipped: number | undefined
}

/**
 * What a write buffer has done and holds. At every moment
 *
 * `accepted = written + rejected + spilled + pending`
 */
export interface WriteBufferStats {
  /** Rows that the buffer has taken, those of an earlier process (`replayed`) included. */
  readonly accepted: number
  /** Rows whose transaction is committed: `inserted + updated + skipped`, as far as the engine tells these. */
  readonly written: number
  /** Of `written`: rows that are new in the table; `undefined` once an engine did not tell. */
  readonly inserted: number | undefined
  /** Of `written`: rows that were there and were updated, by `onConflict`. */
  readonly updated: number | undefined
  /** Of `written`: rows that were there and were left as they are, those that an earlier attempt had written included. */
  readonly skipped: number | undefined
  /** Rows that this buffer will not write: what their promises were rejected with says why. */
  readonly rejected: number
  /** Of `rejected`: rows that were not to blame themselves. They are too old, the buffer is closed, or what became of them is unknown. */
  readonly lost: number
  /** Rows that are in the spill and not in the table yet. They are in memory as well. */
  readonly spilled: number
  /** Rows that are in memory only. A crash loses these, and none of them was acknowledged. */
  readonly pending: number
  /** About how many bytes `spilled` and `pending` rows take. */
  readonly bytes: number
  /** Rows whose `add()` waits for room. They are not accepted yet. */
  readonly waiting: number
  /** Rows that were added in transactions that are still open. They are not accepted yet. */
  readonly deferred: number
  /** Of `accepted`: rows that an earlier process had left in the spill. */
  readonly replayed: number
  /** Transactions that were committed. */
  readonly batches: number
  /** Times that a batch was sent again. */
  readonly retries: number
  /** `stopped`: an error that no row is to blame for keeps the buffer from writing. `flush()` tries again. */
  readonly state: 'open' | 'stopped' | 'closing' | 'closed'
}
