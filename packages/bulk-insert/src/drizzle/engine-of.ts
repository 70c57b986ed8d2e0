import { type EngineTraits, engineTraits, OptionError } from '@keelson/core'
import { engineNameOfDatabase, kindOf } from '@keelson/core/drizzle'
import type { DrizzleDatabase } from './internals.ts'

/** The traits of the engine below a Drizzle database. */
export function engineOf(db: DrizzleDatabase, where: string): EngineTraits {
  const name = engineNameOfDatabase(db)
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
