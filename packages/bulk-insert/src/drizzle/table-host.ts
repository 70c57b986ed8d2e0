import type { TableHost } from '../sequence/create-tables.ts'
import { type AnyDatabase, hostOf } from './host-of.ts'
import { type DrizzleDatabase, runRaw } from './internals.ts'

/** See `TableHost`. */
export function tableHost(db: AnyDatabase, where: string): TableHost {
  const { traits, isInTransaction } = hostOf(db, where)
  return {
    traits,
    isInTransaction,
    run: async (sql) => runRaw(db as unknown as DrizzleDatabase, sql),
  }
}
