import type { TableIndex } from '../candidates/table-index.ts'
import type { TableStatistics } from '../statistics/table-statistics.ts'

/**
 * What reading takes, in nanoseconds, fitted to SQLite on tables of 1,000 to 5,000,000 rows: a scan takes 25 to 85 ns a row,
 * by its width; a row that an index points to 0.06 us in a table of 50 kB, 0.3 us in one of 5 MB, and 1.7 us where the table is
 * much larger than the processor's cache. What the rows of the result take in JavaScript is left out: it is the same for every
 * plan.
 */
export const costs: Costs = {
  /** Finding the first entry. */
  seek: (rows: number): number => 19 * Math.log2(rows + 2),
  /** The next row of a table in its own order. */
  row: ({ width }: TableStatistics): number => 8 + width * 0.4,
  /** The next entry of an index. */
  entry: ({ rows, statistics }: { rows: number; statistics: TableIndex }): number =>
    33 + statistics.bytes / Math.max(1, rows) / 8,
  /** The row that an entry points to. */
  fetch: (statistics: TableStatistics): number => rowBehind(statistics, 17, 1_500),
  /**
   * The same where entries with the same key are read, which point to rows in the order of the table: the next row is often
   * on the same page.
   *
   * @param part which part of the rows there is for each key
   * @param following which part of the entries point to the row behind that of the entry before
   */
  fetchInOrder: (statistics: TableStatistics, part: number, following: number): number => {
    const onSamePage = Math.min(1, (part * 4_096) / statistics.width)
    const near = rowBehind(statistics, 9, 250)
    const other = near * onSamePage + costs.fetch(statistics) * (1 - onSamePage)
    // SQLite goes on to the row behind without seeking it.
    return costs.row(statistics) * following + other * (1 - following)
  },
  /** A value inside JSON, or of a function, for each row. */
  expression: 150,
  /** Putting rows in order, of which the first `kept` are wanted: most of the others are passed over at once. */
  sort: (rows: number, kept: number): number => {
    if (kept >= rows) return rows * (60 + 25 * Math.log2(rows + 2))
    return rows * 20 + kept * (1 + Math.log(rows / kept)) * (60 + 25 * Math.log2(kept + 2))
  },
  /** One more index to keep, for each row that is written. */
  write: ({ bytes }: TableIndex): number => 3_000 + 12_000 * share(bytes, 8e6, 130e6),
}

interface Costs {
  readonly seek: (rows: number) => number
  readonly row: (statistics: TableStatistics) => number
  readonly entry: (index: { rows: number; statistics: TableIndex }) => number
  readonly fetch: (statistics: TableStatistics) => number
  readonly fetchInOrder: (statistics: TableStatistics, part: number, following: number) => number
  readonly expression: number
  readonly sort: (rows: number, kept: number) => number
  readonly write: (index: TableIndex) => number
}

/**
 * Seeking a row by its rowid, and reading it.
 *
 * @param doubled what it takes more of a table twice as large
 * @param missed what it takes more where the table is in no cache of the processor
 */
function rowBehind(statistics: TableStatistics, doubled: number, missed: number): number {
  const { bytes } = statistics
  const doublings = Math.log2(Math.max(1, bytes / 5e4))
  return 35 + costs.row(statistics) + doubled * doublings + missed * share(bytes, 1e5, 6e7)
}

/** How far a value is from one to another, from 0 to 1. */
function share(value: number, from: number, to: number): number {
  return Math.min(1, Math.max(0, (value - from) / (to - from)))
}
