/**
 * All that this package uses of Drizzle and its drivers without finding it in Drizzle's published types, and the checks
 * that it is there. What is patched is in `@keelson/core/drizzle`.
 */
import type {
  ambientTransactions,
  AmbientTransactions,
  bulkRows,
  transactionObserver,
} from '@keelson/core'
import {
  callOriginal,
  checkFound,
  checkVersion,
  drizzleSession,
  kindOf,
  type PatchableSession,
  rowsOf,
} from '@keelson/core/drizzle'
import { entityKind } from 'drizzle-orm'
import type { StatementSetting } from '../record/database-instance.ts'

const feature = '@keelson/timing/drizzle'

/** What the query builders of a database send their queries through. */
export interface DrizzleSession extends PatchableSession {
  readonly dialect: DrizzleDialect
  /** What the driver was given: a pool, a client, a callback. Our own drivers keep it to themselves. */
  readonly client?: unknown
}

interface DrizzleDialect {
  readonly [ambientTransactions]?: AmbientTransactions
  [transactionObserver]?: unknown
}

/** A query that was prepared on one session. */
export interface DrizzlePrepared {
  /** Of SQLite's drivers: whether it runs when it is called, or is awaited. */
  readonly mode?: 'sync' | 'async'
  readonly [method: string]: unknown
}

/** The first argument of `prepareQuery()`. */
export interface PreparedSql {
  readonly sql: string
  readonly params: readonly unknown[]
  readonly [bulkRows]?: number | undefined
}

/** @throws {UnsupportedDrizzleError} when the installed version is not one that this is built on */
export function checkedSession(db: unknown): DrizzleSession | undefined {
  const session = drizzleSession<DrizzleSession>(db)
  if (session === undefined) return undefined
  checkVersion(feature)
  const methods = session as unknown as Record<string, unknown>
  checkFound(feature, { 'session.prepareQuery()': typeof methods['prepareQuery'] === 'function' })
  return session
}

const systems: Readonly<Record<string, string>> = {
  Pg: 'postgresql',
  MySql: 'mysql',
  SQLite: 'sqlite',
  SingleStore: 'singlestore',
}

/** OpenTelemetry's word for the engine, told by the names that Drizzle gives to its classes. */
export function systemOf(session: DrizzleSession): string {
  if (/duckdb/i.test(kindOf(session))) return 'duckdb'
  for (
    let each: unknown = session.dialect.constructor;
    typeof each === 'function';
    each = Object.getPrototypeOf(each)
  ) {
    const kind = (each as unknown as Record<symbol, unknown>)[entityKind]
    const name =
      typeof kind === 'string' ? /^(Pg|MySql|SQLite|SingleStore)/.exec(kind)?.[1] : undefined
    if (name !== undefined) return systems[name]!
  }
  return 'other_sql'
}

/**
 * Drivers of which everything goes through one connection, so that a statement is in whatever transaction is open there:
 * those of SQLite, as long as nothing else is known of them, and PGlite.
 */
export function sharesConnection(session: DrizzleSession): boolean {
  const kind = kindOf(session)
  if (systemOf(session) === 'sqlite' || kind === 'PgliteSession') return true
  const { client } = session
  if (kind !== 'NodePgSession' && kind !== 'MySql2Session') return false
  const isPool =
    typeof client === 'object' &&
    client !== null &&
    ('totalCount' in client || 'getConnection' in client)
  return !isPool
}

/** Sends text below all layers, for what is nobody's query. */
export async function sendRaw(
  session: DrizzleSession,
  text: string,
  params: readonly unknown[],
): Promise<readonly Record<string, unknown>[]> {
  return rowsOf(await send(session, text, params))
}

/** Drivers with a pool that take several statements in one text, which are then one transaction. */
const takingSeveral: ReadonlySet<string> = new Set(['NodePgSession', 'PostgresJsSession'])

/**
 * The same with a setting of PostgreSQL for that statement alone: through a pool, each text may go to another connection. A
 * driver that takes one statement at a time is asked without it.
 */
export async function sendLocally(
  session: DrizzleSession,
  text: string,
  { name, value }: StatementSetting,
): Promise<readonly Record<string, unknown>[]> {
  if (!takingSeveral.has(kindOf(session))) return sendRaw(session, text, [])
  const results = await send(session, `set local ${name} = ${value}; ${text}`, [])
  return rowsOf((results as readonly unknown[]).at(-1))
}

async function send(
  session: DrizzleSession,
  text: string,
  params: readonly unknown[],
): Promise<unknown> {
  const query: PreparedSql = { sql: text, params }
  const isSqlite = 'prepareOneTimeQuery' in session
  const args = isSqlite ? [query, undefined, 'all', false] : [query, undefined, undefined, false]
  const prepared = callOriginal(session, 'prepareQuery', args) as Record<
    'all' | 'execute',
    () => unknown
  >
  return isSqlite ? prepared.all() : prepared.execute()
}
