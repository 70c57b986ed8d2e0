import type { TransactionEvent, TransactionOutcome } from '@keelson/core'
import { Histogram } from '../stats/histogram.ts'

/** What the transactions of one database have done, savepoints apart, and which are open. */
export class TransactionStats {
  readonly #open = new Set<TransactionEvent>()
  readonly outcomes: Map<TransactionOutcome, number> = new Map()
  savepoints = 0
  /** How long they were open, in milliseconds. */
  readonly openMs: Histogram = new Histogram()
  totalOpenMs = 0
  /** Milliseconds within them in which no statement ran. */
  totalIdleMs = 0
  totalBeginMs = 0
  totalCommitMs = 0
  maxOpenMs = 0

  begins(event: TransactionEvent): void {
    if (event.depth === 0) this.#open.add(event)
  }

  ended(event: TransactionEvent): void {
    if (event.depth > 0) {
      this.savepoints++
      return
    }
    this.#open.delete(event)
    const outcome = event.outcome!
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
    this.openMs.record(event.openMs)
    this.totalOpenMs += event.openMs
    this.totalIdleMs += event.idleInTxMs
    this.totalBeginMs += event.beginMs
    this.totalCommitMs += event.commitMs
    if (event.openMs > this.maxOpenMs) this.maxOpenMs = event.openMs
  }

  /** Takes over the counts of another one. */
  absorb(other: TransactionStats): void {
    for (const [outcome, count] of other.outcomes)
      this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + count)
    this.savepoints += other.savepoints
    this.openMs.add(other.openMs)
    this.totalOpenMs += other.totalOpenMs
    this.totalIdleMs += other.totalIdleMs
    this.totalBeginMs += other.totalBeginMs
    this.totalCommitMs += other.totalCommitMs
    this.maxOpenMs = Math.max(this.maxOpenMs, other.maxOpenMs)
  }

  /** Those that are open; their events are not complete. */
  get open(): ReadonlySet<TransactionEvent> {
    return this.#open
  }

  /** Milliseconds for which the oldest one is open; `undefined` while none is. */
  oldestMs(nowMs: number): number | undefined {
    let oldest: number | undefined
    for (const { startMs, waitMs = 0 } of this.#open) {
      const openMs = nowMs - startMs - waitMs
      if (oldest === undefined || openMs > oldest) oldest = openMs
    }
    return oldest
  }
}
