/**
 * All that this package uses of Drizzle without finding it in Drizzle's published types, and the checks that it is there.
 */
import type { statementObserver, StatementObserver } from '@keelson/core'
import { checkFound, checkVersion } from '@keelson/core/drizzle'
import { type Column, sql, type SQL } from 'drizzle-orm'

const feature = '@keelson/bulk-insert/drizzle'

export interface RawQuery {
  readonly sql: string
  readonly params: readonly unknown[]
}

/** What turns Drizzle's objects into SQL. */
export interface DrizzleDialect {
  readonly [statementObserver]?: StatementObserver
  readonly casing: { getColumnCasing(column: Column): string }
  sqlToQuery(sql: SQL): RawQuery
  buildUpdateSet(table: unknown, set: Readonly<Record<string, unknown>>): SQL
}

export interface Prepared {
  execute(): unknown
  all?(): unknown
  run?(): unknown
}

export interface DrizzleSession {
  readonly dialect: DrizzleDialect
  /** What the driver was given; our own drivers keep it to themselves. */
  readonly client?: unknown
  /** Of libsql's transactions, which run on another connection than the client's. */
  readonly tx?: unknown
  prepareQuery(query: RawQuery, ...more: readonly unknown[]): Prepared
}

/** A database, or the handle of a transaction. */
export interface DrizzleDatabase {
  readonly session: DrizzleSession
  transaction(fn: (tx: DrizzleDatabase) => unknown, config?: object): unknown
  /** Of SQLite. */
  run?(query: SQL): unknown
  /** Of the others. */
  execute?(query: SQL): unknown
  /** Of handles: undoes the transaction. */
  rollback?(): never
}

/** @throws {UnsupportedDrizzleError} when the installed version is not one that this is built on */
export function checkInternals(session: DrizzleSession): void {
  checkVersion(feature)
  checkFound(feature, {
    'session.prepareQuery()': typeof session.prepareQuery === 'function',
    'dialect.sqlToQuery()': typeof session.dialect.sqlToQuery === 'function',
    'dialect.buildUpdateSet()': typeof session.dialect.buildUpdateSet === 'function',
    'dialect.casing': typeof session.dialect.casing?.getColumnCasing === 'function',
  })
}

/** Runs SQL that returns nothing, as it stands. */
export function runRaw(db: DrizzleDatabase, text: string): unknown {
  const query = sql.raw(text)
  return db.run === undefined ? db.execute!(query) : db.run(query)
}
