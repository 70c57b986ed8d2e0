import { type AmbientTransactions, ambientTransactions } from '@keelson/core'
import { addSessionLayer, drizzleSession, sessionLayer } from '@keelson/core/drizzle'
import type { TransactionDefaults } from '../database.ts'
import { TransactionOptionsError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { refuseWaiting } from '../sync/run-sync-transaction.ts'
import type { AnyDatabase } from './database-type.ts'
import { driverOf, isSynchronous } from './driver-of.ts'
import { DrizzleTransactions, layerName } from './drizzle-transactions.ts'
import { ambientOf } from '../scope/ambient.ts'
import { checkInternals, type DrizzleDatabase, type DrizzleSession } from './internals.ts'
import { SyncDrizzleTransactions } from './sync-drizzle-transactions.ts'
import { SyncTransactionLayer } from './sync-transaction-layer.ts'
import { transaction } from './transaction.ts'
import { TransactionLayer } from './transaction-layer.ts'

/**
 * Gives a Drizzle database transactions that nest and that plain `db` joins. It returns the same `db`; a second call
 * changes nothing.
 *
 * With it `transaction(db, fn)` works, and Drizzle's own calls change in this: inside a transaction plain `db`, its
 * relational queries, prepared queries, `$count()` and `batch()` run in it, in place of waiting for it or running beside
 * it; `db.transaction()` and `tx.transaction()` inside a transaction are savepoints; what comes too late is refused. Where
 * a driver has one connection, what is outside a transaction waits for its end.
 *
 * It knows node-postgres, postgres-js, pglite, mysql2, libsql, sqlite-proxy, better-sqlite3, `@keelson/sqlite` and
 * `@keelson/duckdb`.
 *
 * @param db what `drizzle()` returned
 * @param options `defaults`: options for every transaction that does not say otherwise
 * @throws {TransactionOptionsError} when a default is unknown or impossible, or the driver is not known
 * @throws {UnsupportedDrizzleError} when the installed drizzle-orm is not one this works with
 *
 * @example
 * const db = withTransactions(drizzle(pool))
 *
 * await transaction(db, async () => {
 *   await db.insert(accounts).values(row)
 *   await transaction(db, async () => { ... }).catch(report)
 * })
 * // begin
 * // insert into "accounts" ...
 * // savepoint "keelson_1"
 * // release savepoint "keelson_1"         or: rollback to savepoint "keelson_1", release savepoint "keelson_1"
 * // commit
 */
export function withTransactions<Db extends AnyDatabase>(
  db: Db,
  options: TransactionDefaults = {},
): Db {
  const { defaults = {} } = options
  checkOptions(defaults, 'withTransactions()')
  const session = drizzleSession<DrizzleSession>(db)
  if (session === undefined) {
    throw new TransactionOptionsError(
      'db',
      'withTransactions() takes what drizzle() has returned. For Kysely import it from @keelson/transactions/kysely.',
    )
  }
  if (sessionLayer(session, layerName) !== undefined) return db
  checkInternals(session)
  const frozen = Object.freeze({ ...defaults })
  const database = db as unknown as DrizzleDatabase
  if (isSynchronous(session)) {
    refuseWaiting(defaults, 'withTransactions()')
    const transactions = new SyncDrizzleTransactions(database, session, frozen)
    addSessionLayer(session, new SyncTransactionLayer(transactions))
    tellOf(session, ambientOf(transactions.database, transaction))
  } else {
    const transactions = new DrizzleTransactions(database, session, driverOf(session), frozen)
    addSessionLayer(session, new TransactionLayer(transactions))
    tellOf(session, ambientOf(transactions.database, transaction))
  }
  return db
}

function tellOf({ dialect }: DrizzleSession, ambient: AmbientTransactions): void {
  Object.defineProperty(dialect, ambientTransactions, { value: ambient })
}
