import type { QueryStats } from './query-stats.ts'

/** How many summaries have a series of their own. */
const most = 200

/**
 * Which summaries (operation and tables) of one database are exported apart, as metrics systems want it: their number is
 * bounded, and what once has a series keeps it. It costs a query nothing: a series is the sum of the fingerprints that have
 * places, and of those that have lost theirs.
 */
export class SeriesSet {
  /** By summary: what fingerprints without a place have done while they had one; nothing for most. */
  readonly #lost = new Map<string, QueryStats | undefined>()

  /** A fingerprint has got a place. */
  add({ fp }: QueryStats): void {
    if (!this.#lost.has(fp.summary) && this.#lost.size < most) this.#lost.set(fp.summary, undefined)
  }

  /** It has lost it. */
  lose(stats: QueryStats, empty: (like: QueryStats) => QueryStats): void {
    const summary = this.#lost.has(stats.fp.summary) ? stats.fp.summary : ''
    let sum = this.#lost.get(summary)
    if (sum === undefined) this.#lost.set(summary, (sum = empty(stats)))
    sum.absorb(stats)
  }

  /**
   * The sums, by summary.
   *
   * @param present fingerprints that have places
   * @param other what those without have done; the summaries without a series are added to it
   */
  sums(
    present: Iterable<QueryStats>,
    other: QueryStats,
    empty: (like: QueryStats) => QueryStats,
  ): QueryStats[] {
    const sums = new Map<string, QueryStats>()
    for (const [summary, lost] of this.#lost) {
      if (lost === undefined) continue
      if (summary === '') other.absorb(lost)
      else {
        const sum = empty(lost)
        sum.absorb(lost)
        sums.set(summary, sum)
      }
    }
    for (const stats of present) {
      const { summary } = stats.fp
      if (!this.#lost.has(summary)) {
        other.absorb(stats)
        continue
      }
      let sum = sums.get(summary)
      if (sum === undefined) sums.set(summary, (sum = empty(stats)))
      sum.absorb(stats)
    }
    return other.calls === 0 ? [...sums.values()] : [...sums.values(), other]
  }
}
