import type { EngineName } from '@keelson/core'

/** Rows that are sent together, unless the caller says otherwise. */
export const batchRows: Readonly<Record<EngineName, number>> = Object.freeze({
  // About a millisecond, after which others get a turn.
  sqlite: 1_000,
  // Six of the chunks that DuckDB works with, and the tenth part of its row group of 122,880: measured, a number that does
  // not divide it takes a tenth longer, and more are no faster and grow old in memory.
  duckdb: 12_288,
  postgresql: 10_000,
  mysql: 1_000,
})

/** On a thread of SQLite: so many are worth the way there, and keep nobody from a turn. */
export const batchRowsBeside = 4_000
