import type { EngineName } from '@keelson/core'

/** Rows that are sent together, unless the caller says otherwise. */
export const batchRows: Readonly<Record<EngineName, number>> = Object.freeze({
  // About a millisecond, after which others get a turn.
  sqlite: 1_000,
  // Ten of the chunks that DuckDB works with.
  duckdb: 20_480,
  postgresql: 10_000,
  mysql: 1_000,
})
