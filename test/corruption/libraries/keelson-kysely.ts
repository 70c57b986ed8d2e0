import { SqliteDialect } from '@keelson/sqlite/kysely'
import { transaction, withTransactions } from '@keelson/transactions/kysely'
import { type Dialect, Kysely } from 'kysely'
import type { EngineKind, Place } from '../engines/place.ts'
import type {
  AsyncDriver,
  Store,
  StoreSettings,
  TransactionHandle,
  TransactionOptions,
} from '../store.ts'
import { handleOf, ownDialects, type Tables } from './kysely.ts'

/** `withTransactions()` around Kysely's own dialects, and around Keelson's. */
export const keelsonOnKysely: Readonly<Partial<Record<EngineKind, readonly AsyncDriver[]>>> = {
  SQLite: [
    wrapped('better-sqlite3', ownDialects.SQLite),
    wrapped('@keelson/sqlite', ({ location }) => new SqliteDialect({ path: location })),
    wrapped(
      '@keelson/sqlite on threads',
      ({ location }) => new SqliteDialect({ path: location, mode: 'threads' }),
    ),
  ],
  PostgreSQL: [wrapped('pg', ownDialects.PostgreSQL)],
  PGlite: [wrapped('PGlite', ownDialects.PGlite)],
  DuckDB: [
    wrapped('@keelson/duckdb', async ({ location }) => {
      const { DuckDBDialect } = await import('@keelson/duckdb/kysely')
      return new DuckDBDialect({ path: location })
    }),
  ],
}

function wrapped(
  name: string,
  dialect: (place: Place, settings: StoreSettings) => Dialect | Promise<Dialect>,
): AsyncDriver {
  return {
    name,
    async open(place, settings) {
      const wrapping = withTransactions(await dialect(place, settings))
      return storeOf(new Kysely<Tables>({ dialect: wrapping }))
    },
  }
}

function storeOf(db: Kysely<Tables>): Store {
  const run = <R>(
    fn: (handle: TransactionHandle) => Promise<R>,
    options?: TransactionOptions,
  ): Promise<R> => transaction(db, (tx) => fn({ ...handleOf(tx), nested: run }), options)
  return {
    ...handleOf(db),
    transaction: run,
    nesting: run,
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
