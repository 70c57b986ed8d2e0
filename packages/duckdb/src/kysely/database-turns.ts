import { realpathSync } from 'node:fs'
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
  readonly files: Map<string, DatabaseTurns>
  readonly inMemory: WeakMap<DuckDBInstance, DatabaseTurns>
}

const key = Symbol.for('keelson.duckdb.turns')

/**
 * The turns of a database, the same for everyone who uses it in this process: through another `openDuckDB()` of its
 * file, an instance that was handed in, or another copy of this package.
 */
export async function turnsOf(database: DuckDBDatabase): Promise<DatabaseTurns> {
  const instance = await (database as PooledDatabase).open()
  const { files, inMemory } = knownTurns()
  const { path } = database
  if (path === ':memory:') return find(inMemory, instance)
  // Of an instance that was handed in, the path is as DuckDB was given it.
  return find(files, realpathSync(path))
}

function find<K>(
  known: { get(key: K): DatabaseTurns | undefined; set(key: K, turns: DatabaseTurns): unknown },
  identity: K,
): DatabaseTurns {
  let turns = known.get(identity)
  if (turns === undefined)
    known.set(identity, (turns = { migration: new Turn(), setup: new Turn() }))
  return turns
}

function knownTurns(): KnownTurns {
  const host = globalThis as { [key]?: KnownTurns }
  return (host[key] ??= { files: new Map(), inMemory: new WeakMap() })
}
