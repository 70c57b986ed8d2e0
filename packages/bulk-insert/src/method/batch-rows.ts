import type { EngineName } from '@keelson/core'

/** Rows that are sent together, unless the caller says otherwise. */
export const batchRows: Readonly<Record<EngineName, number>> = Object.freeze({
  // About a millisecond, after which others get a turn.
  sqlite: 1_000,
  // Four of the chunks that DuckDB works with: more are no faster, and grow old in memory.
  duckdb: 8_192,
  postgresql: 10_000,
  mysql: 1_000,
})
