import BetterSqlite3 from 'better-sqlite3'
import {
  CompiledQuery,
  type ControlledTransaction,
  type Dialect,
  Kysely,
  PGliteDialect,
  PostgresDialect,
  SqliteDialect,
} from 'kysely'
import type { EngineKind, Place } from '../engines/place.ts'
import type {
  AsyncDriver,
  Handle,
  Row,
  Store,
  StoreSettings,
  TransactionHandle,
  TransactionOptions,
} from '../store.ts'
import { openPool } from './pool.ts'

export interface Tables {
  t: { v: string }
}

/** Kysely's own dialect for each engine. */
export const ownDialects: Readonly<
  Record<'SQLite' | 'PostgreSQL' | 'PGlite', (place: Place, settings: StoreSettings) => Dialect>
> = {
  SQLite: ({ location }) => new SqliteDialect({ database: new BetterSqlite3(location) }),
  PostgreSQL: ({ location }, settings) =>
    new PostgresDialect({ pool: openPool(location, settings) }),
  PGlite: ({ pglite }) => new PGliteDialect({ pglite: pglite! }),
}

const lacks = {
  nestedOptions: 'a savepoint takes no options',
  releasedSavepoints: 'a savepoint is for the program to release',
}

/** Kysely as it comes. Parts of a transaction are savepoints of its controlled transactions, as its documentation shows. */
export const kysely: Readonly<Partial<Record<EngineKind, readonly AsyncDriver[]>>> = {
  SQLite: [plain('better-sqlite3', ownDialects.SQLite)],
  PostgreSQL: [plain('pg', ownDialects.PostgreSQL)],
  PGlite: [plain('PGlite', ownDialects.PGlite)],
}

function plain(
  name: string,
  dialect: (place: Place, settings: StoreSettings) => Dialect,
): AsyncDriver {
  return {
    name,
    lacks,
    open: async (place, settings) =>
      storeOf(new Kysely<Tables>({ dialect: dialect(place, settings) })),
  }
}

function storeOf(db: Kysely<Tables>): Store {
  return {
    ...handleOf(db),
    transaction: (fn, options = {}) =>
      withOptions(db.transaction(), options).execute((trx) => fn(handleOf(trx))),
    async nesting(fn) {
      const trx = await db.startTransaction().execute()
      try {
        const result = await fn(nestingHandle(trx))
        await trx.commit().execute()
        return result
      } catch (error) {
        await trx.rollback().execute()
        throw error
      }
    },
    async begin() {
      const trx = await db.startTransaction().execute()
      return {
        ...handleOf(trx),
        commit: () => trx.commit().execute(),
        rollback: () => trx.rollback().execute(),
      }
    },
    close: () => db.destroy(),
  }
}

export function handleOf(db: Kysely<Tables>): Handle {
  return {
    insert: (v) => db.insertInto('t').values({ v }).execute(),
    execute: async (sql) => (await db.executeQuery<Row>(CompiledQuery.raw(sql))).rows,
  }
}

let savepoints = 0

function nestingHandle(trx: ControlledTransaction<Tables, string[]>): TransactionHandle {
  return {
    ...handleOf(trx),
    async nested(fn) {
      const name = `part_${++savepoints}`
      const part = (await trx.savepoint(name as never).execute()) as typeof trx
      try {
        const result = await fn(nestingHandle(part))
        await part.releaseSavepoint(name).execute()
        return result
      } catch (error) {
        await part.rollbackToSavepoint(name).execute()
        throw error
      }
    },
  }
}

interface OptionsBuilder<Self> {
  setAccessMode(accessMode: 'read only'): Self
  setIsolationLevel(level: 'serializable'): Self
}

function withOptions<Builder extends OptionsBuilder<Builder>>(
  builder: Builder,
  { accessMode, isolationLevel }: TransactionOptions,
): Builder {
  let built = builder
  if (accessMode !== undefined) built = built.setAccessMode(accessMode)
  if (isolationLevel !== undefined) built = built.setIsolationLevel(isolationLevel)
  return built
}
