import createKnex, { type Knex } from 'knex'
import type { EngineKind } from '../engines/place.ts'
import type {
  AsyncDriver,
  Handle,
  Row,
  Store,
  TransactionHandle,
  TransactionOptions,
} from '../store.ts'
import { ACQUIRE_TIMEOUT_MS } from './pool.ts'

const silent = () => {}
const log = { warn: silent, error: silent, deprecate: silent, debug: silent }

/** Knex as it comes. */
export const knex: Readonly<Partial<Record<EngineKind, readonly AsyncDriver[]>>> = {
  SQLite: [
    {
      name: 'better-sqlite3',
      open: async ({ location }) =>
        storeOf(
          createKnex({
            client: 'better-sqlite3',
            connection: { filename: location },
            useNullAsDefault: true,
            acquireConnectionTimeout: ACQUIRE_TIMEOUT_MS,
            log,
          }),
        ),
    },
  ],
  PostgreSQL: [
    {
      name: 'pg',
      // Knex listens to its clients by itself.
      open: async ({ location }, { connections = 4 }) =>
        storeOf(
          createKnex({
            client: 'pg',
            connection: location,
            pool: { min: 0, max: connections },
            acquireConnectionTimeout: ACQUIRE_TIMEOUT_MS,
            log,
          }),
        ),
    },
  ],
}

function storeOf(db: Knex): Store {
  return {
    ...handleOf(db),
    transaction: (fn, options = {}) =>
      db.transaction((trx) => fn(handleOf(trx)), configOf(options)),
    nesting: (fn) => db.transaction((trx) => fn(transactionHandle(trx))),
    async begin() {
      const trx = await db.transaction()
      return { ...handleOf(trx), commit: () => trx.commit(), rollback: () => trx.rollback() }
    },
    close: () => db.destroy(),
  }
}

function handleOf(db: Knex): Handle {
  return {
    insert: async (v) => await db('t').insert({ v }),
    async execute(sql) {
      const result: Row[] | { rows?: Row[] } = await db.raw(sql)
      return Array.isArray(result) ? result : (result.rows ?? [])
    },
  }
}

function transactionHandle(trx: Knex.Transaction): TransactionHandle {
  return {
    ...handleOf(trx),
    nested: (fn, options = {}) =>
      trx.transaction((inner) => fn(transactionHandle(inner)), configOf(options)),
  }
}

function configOf({ accessMode, isolationLevel }: TransactionOptions): Knex.TransactionConfig {
  return {
    ...(accessMode !== undefined && { readOnly: true }),
    ...(isolationLevel !== undefined && { isolationLevel }),
  }
}
