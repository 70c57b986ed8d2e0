import { invalidOption, KeelsonError, statementObserver, transactionObserver } from '@keelson/core'
import { addSessionLayer, sessionLayer } from '@keelson/core/drizzle'
import { databaseFrom } from '../record/database-from.ts'
import { type RunStatement, runWithSetting } from '../record/database-instance.ts'
import type { WatchedDatabaseOptions } from '../record/watched-database.ts'
import { Timing } from '../timing.ts'
import {
  checkedSession,
  type DrizzleSession,
  sendLocally,
  sendRaw,
  sharesConnection,
  systemOf,
} from './internals.ts'
import { layerName, TimingLayer } from './timing-layer.ts'

/** A Drizzle database of any driver. */
export interface AnyDatabase {
  transaction(fn: (tx: any) => any, config?: any): any
}

/**
 * Measures everything that a Drizzle database sends, and returns the same `db`: query builders, relational and prepared
 * queries, `$count()`, raw SQL, batches, transactions and what is nested in them. With `withTransactions()` it works in
 * either order. A synchronous database stays synchronous.
 *
 * `waitMs` is known where the driver or `withTransactions()` tells it, and `decodeMs` where Drizzle shows it.
 *
 * @param db what `drizzle()` returned; a second call with the same timing changes nothing
 * @param options how the database is called, and its pool, which for `node-postgres` and `mysql2` is found by itself
 * @throws {KeelsonError} `TIMED_ALREADY` when the database belongs to another timing
 * @throws {OptionError} for an option that is unknown or impossible, and for what is no Drizzle database
 * @throws {UnsupportedDrizzleError} when the installed drizzle-orm is not one this works with
 * @example
 * const timing = createTiming()
 * const db = withTiming(drizzle('app.db', { schema }), timing)
 * await db.query.account.findMany() // sends what it sends without
 * console.log(timing.report())
 */
export function withTiming<Db extends AnyDatabase>(
  db: Db,
  timing: Timing,
  options: WatchedDatabaseOptions = {},
): Db {
  const recorder = Timing.recorderOf(timing, 'withTiming()')
  const make = databaseFrom(recorder, 'withTiming()', 'drizzle', options)
  const session = checkedSession(db)
  if (session === undefined) {
    invalidOption(
      'withTiming()',
      'db',
      db,
      'what drizzle() has returned; for Kysely import it from @keelson/timing/kysely',
    )
  }
  const known = sessionLayer(session, layerName)
  if (known instanceof TimingLayer && known.recorder === recorder) return db
  if (known !== undefined) {
    throw new KeelsonError(
      'TIMED_ALREADY',
      'withTiming() got a database that another timing measures. Its queries would be counted in one of the two only: use that timing, or make a database without it.',
    )
  }
  const isShared = sharesConnection(session)
  const layer = new TimingLayer(recorder, make(systemOf(session), isShared, session.client))
  addSessionLayer(session, layer)
  Object.defineProperty(session.dialect, transactionObserver, { value: layer })
  Object.defineProperty(session.dialect, statementObserver, { value: layer })
  const { instance } = layer
  const send: RunStatement = (text, params) => sendRaw(session, text, params)
  instance.run = (text, params, setting) => {
    if (setting === undefined) return send(text, params)
    return isShared
      ? runWithSetting(send, text, params, setting)
      : sendLocally(session, text, setting)
  }
  if (isShared)
    instance.isInTransaction = () =>
      layer.hasBegun || isOpen(session) || instance.database.transactions.open.size > 0
  return db
}

/** Of better-sqlite3, which knows also of what was begun past Drizzle. */
function isOpen({ client }: DrizzleSession): boolean {
  return (client as { readonly inTransaction?: unknown } | undefined)?.inTransaction === true
}
