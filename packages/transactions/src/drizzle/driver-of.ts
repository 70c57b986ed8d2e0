import { kindOf } from '@keelson/core/drizzle'
import { TransactionOptionsError } from '../errors.ts'
import type { TransactionDriver } from './driver.ts'
import { EngineSessionDriver } from './engine-session-driver.ts'
import type { DrizzleSession } from './internals.ts'
import { LibsqlDriver } from './libsql-driver.ts'
import { Mysql2Driver } from './mysql2-driver.ts'
import { NodePostgresDriver } from './node-postgres-driver.ts'
import { PGliteDriver } from './pglite-driver.ts'
import { PostgresJsDriver } from './postgres-js-driver.ts'
import { SqliteProxyDriver } from './sqlite-proxy-driver.ts'

/** By the name that Drizzle gives to a driver's sessions. */
const drivers: Readonly<Record<string, (session: DrizzleSession) => TransactionDriver>> = {
  NodePgSession: (session) => new NodePostgresDriver(session),
  PgliteSession: (session) => new PGliteDriver(session),
  PostgresJsSession: (session) => new PostgresJsDriver(session),
  MySql2Session: (session) => new Mysql2Driver(session),
  LibSQLSession: (session) => new LibsqlDriver(session),
  SQLiteRemoteSession: (session) => new SqliteProxyDriver(session),
  KeelsonSqliteSession: (session) => new EngineSessionDriver(session, 'sqlite'),
  KeelsonDuckDBSession: (session) => new EngineSessionDriver(session, 'duckdb'),
}

/** Whether its statements run at once. */
export function isSynchronous(session: DrizzleSession): boolean {
  return kindOf(session) === 'BetterSQLiteSession'
}

/**
 * How transactions work on the driver of a database.
 *
 * @throws {TransactionOptionsError} for a driver that is not known
 */
export function driverOf(session: DrizzleSession): TransactionDriver {
  const kind = kindOf(session)
  const make = Object.hasOwn(drivers, kind) ? drivers[kind] : undefined
  if (make !== undefined) return make(session)
  throw new TransactionOptionsError(
    'db',
    `withTransactions() does not know how transactions work on this driver of Drizzle (${kind}). It knows node-postgres, ` +
      'postgres-js, pglite, mysql2, libsql, sqlite-proxy, better-sqlite3, @keelson/sqlite and @keelson/duckdb.',
  )
}
