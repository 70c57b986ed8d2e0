/**
 * All that this package uses of Drizzle and its drivers without finding it in Drizzle's published types, and the checks
 * that it is there. What is patched is in `@keelson/core/drizzle`.
 */
import type { transactionObserver, TransactionObserver } from '@keelson/core'
import {
  callOriginal,
  checkFound,
  checkVersion,
  type PatchableSession,
} from '@keelson/core/drizzle'
import { type SQL, sql } from 'drizzle-orm'

const feature = '@keelson/transactions/drizzle'

/** What the query builders of a database send their queries through. */
export interface DrizzleSession extends PatchableSession {
  readonly dialect: Dialect
  readonly schema?: unknown
  readonly logger?: { logQuery(query: string, params: unknown[]): void }
  readonly cache?: DrizzleCache
  /** Of the drivers for MySQL. */
  readonly mode?: unknown
  /** What the driver was given: a pool, a client, a callback. Our own drivers keep it to themselves. */
  readonly client?: unknown
}

export interface DrizzleCache {
  strategy(): 'explicit' | 'all'
  onMutate(params: { tables: unknown }): Promise<void>
}

interface Dialect {
  readonly [transactionObserver]?: TransactionObserver
  sqlToQuery(sql: SQL): { readonly sql: string; readonly params: unknown[] }
}

/** A query that was prepared on one session. */
export interface DrizzlePrepared {
  joinsNotNullableMap?: Record<string, boolean>
  authToken?: unknown
  execute(placeholderValues?: unknown): any
}

/** Methods of a prepared query that send it. */
export const sending: ReadonlySet<string | symbol> = new Set([
  'execute',
  'all',
  'get',
  'run',
  'values',
])

/** Those that send it with the first row that is asked for. */
export const streaming: ReadonlySet<string | symbol> = new Set(['iterator', 'stream'])

/** A database, or the handle of a transaction. */
export interface DrizzleDatabase {
  readonly session: DrizzleSession
  transaction(...args: any[]): any
}

/** What makes the handles of a driver's transactions. */
export type HandleClass = new (...args: any[]) => DrizzleDatabase

/** How the handles of an engine are constructed. */
export type HandleKind = 'pg' | 'mysql' | 'sqlite' | 'sqlite-sync'

/** @throws {UnsupportedDrizzleError} when the installed version is not one that this is built on */
export function checkInternals(session: DrizzleSession): void {
  checkVersion(feature)
  const methods = session as unknown as Record<string, unknown>
  checkFound(feature, {
    'session.dialect': typeof session.dialect === 'object',
    'dialect.sqlToQuery()': typeof session.dialect.sqlToQuery === 'function',
    'session.prepareQuery()': typeof methods['prepareQuery'] === 'function',
    'session.transaction()': typeof methods['transaction'] === 'function',
  })
}

/** The same session with other properties: Drizzle's drivers keep what they have in plain ones. */
export function cloneSession(
  session: DrizzleSession,
  changes: Readonly<Record<string | symbol, unknown>> = {},
): DrizzleSession {
  const clone = Object.create(Object.getPrototypeOf(session) as object) as DrizzleSession
  return Object.assign(clone, session, changes)
}

/** Makes a handle as the driver would, over a session of its own. */
export function newHandle(
  handleClass: HandleClass,
  kind: HandleKind,
  session: DrizzleSession,
  depth: number,
): DrizzleDatabase {
  const { dialect, schema, mode } = session
  switch (kind) {
    case 'pg':
      return new handleClass(dialect, session, schema, depth)
    case 'mysql':
      return new handleClass(dialect, session, schema, depth, mode)
    case 'sqlite':
      return new handleClass('async', dialect, session, schema, depth)
    case 'sqlite-sync':
      return new handleClass('sync', dialect, session, schema, depth)
  }
}

/**
 * Finds the class of a driver's handles. Importing it would load the driver, or another copy of it; so the driver's own
 * `transaction()` is had make one, over a client that sends nothing.
 *
 * @param stub replaces the client
 */
export function captureHandleClass(
  session: DrizzleSession,
  stub: Readonly<Record<string, unknown>>,
): Promise<HandleClass> | HandleClass {
  let found: HandleClass | undefined
  const clone = cloneSession(session, {
    ...stub,
    // Another object, so that it is nobody's database and no layer sees what follows.
    dialect: Object.create(session.dialect),
    logger: { logQuery() {} },
  })
  const outcome = callOriginal(clone, 'transaction', [
    (handle: DrizzleDatabase) => {
      found = handle.constructor as HandleClass
    },
  ]) as PromiseLike<void> | undefined
  const check = (): HandleClass => {
    checkFound(feature, { 'the handle of session.transaction()': found !== undefined })
    return found!
  }
  return typeof outcome?.then === 'function' ? Promise.resolve(outcome.then(check)) : check()
}

/** Prepares raw SQL on a session, below all layers: for what the driver itself would send. */
export function prepareCommand(session: DrizzleSession, text: string): DrizzlePrepared {
  const query = session.dialect.sqlToQuery(sql.raw(text))
  const isSqlite = 'prepareOneTimeQuery' in session
  const args = isSqlite ? [query, undefined, 'run', false] : [query, undefined, undefined, false]
  return callOriginal(session, 'prepareQuery', args) as DrizzlePrepared
}

/** Prepares a query again, for another session than that which it was prepared on. */
export function prepareAgain(
  session: DrizzleSession,
  args: readonly unknown[],
  { joinsNotNullableMap, authToken }: DrizzlePrepared,
): DrizzlePrepared {
  const again = callOriginal(session, 'prepareQuery', args) as DrizzlePrepared
  if (joinsNotNullableMap !== undefined) again.joinsNotNullableMap = joinsNotNullableMap
  if (authToken !== undefined) again.authToken = authToken
  return again
}
