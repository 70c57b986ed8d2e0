import { performance } from 'node:perf_hooks'
import type { Outcome } from '../method/method.ts'
import type {
  BulkInsertMethod,
  BulkInsertProgress,
  BulkInsertReport,
  Rejection,
} from '../report.ts'

/** Counts of rows that were decided in one transaction. */
interface Counts {
  attempted: number
  changes: number | undefined
  inserted: number | undefined
  rejected: number
}

/** What a bulk insert has done so far: what is committed, and what the open transaction adds to it. */
export class Tally {
  /** In the order of the input. */
  readonly rejections: Rejection[] = []
  readonly #start = performance.now()
  readonly #total: number | undefined
  readonly #committed: Counts = { attempted: 0, changes: 0, inserted: 0, rejected: 0 }
  #open: Counts = zero()
  #batches = 0
  #method: BulkInsertMethod | undefined
  /** Rejections that were there when the open transaction began. */
  #rejectionsBefore = 0

  constructor(total: number | undefined) {
    this.#total = total
  }

  /** Adds what an engine has done with some rows. */
  add(rows: number, { changes, inserted }: Outcome): void {
    this.#open.attempted += rows
    this.#open.changes = sum(this.#open.changes, changes)
    this.#open.inserted = sum(this.#open.inserted, inserted)
  }

  reject(): void {
    this.#open.attempted += 1
    this.#open.rejected += 1
  }

  /** Keeps a rejection for the report. */
  collect(rejection: Rejection): void {
    let at = this.rejections.length
    while (at > 0 && this.rejections[at - 1]!.rowIndex > rejection.rowIndex) at--
    this.rejections.splice(at, 0, rejection)
  }

  sent(method: BulkInsertMethod): void {
    this.#batches += 1
    this.#method = method
  }

  get rejected(): number {
    return this.#committed.rejected + this.#open.rejected
  }

  /** @param inserted rows that the table has more than before, where that is how they are counted */
  counted(inserted: number | undefined): void {
    this.#open.inserted = inserted
  }

  /** A transaction begins, perhaps for the second time. */
  begin(): void {
    this.#open = zero()
    this.rejections.length = this.#rejectionsBefore
  }

  /** The transaction is committed. */
  kept(): void {
    const { attempted, changes, inserted, rejected } = this.#open
    this.#committed.attempted += attempted
    this.#committed.changes = sum(this.#committed.changes, changes)
    this.#committed.inserted = sum(this.#committed.inserted, inserted)
    this.#committed.rejected += rejected
    this.#open = zero()
    this.#rejectionsBefore = this.rejections.length
  }

  /** The transaction is rolled back: none of its rows is in. */
  undone(): void {
    this.#committed.attempted += this.#open.attempted
    this.#committed.rejected += this.#open.attempted
    this.#open = zero()
  }

  get progress(): BulkInsertProgress {
    const rows = this.#committed.attempted + this.#open.attempted
    const elapsedMs = performance.now() - this.#start
    return { rows, total: this.#total, elapsedMs, rowsPerSecond: perSecond(rows, elapsedMs) }
  }

  /** @param durableRows rows from the beginning of the input whose fate is committed */
  report(durableRows: number): BulkInsertReport {
    const { attempted, changes, inserted, rejected } = this.#committed
    const elapsedMs = performance.now() - this.#start
    return {
      attempted,
      inserted,
      updated: changes === undefined || inserted === undefined ? undefined : changes - inserted,
      skipped: changes === undefined ? undefined : attempted - rejected - changes,
      rejected,
      rejections: this.rejections,
      batches: this.#batches,
      durableRows,
      elapsedMs,
      rowsPerSecond: perSecond(attempted, elapsedMs),
      method: this.#method,
    }
  }
}

function zero(): Counts {
  return { attempted: 0, changes: 0, inserted: 0, rejected: 0 }
}

function sum(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other
}

function perSecond(rows: number, elapsedMs: number): number {
  return elapsedMs === 0 ? 0 : Math.round((rows / elapsedMs) * 1_000)
}
