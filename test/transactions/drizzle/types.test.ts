import type { KeelsonSqliteDatabase, KeelsonSqliteTransaction } from '@keelson/sqlite/drizzle'
import { afterCommit, transaction, withTransactions } from '@keelson/transactions/drizzle'
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { PgTransaction } from 'drizzle-orm/pg-core'
import type { SQLiteTransaction } from 'drizzle-orm/sqlite-core'
import { expectTypeOf, test } from 'vitest'

declare const sync: BetterSQLite3Database
declare const ours: KeelsonSqliteDatabase<{ a: never }>
declare const pg: NodePgDatabase

// Checked by `tsc -p tsconfig.tests.json`; nothing is run.
const types = {
  'withTransactions() keeps the type': () => {
    expectTypeOf(withTransactions(pg)).toEqualTypeOf<NodePgDatabase>()
    expectTypeOf(withTransactions(sync)).toEqualTypeOf<BetterSQLite3Database>()
  },
  "the handle is the driver's own": () => {
    void transaction(pg, async (tx) => {
      expectTypeOf(tx).toExtend<PgTransaction<any, any, any>>()
      await transaction(tx, async (inner) => {
        expectTypeOf(inner).toExtend<PgTransaction<any, any, any>>()
      })
    })
    void transaction(ours, async (tx) => {
      expectTypeOf(tx).toExtend<KeelsonSqliteTransaction<any, any>>()
    })
    transaction(sync, (tx) => {
      expectTypeOf(tx).toExtend<SQLiteTransaction<'sync', any, any, any>>()
    })
  },
  'an async database gives a promise, a sync one the result': () => {
    expectTypeOf(transaction(pg, async () => 1)).toEqualTypeOf<Promise<number>>()
    expectTypeOf(transaction(sync, () => 1)).toEqualTypeOf<number>()
    expectTypeOf(transaction(sync, () => ({ id: 1 }))).toEqualTypeOf<{ id: number }>()
    expectTypeOf(transaction(sync, () => {})).toEqualTypeOf<void>()
    expectTypeOf(afterCommit(pg, () => {})).toEqualTypeOf<Promise<void>>()
    expectTypeOf(afterCommit(sync, () => {})).toEqualTypeOf<void>()
  },
  'a sync database takes no promise': () => {
    // @ts-expect-error -- async
    transaction(sync, async () => {})
    // @ts-expect-error -- a promise
    transaction(sync, () => Promise.resolve(1))
    // @ts-expect-error -- a query, which is a promise
    transaction(sync, (tx) => tx.select().from({} as never))
    // @ts-expect-error -- it cannot wait
    transaction(sync, () => 1, { retry: 3 })
  },
}

test('types are checked by the compiler', () => {
  expectTypeOf(types).not.toBeAny()
})
