import type { DuckDBInstance } from '@duckdb/node-api'

/** Counts what changes the meaning of prepared statements: DDL and settings, on any connection of an instance. */
export interface Definitions {
  version: number
}

const known = new WeakMap<DuckDBInstance, Definitions>()

export function definitionsOf(instance: DuckDBInstance): Definitions {
  let definitions = known.get(instance)
  if (definitions === undefined) known.set(instance, (definitions = { version: 0 }))
  return definitions
}
