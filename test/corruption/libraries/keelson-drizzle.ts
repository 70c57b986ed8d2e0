import { drizzle as drizzleOnSqlite } from '@keelson/sqlite/drizzle'
import { transaction, withTransactions } from '@keelson/transactions/drizzle'
import type { EngineKind, Place } from '../engines/place.ts'
import type {
  Driver,
  Handle,
  StoreSettings,
  TransactionHandle,
  TransactionOptions,
} from '../store.ts'
import {
  ownDatabases,
  type PgDb,
  pgHandle,
  pgLacks,
  type SqliteDb,
  sqliteHandle,
  syncHandle,
} from './drizzle.ts'

/** `withTransactions()` around Drizzle's own databases, and around Keelson's. */
export const keelsonOnDrizzle: Readonly<Partial<Record<EngineKind, readonly Driver[]>>> = {
  SQLite: [
    wrapped('libsql', sqliteHandle, ownDatabases.libsql),
    wrapped('@keelson/sqlite', sqliteHandle, ({ location }) => {
      const db = drizzleOnSqlite(location)
      return { db, close: () => db.$client.close() }
    }),
    wrapped('@keelson/sqlite on threads', sqliteHandle, ({ location }) => {
      const db = drizzleOnSqlite({ connection: { path: location, mode: 'threads' } })
      return { db, close: () => db.$client.close() }
    }),
    {
      name: 'better-sqlite3',
      lacks: pgLacks,
      openSync(place) {
        const { db: plain, close } = ownDatabases.betterSqlite3(place)
        const db = withTransactions(plain)
        return {
          ...syncHandle(db),
          transaction: (fn, options) =>
            transaction(db, (tx) => fn(syncHandle(tx)) as never, options),
          close,
        }
      },
    },
  ],
  PostgreSQL: [wrapped('pg', pgHandle, ownDatabases.pg)],
  PGlite: [wrapped('PGlite', pgHandle, ownDatabases.pglite)],
  DuckDB: [
    wrapped('@keelson/duckdb', pgHandle, async ({ location }) => {
      const { drizzle: drizzleOnDuckDB } = await import('@keelson/duckdb/drizzle')
      const db = drizzleOnDuckDB(location)
      return { db: db as unknown as PgDb, close: () => db.$client.close() }
    }),
  ],
}

interface Opened<Db> {
  readonly db: Db
  readonly close: () => Promise<unknown>
}

function wrapped<Db extends SqliteDb | PgDb>(
  name: string,
  handleOf: (db: Db) => Handle,
  openDb: (place: Place, settings: StoreSettings) => Opened<Db> | Promise<Opened<Db>>,
): Driver {
  return {
    name,
    lacks: pgLacks,
    async open(place, settings) {
      const { db: plain, close } = await openDb(place, settings)
      const db = withTransactions(plain as PgDb)
      const run = <R>(
        fn: (handle: TransactionHandle) => Promise<R>,
        options?: TransactionOptions,
      ): Promise<R> =>
        transaction(db, (tx) => fn({ ...handleOf(tx as unknown as Db), nested: run }), options)
      return {
        ...handleOf(db as Db),
        transaction: run,
        nesting: run,
        close,
      }
    },
  }
}
