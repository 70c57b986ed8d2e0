import { type EngineName, type EngineTraits, engineTraits, OptionError } from '@keelson/core'
import { kindOf } from '@keelson/core/drizzle'
import { is } from 'drizzle-orm'
import { MySqlDatabase } from 'drizzle-orm/mysql-core'
import { PgDatabase } from 'drizzle-orm/pg-core'
import { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core'
import type { DrizzleDatabase } from './internals.ts'

/** The traits of the engine below a Drizzle database. */
export function engineOf(db: DrizzleDatabase, where: string): EngineTraits {
  const name = nameOf(db)
  if (kindOf(db.session) === 'SQLiteRemoteSession') {
    throw new OptionError(
      'INVALID_OPTION',
      'db',
      `${where} cannot work through sqlite-proxy, whose callback does not tell how many rows a statement has changed.`,
    )
  }
  if (name !== undefined) return engineTraits[name]
  throw new OptionError(
    'INVALID_OPTION',
    'db',
    `${where} takes what drizzle() has returned for SQLite, PostgreSQL, MySQL or DuckDB, or a transaction of it.`,
  )
}

function nameOf(db: DrizzleDatabase): EngineName | undefined {
  if (kindOf(db.session) === 'KeelsonDuckDBSession') return 'duckdb'
  if (is(db, PgDatabase)) return 'postgresql'
  if (is(db, MySqlDatabase)) return 'mysql'
  return is(db, BaseSQLiteDatabase) ? 'sqlite' : undefined
}
