/** How many intervals are remembered, and how long each is in milliseconds: five minutes in all. */
const slots = 30
const recentSlotMs = 10_000

/** How long a query took lately: what the line beside it on the page is drawn from. */
export class Recent {
  readonly #calls = new Uint32Array(slots)
  readonly #totalMs = new Float32Array(slots)
  #last = 0
  /** Of the interval that is counted in, and `performance.now()` at its end. */
  #slot = 0
  #endMs = 0

  /** @param nowMs `performance.now()` when the query ended */
  add(ms: number, nowMs: number): void {
    const slot = nowMs < this.#endMs ? this.#slot : this.#roll(nowMs)
    this.#calls[slot] = this.#calls[slot]! + 1
    this.#totalMs[slot] = this.#totalMs[slot]! + ms
  }

  /** Mean milliseconds in each interval, the latest last; `null` where there was no call. */
  means(nowMs: number): (number | null)[] {
    const latest = this.#roll(nowMs)
    return Array.from({ length: slots }, (_, index) => {
      const slot = (latest + 1 + index) % slots
      const calls = this.#calls[slot]!
      return calls === 0 ? null : this.#totalMs[slot]! / calls
    })
  }

  /** Empties the intervals that have passed since the last call. */
  #roll(nowMs: number): number {
    const interval = Math.floor(nowMs / recentSlotMs)
    if (interval > this.#last) {
      const passed = Math.min(slots, interval - this.#last)
      for (let index = 1; index <= passed; index++) {
        const slot = (this.#last + index) % slots
        this.#calls[slot] = 0
        this.#totalMs[slot] = 0
      }
      // After more intervals than there are slots, all of them are empty wherever the count goes on.
      this.#last = interval
    }
    this.#slot = this.#last % slots
    this.#endMs = (this.#last + 1) * recentSlotMs
    return this.#slot
  }
}
