import type { WriteBufferStats, WriteCounts } from './buffer-stats.ts'
import type { Entry } from './entry.ts'

/** The numbers of a buffer. A row moves from one to another, and is always in one of them. */
export class Ledger {
  #accepted = 0
  #written = 0
  #inserted: number | undefined = 0
  #updated: number | undefined = 0
  #skipped: number | undefined = 0
  #rejected = 0
  #lost = 0
  #spilled = 0
  #pending = 0
  #bytes = 0
  #replayed = 0
  #batches = 0
  retries = 0

  /** Rows that the buffer has to keep. */
  get held(): number {
    return this.#pending + this.#spilled
  }

  get bytes(): number {
    return this.#bytes
  }

  accept({ bytes }: Entry): void {
    this.#accepted++
    this.#pending++
    this.#bytes += bytes
  }

  replay({ bytes }: Entry): void {
    this.#accepted++
    this.#replayed++
    this.#spilled++
    this.#bytes += bytes
  }

  spill(entry: Entry): void {
    entry.isSpilled = true
    this.#pending--
    this.#spilled++
  }

  written(entries: readonly Entry[], { inserted, updated, skipped }: WriteCounts): void {
    for (const entry of entries) this.#decide(entry)
    this.#written += entries.length
    this.#inserted = sum(this.#inserted, inserted)
    this.#updated = sum(this.#updated, updated)
    this.#skipped = sum(this.#skipped, skipped)
    this.#batches++
  }

  reject(entry: Entry, isLost: boolean): void {
    this.#decide(entry)
    this.#rejected++
    if (isLost) this.#lost++
  }

  snapshot(rest: Pick<WriteBufferStats, 'waiting' | 'deferred' | 'state'>): WriteBufferStats {
    return {
      accepted: this.#accepted,
      written: this.#written,
      inserted: this.#inserted,
      updated: this.#updated,
      skipped: this.#skipped,
      rejected: this.#rejected,
      lost: this.#lost,
      spilled: this.#spilled,
      pending: this.#pending,
      bytes: this.#bytes,
      waiting: rest.waiting,
      deferred: rest.deferred,
      replayed: this.#replayed,
      batches: this.#batches,
      retries: this.retries,
      state: rest.state,
    }
  }

  #decide(entry: Entry): void {
    entry.isDecided = true
    this.#bytes -= entry.bytes
    if (entry.isSpilled) this.#spilled--
    else this.#pending--
  }
}

function sum(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one + other
}
