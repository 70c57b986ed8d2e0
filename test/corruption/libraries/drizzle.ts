import type { PGlite } from '@electric-sql/pglite'
import { createClient } from '@libsql/client'
import BetterSqlite3 from 'better-sqlite3'
import { sql } from 'drizzle-orm'
import { drizzle as drizzleOnBetterSqlite3 } from 'drizzle-orm/better-sqlite3'
import { drizzle as drizzleOnLibsql } from 'drizzle-orm/libsql'
import { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres'
import { pgTable, text as pgText } from 'drizzle-orm/pg-core'
import { drizzle as drizzleOnPGlite } from 'drizzle-orm/pglite'
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core'
import type { EngineKind, Place } from '../engines/place.ts'
import type {
  AsyncDriver,
  Driver,
  Handle,
  Row,
  Store,
  StoreSettings,
  SyncHandle,
  SyncStore,
  TransactionHandle,
} from '../store.ts'
import { openPool } from './pool.ts'

const sqliteT = sqliteTable('t', { v: text().notNull() })
const pgT = pgTable('t', { v: pgText().notNull() })

/** Any Drizzle database for SQLite that has promises. */
export type SqliteDb = BaseSQLiteDatabase<'async', unknown>
export type SyncDb = ReturnType<typeof drizzleOnBetterSqlite3>
/** Any Drizzle database for PostgreSQL, under the type of one of them: the calls are the same. */
export type PgDb = Omit<ReturnType<typeof drizzleOnPGlite>, '$client'>

/** Drizzle's own driver for each engine. */
export const ownDatabases = {
  libsql({ location }: Place) {
    const client = createClient({ url: `file:${location}` })
    return { db: drizzleOnLibsql(client), close: async () => client.close() }
  },
  betterSqlite3({ location }: Place) {
    const client = new BetterSqlite3(location)
    return { db: drizzleOnBetterSqlite3(client), close: () => void client.close() }
  },
  pg({ location }: Place, settings: StoreSettings) {
    const pool = openPool(location, settings)
    return { db: drizzleOnPg(pool) as unknown as PgDb, close: () => pool.end() }
  },
  pglite({ pglite }: Place) {
    return { db: drizzleOnPGlite(pglite as PGlite), close: async () => {} }
  },
  async duckdb({ location }: Place) {
    // Takes most of a second to load.
    const { drizzle: drizzleOnDuckDB } = await import('@leonardovida-md/drizzle-neo-duckdb')
    const db = await drizzleOnDuckDB(location)
    return { db: db as unknown as PgDb, close: () => db.close() }
  },
}

const controlled = 'transactions are callbacks only'

export const sqliteLacks = { controlled, accessMode: 'SQLite transactions take no access mode' }
export const pgLacks = { controlled }

/** Drizzle as it comes, and for DuckDB, which Drizzle does not support by itself, with the driver of a third party. */
export const drizzle: Readonly<Partial<Record<EngineKind, readonly Driver[]>>> = {
  SQLite: [
    {
      name: 'libsql',
      lacks: sqliteLacks,
      async open(place) {
        const { db, close } = ownDatabases.libsql(place)
        const run = <R>(fn: (handle: TransactionHandle) => Promise<R>): Promise<R> =>
          sqliteTransaction(db, fn)
        return { ...sqliteHandle(db), transaction: run, nesting: run, close }
      },
    },
    {
      name: 'better-sqlite3',
      lacks: sqliteLacks,
      openSync(place) {
        const { db, close } = ownDatabases.betterSqlite3(place)
        return syncStore(db, close)
      },
    },
  ],
  PostgreSQL: [pgDriver('pg', ownDatabases.pg)],
  PGlite: [pgDriver('PGlite', ownDatabases.pglite)],
  DuckDB: [{ ...pgDriver('drizzle-neo-duckdb', ownDatabases.duckdb), isForeign: true }],
}

export function sqliteHandle(db: SqliteDb): Handle {
  return {
    insert: async (v) => await db.insert(sqliteT).values({ v }),
    execute: (text) =>
      readsRows(text) ? db.all<Row>(sql.raw(text)) : db.run(sql.raw(text)).then(() => []),
  }
}

function sqliteTransaction<R>(
  db: SqliteDb,
  fn: (handle: TransactionHandle) => Promise<R>,
): Promise<R> {
  return db.transaction((tx) =>
    fn({ ...sqliteHandle(tx), nested: (inner) => sqliteTransaction(tx, inner) }),
  )
}

export function pgHandle(db: PgDb): Handle {
  return {
    insert: async (v) => await db.insert(pgT).values({ v }),
    async execute(text) {
      const result = (await db.execute(sql.raw(text))) as unknown as Row[] | { rows?: Row[] }
      return Array.isArray(result) ? result : (result.rows ?? [])
    },
  }
}

function pgDriver(
  name: string,
  openDb: (place: Place, settings: StoreSettings) => Opened | Promise<Opened>,
): AsyncDriver {
  return {
    name,
    lacks: pgLacks,
    async open(place, settings): Promise<Store> {
      const { db, close } = await openDb(place, settings)
      return {
        ...pgHandle(db),
        transaction: (fn, options) => pgTransaction(db, fn, options),
        nesting: (fn) => pgTransaction(db, fn),
        close,
      }
    },
  }
}

interface Opened {
  readonly db: PgDb
  readonly close: () => Promise<void>
}

function pgTransaction<R>(
  db: PgDb,
  fn: (handle: TransactionHandle) => Promise<R>,
  options: object = {},
): Promise<R> {
  // A nested transaction's type takes no options, and its code takes no notice of them.
  return db.transaction(
    (tx) =>
      fn({
        ...pgHandle(tx),
        nested: (inner, innerOptions) => pgTransaction(tx, inner, innerOptions),
      }),
    Object.keys(options).length === 0 ? undefined : options,
  )
}

export function syncStore(db: SyncDb, close: () => void): SyncStore {
  return { ...syncHandle(db), transaction: (fn) => syncTransaction(db, fn), close }
}

export function syncHandle(db: Omit<SyncDb, '$client' | 'batch'>): SyncHandle {
  return {
    insert: (v) => void db.insert(sqliteT).values({ v }).run(),
    execute: (text) => void db.run(sql.raw(text)),
    nested: (fn) => syncTransaction(db, fn),
  }
}

function syncTransaction<R>(
  db: Omit<SyncDb, '$client' | 'batch'>,
  fn: (handle: SyncHandle) => R,
): R {
  return db.transaction((tx) => fn(syncHandle(tx)))
}

function readsRows(text: string): boolean {
  return /^\s*(select|pragma|with)\b/i.test(text)
}
