import { entityKind } from 'drizzle-orm'
import type { EngineName } from '../engine-traits.ts'
import { kindOf, sessionOf } from './internals.ts'

/** By Drizzle's names of its classes: which classes it exports differs by its version. */
const engines: ReadonlyMap<string, EngineName> = new Map([
  ['PgDatabase', 'postgresql'],
  ['MySqlDatabase', 'mysql'],
  ['BaseSQLiteDatabase', 'sqlite'],
])

/** The engine below a Drizzle database or the handle of a transaction; undefined for anything else. */
export function engineNameOfDatabase(db: unknown): EngineName | undefined {
  const session = sessionOf(db)
  if (typeof session !== 'object' || session === null) return undefined
  if (kindOf(session) === 'KeelsonDuckDBSession') return 'duckdb'
  let type = (db as object).constructor as Function | null
  while (type !== null) {
    const engine = engines.get((type as { readonly [entityKind]?: string })[entityKind] ?? '')
    if (engine !== undefined) return engine
    type = Object.getPrototypeOf(type) as Function | null
  }
  return undefined
}
