import type { TableIndex } from '../candidates/table-index.ts'
import type { TableStatistics } from '../statistics/table-statistics.ts'

/**
 * What reading takes, in nanoseconds, fitted to SQLite on tables of 1,000 to 5,000,000 rows (13 columns, 175 bytes a row):
 * a scan takes 85 ns a row; a row that an index points to takes 0.3 us as long as the table is in the cache, and 1.6 us when
 * it is much larger. Only ratios are of consequence.
 */
export const costs = {
  /** Finding the first entry. */
  seek: (rows: number): number => 50 * Math.log2(rows + 2),
  /** The next row of a table in its own order. */
  row: ({ width }: TableStatistics): number => 40 + width / 4,
  /** The next entry of an index. */
  entry: ({ rows, statistics }: { rows: number; statistics: TableIndex }): number =>
    30 + statistics.bytes / Math.max(1, rows) / 4,
  /** The row that an entry points to. */
  fetch: ({ bytes }: TableStatistics): number => 250 + 1_350 * share(bytes, 8e6, 130e6),
  /** A value inside JSON, or of a function, for each row. */
  expression: 150,
  /** Putting rows in order, of which `kept` are wanted. */
  sort: (rows: number, kept: number): number =>
    rows * (60 + 25 * Math.log2(Math.max(2, Math.min(rows, kept)))),
  /** One more index to keep, for each row that is written. */
  write: ({ bytes }: TableIndex): number => 3_000 + 12_000 * share(bytes, 8e6, 130e6),
} as const

/** How far a value is from one to another, from 0 to 1. */
function share(value: number, from: number, to: number): number {
  return Math.min(1, Math.max(0, (value - from) / (to - from)))
}
