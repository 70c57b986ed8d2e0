import { type EngineTraits, engineTraits, OptionError } from '@keelson/core'
import { engineNameOfAdapter } from '@keelson/core/kysely'
import type { DialectAdapter } from 'kysely'

/** The traits of the engine below a Kysely, told by its adapter. */
export function engineOf(adapter: DialectAdapter, where: string): EngineTraits {
  const name = engineNameOfAdapter(adapter)
  if (name !== undefined) return engineTraits[name]
  throw new OptionError(
    'INVALID_OPTION',
    'db',
    `${where} does not know how to insert through this dialect: its adapter is none of SQLite, PostgreSQL, MySQL or DuckDB. ` +
      'Have its adapter extend the one of Kysely that its SQL follows.',
  )
}
