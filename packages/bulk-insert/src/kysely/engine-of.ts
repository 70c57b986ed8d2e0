import {
  type EngineName,
  engineOfAdapter,
  type EngineTraits,
  engineTraits,
  OptionError,
} from '@keelson/core'
import { type DialectAdapter, MysqlAdapter, PostgresAdapter, SqliteAdapter } from 'kysely'

/** The traits of the engine below a Kysely, told by its adapter. */
export function engineOf(adapter: DialectAdapter, where: string): EngineTraits {
  const named = (adapter as { readonly [engineOfAdapter]?: EngineName })[engineOfAdapter]
  if (named !== undefined) return engineTraits[named]
  if (adapter instanceof SqliteAdapter) return engineTraits.sqlite
  if (adapter instanceof MysqlAdapter) return engineTraits.mysql
  if (adapter instanceof PostgresAdapter) return engineTraits.postgresql
  throw new OptionError(
    'INVALID_OPTION',
    'db',
    `${where} does not know how to insert through this dialect: its adapter is none of SQLite, PostgreSQL, MySQL or DuckDB. ` +
      'Have its adapter extend the one of Kysely that its SQL follows.',
  )
}
