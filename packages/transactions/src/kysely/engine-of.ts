import { type EngineName, engineTraits, type EngineTraits } from '@keelson/core'
import { type DialectInstance, engineNameOfAdapter } from '@keelson/core/kysely'
import {
  MysqlQueryCompiler,
  PostgresQueryCompiler,
  type QueryCompiler,
  SqliteQueryCompiler,
} from 'kysely'
import { TransactionOptionsError } from '../errors.ts'
import { engineNameOf } from './session-capabilities.ts'

/** The traits of the engine below a dialect, told by its driver, its adapter or its SQL. */
export function engineOf({ baseDriver, adapter, compiler }: DialectInstance): EngineTraits {
  // A Kysely that is wrapped as a whole has our adapter below its own.
  const name =
    engineNameOf(baseDriver) ?? engineNameOfAdapter(adapter) ?? engineNameOfCompiler(compiler)
  if (name !== undefined) return engineTraits[name]
  throw new TransactionOptionsError(
    'dialect',
    'withTransactions() does not know how transactions work on this dialect: its adapter is none of SQLite, PostgreSQL, ' +
      'MySQL or DuckDB. Have its adapter or its query compiler extend the one of Kysely that its SQL follows.',
  )
}

function engineNameOfCompiler(compiler: QueryCompiler | undefined): EngineName | undefined {
  if (compiler instanceof SqliteQueryCompiler) return 'sqlite'
  if (compiler instanceof MysqlQueryCompiler) return 'mysql'
  return compiler instanceof PostgresQueryCompiler ? 'postgresql' : undefined
}
