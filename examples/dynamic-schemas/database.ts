/** The one place that knows which engine it is. */
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { createTiming, type Timing } from '@keelson/timing'
import { withTiming } from '@keelson/timing/kysely'
import { withTransactions } from '@keelson/transactions/kysely'
import { type Dialect, Kysely, PostgresDialect } from 'kysely'
import { Pool, types } from 'pg'

export type Engine = keyof typeof dialects

export interface Database {
  readonly engine: Engine
  /** The tables are not known when this is compiled. */
  readonly db: Kysely<any>
  readonly timing: Timing
}

/** What each engine is opened by, and what is opened when nothing is said. */
export const dialects = {
  sqlite: {
    open: (path: string): Dialect => new SqliteDialect({ path, mode: 'auto', int64: 'bigint' }),
    database: 'records.db',
  },
  duckdb: {
    open: (path: string): Dialect => new DuckDBDialect({ path, int64: 'bigint' }),
    database: 'records.duckdb',
  },
  postgresql: {
    open: (url: string): Dialect => new PostgresDialect({ pool: postgresPool(url) }),
    database: 'postgresql://localhost/postgres',
  },
} as const

export function openDatabase(
  engine: Engine,
  database: string = dialects[engine].database,
): Database {
  const timing = createTiming({ slowMs: 200 })
  const dialect = withTransactions(dialects[engine].open(database))
  return { engine, db: new Kysely({ dialect: withTiming(dialect, timing) }), timing }
}

function postgresPool(connectionString: string): Pool {
  const pool = new Pool({
    connectionString,
    connectionTimeoutMillis: 10_000,
    types: {
      // A date is a day, of which `pg` would make midnight in this machine's time zone.
      getTypeParser: (type: number, format?: 'text' | 'binary') =>
        type === types.builtins.DATE
          ? (text: string) => text
          : types.getTypeParser(type, format as 'text'),
    },
  })
  // A connection that breaks while nobody uses it is replaced; without a listener it would end the process.
  pool.on('error', (error) => console.error('A connection to PostgreSQL broke:', error.message))
  return pool
}
