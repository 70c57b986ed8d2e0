import { type DialectAdapter, MysqlAdapter, PostgresAdapter, SqliteAdapter } from 'kysely'
import { engineOfAdapter } from '../capabilities/engine-session.ts'
import type { EngineName } from '../engine-traits.ts'

/** The engine of a dialect, told by its adapter: as one of ours names it, or by the class of Kysely that it extends. */
export function engineNameOfAdapter(adapter: DialectAdapter | undefined): EngineName | undefined {
  const named = (adapter as { readonly [engineOfAdapter]?: EngineName } | undefined)?.[
    engineOfAdapter
  ]
  if (named !== undefined) return named
  if (adapter instanceof SqliteAdapter) return 'sqlite'
  if (adapter instanceof MysqlAdapter) return 'mysql'
  return adapter instanceof PostgresAdapter ? 'postgresql' : undefined
}
