import type { ErrorCategory } from '@keelson/core'
import { Histogram } from './histogram.ts'

/** How many summaries have a series of their own. */
const most = 200

/** What is exported of all queries with one summary. It only ever grows, also when fingerprints lose their places. */
export class Series {
  readonly summary: string
  readonly operation: string
  readonly histogram: Histogram = new Histogram()
  totalMs = 0
  rows = 0
  readonly errors: Map<ErrorCategory, number> = new Map()

  constructor(summary: string, operation: string) {
    this.summary = summary
    this.operation = operation
  }
}

/**
 * The series of one database, as metrics systems want them: their number is bounded, and what once has a series keeps it.
 * The summaries that come later share one.
 */
export class SeriesSet {
  readonly #bySummary = new Map<string, Series>()
  readonly #other = new Series('<other>', '')

  of(summary: string, operation: string): Series {
    const known = this.#bySummary.get(summary)
    if (known !== undefined) return known
    if (this.#bySummary.size >= most) return this.#other
    const series = new Series(summary, operation)
    this.#bySummary.set(summary, series)
    return series
  }

  *[Symbol.iterator](): Generator<Series> {
    yield* this.#bySummary.values()
    if (this.#other.histogram.count > 0) yield this.#other
  }
}
