import { is } from 'drizzle-orm'
import { MySqlDatabase } from 'drizzle-orm/mysql-core'
import { PgDatabase } from 'drizzle-orm/pg-core'
import { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core'
import type { EngineName } from '../engine-traits.ts'
import { kindOf, sessionOf } from './internals.ts'

/** The engine below a Drizzle database or the handle of a transaction; undefined for anything else. */
export function engineNameOfDatabase(db: unknown): EngineName | undefined {
  const session = sessionOf(db)
  if (typeof session !== 'object' || session === null) return undefined
  if (kindOf(session) === 'KeelsonDuckDBSession') return 'duckdb'
  if (is(db, PgDatabase)) return 'postgresql'
  if (is(db, MySqlDatabase)) return 'mysql'
  return is(db, BaseSQLiteDatabase) ? 'sqlite' : undefined
}
