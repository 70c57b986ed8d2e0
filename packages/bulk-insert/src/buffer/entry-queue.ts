import type { Entry } from './entry.ts'

/** Entries, first in, first out. */
export class EntryQueue {
  #entries: Entry[] = []
  #head = 0
  #bytes = 0

  get length(): number {
    return this.#entries.length - this.#head
  }

  get bytes(): number {
    return this.#bytes
  }

  get first(): Entry | undefined {
    return this.#entries[this.#head]
  }

  get last(): Entry | undefined {
    return this.length === 0 ? undefined : this.#entries.at(-1)
  }

  push(entry: Entry): void {
    this.#entries.push(entry)
    this.#bytes += entry.bytes
  }

  /** Takes entries from the front: at least one, and no more than both limits allow. */
  take(maxRows: number, maxBytes: number): Entry[] {
    let end = this.#head
    let bytes = 0
    const limit = Math.min(this.#entries.length, this.#head + maxRows)
    while (end < limit) {
      const next = bytes + this.#entries[end]!.bytes
      if (next > maxBytes && end > this.#head) break
      bytes = next
      end++
    }
    const taken = this.#entries.slice(this.#head, end)
    this.#head = end
    this.#bytes -= bytes
    // What is taken is given up before it is more than what is left, which costs no more than taking it.
    if (this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
    return taken
  }

  takeAll(): Entry[] {
    return this.take(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
  }

  /** Gives back what was taken last. */
  putBack(entries: readonly Entry[]): void {
    this.#entries = [...entries, ...this.#entries.slice(this.#head)]
    this.#head = 0
    for (const { bytes } of entries) this.#bytes += bytes
  }
}
