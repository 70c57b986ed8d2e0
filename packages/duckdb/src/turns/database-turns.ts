import type { Holder } from '@keelson/core'
import type { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBDatabase } from '../database.ts'
import type { PooledDatabase } from '../pooled-database.ts'
import { Turn } from './turn.ts'

/** What in a database only one may do at a time. */
export interface DatabaseTurns {
  readonly migration: Turn<Holder>
  /** See `takesTurns()`. */
  readonly setup: Turn<'a statement'>
}

interface KnownTurns {
  readonly byInstance: WeakMap<DuckDBInstance, DatabaseTurns>
  readonly byPath: Map<string, DatabaseTurns>
}

const key = Symbol.for('keelson.duckdb.turns')

/**
 * The turns of a database, the same for everyone who uses it in this process: through another `openDuckDB()` of its
 * file, an instance that was handed in, or another copy of this package.
 */
export async function turnsOf(database: DuckDBDatabase): Promise<DatabaseTurns> {
  const instance = await (database as PooledDatabase).open()
  const { path } = database
  const { byInstance, byPath } = knownTurns()
  // A file may have several paths, and its instance several objects: the client makes one for everyone who asks.
  const known = byInstance.get(instance) ?? (path === ':memory:' ? undefined : byPath.get(path))
  const turns = known ?? { migration: new Turn(), setup: new Turn() }
  byInstance.set(instance, turns)
  if (path !== ':memory:') byPath.set(path, turns)
  return turns
}

function knownTurns(): KnownTurns {
  const host = globalThis as { [key]?: KnownTurns }
  return (host[key] ??= { byInstance: new WeakMap(), byPath: new Map() })
}
