import { type EngineName, engineOfAdapter, engineTraits, type EngineTraits } from '@keelson/core'
import type { DialectInstance } from '@keelson/core/kysely'
import {
  MysqlAdapter,
  MysqlQueryCompiler,
  PostgresAdapter,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteQueryCompiler,
} from 'kysely'
import { TransactionOptionsError } from '../errors.ts'
import { engineNameOf } from './session-capabilities.ts'

interface AdapterOfOurs {
  readonly [engineOfAdapter]?: EngineName
}

/** The traits of the engine below a dialect, told by its driver, its adapter or its SQL. */
export function engineOf({ baseDriver, adapter, compiler }: DialectInstance): EngineTraits {
  // A Kysely that is wrapped as a whole has our adapter below its own.
  const named =
    engineNameOf(baseDriver) ?? (adapter as AdapterOfOurs | undefined)?.[engineOfAdapter]
  if (named !== undefined) return engineTraits[named]
  if (adapter instanceof SqliteAdapter) return engineTraits.sqlite
  if (adapter instanceof MysqlAdapter) return engineTraits.mysql
  if (adapter instanceof PostgresAdapter) return engineTraits.postgresql
  if (compiler instanceof SqliteQueryCompiler) return engineTraits.sqlite
  if (compiler instanceof MysqlQueryCompiler) return engineTraits.mysql
  if (compiler instanceof PostgresQueryCompiler) return engineTraits.postgresql
  throw new TransactionOptionsError(
    'dialect',
    'withTransactions() does not know how transactions work on this dialect: its adapter is none of SQLite, PostgreSQL, ' +
      'MySQL or DuckDB. Have its adapter or its query compiler extend the one of Kysely that its SQL follows.',
  )
}
