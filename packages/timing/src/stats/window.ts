const slots = 12
const slotMs = 5_000

/** What is counted. */
export interface WindowCounts {
  readonly calls: number
  /** Failed calls, without broken constraints, which are answers, and without those that somebody aborted. */
  readonly errors: number
  readonly slow: number
}

/** Of fewer calls than these the share that failed says nothing. */
const fewestCalls = 20

/** The share of calls that failed, from 0 to 1; 0 for too few of them. */
export function errorRate({ calls, errors }: WindowCounts): number {
  return calls < fewestCalls ? 0 : errors / calls
}

/** Calls within the last minute. */
export class Window {
  readonly #calls = new Uint32Array(slots)
  readonly #errors = new Uint32Array(slots)
  readonly #slow = new Uint32Array(slots)
  #last = 0
  /** Of the interval that is counted in, and `performance.now()` at its end. */
  #slot = 0
  #endMs = 0

  /** The length in milliseconds. */
  static readonly lengthMs: number = slots * slotMs

  /** @param nowMs `performance.now()` when the call ended */
  add(nowMs: number, isError: boolean, isSlow: boolean): void {
    if (nowMs >= this.#endMs) this.#roll(Math.floor(nowMs / slotMs))
    const slot = this.#slot
    this.#calls[slot] = this.#calls[slot]! + 1
    if (isError) this.#errors[slot] = this.#errors[slot]! + 1
    if (isSlow) this.#slow[slot] = this.#slow[slot]! + 1
  }

  counts(nowMs: number): WindowCounts {
    this.#roll(Math.floor(nowMs / slotMs))
    return { calls: sum(this.#calls), errors: sum(this.#errors), slow: sum(this.#slow) }
  }

  #roll(interval: number): void {
    // A call may end in the interval before the one that was counted last.
    for (let passed = Math.min(slots, interval - this.#last); passed > 0; passed--) {
      const slot = (interval - passed + 1) % slots
      this.#calls[slot] = 0
      this.#errors[slot] = 0
      this.#slow[slot] = 0
    }
    if (interval > this.#last) this.#last = interval
    this.#slot = this.#last % slots
    this.#endMs = (this.#last + 1) * slotMs
  }
}

function sum(counts: Uint32Array): number {
  let total = 0
  for (const count of counts) total += count
  return total
}
