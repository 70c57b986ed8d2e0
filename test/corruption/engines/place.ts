import type { PGlite } from '@electric-sql/pglite'

export type EngineKind = 'SQLite' | 'PostgreSQL' | 'PGlite' | 'DuckDB'

/** An empty database with the table `t`, and a view of it that none of the libraries has a hand in. */
export interface Place {
  /** Path of the file, or connection string. Empty for PGlite. */
  readonly location: string
  readonly pglite?: PGlite
  /** The values of `t` that are committed, in the order of their insertion. */
  rows(): Promise<string[]>
  /** Runs statements on a connection of its own. Not for DuckDB, which has one instance per file. */
  execute(sql: string): Promise<unknown>
  /** How many transactions have been committed so far. SQLite only. */
  commits?(): number
}

/**
 * @param directory an empty one
 * @param server connection string of a PostgreSQL superuser
 */
export async function preparePlace(
  engine: EngineKind,
  directory: string,
  server: string,
  schema: readonly string[] = [],
): Promise<Place> {
  switch (engine) {
    case 'SQLite':
      return (await import('./sqlite.ts')).prepareSqlite(directory, schema)
    case 'PostgreSQL':
      return (await import('./postgres.ts')).preparePostgres(server, schema)
    case 'PGlite':
      return (await import('./pglite.ts')).preparePGlite(schema)
    case 'DuckDB':
      return (await import('./duckdb.ts')).prepareDuckDB(directory, schema)
  }
}
