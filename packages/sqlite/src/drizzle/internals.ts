/**
 * All that this driver uses of Drizzle's SQLite without finding it in Drizzle's published types, and the check that the
 * installed version is one whose internals are known. What holds for every engine is in `@keelson/core/drizzle`.
 */
import {
  checkFound,
  checkVersion,
  decoderOf,
  orAbsent,
  preparedFrom,
  sessionOf,
  type JoinNullability,
} from '@keelson/core/drizzle'
import { sql } from 'drizzle-orm'
import * as sqliteCore from 'drizzle-orm/sqlite-core'

const driver = '@keelson/sqlite/drizzle'

export const BaseSQLiteDatabase: typeof sqliteCore.BaseSQLiteDatabase = orAbsent(
  sqliteCore.BaseSQLiteDatabase,
)
export const SQLiteAsyncDialect: typeof sqliteCore.SQLiteAsyncDialect = orAbsent(
  sqliteCore.SQLiteAsyncDialect,
)
export const SQLitePreparedQuery: typeof sqliteCore.SQLitePreparedQuery = orAbsent(
  sqliteCore.SQLitePreparedQuery,
)
export const SQLiteSession: typeof sqliteCore.SQLiteSession = orAbsent(sqliteCore.SQLiteSession)
export const SQLiteTransaction: typeof sqliteCore.SQLiteTransaction = orAbsent(
  sqliteCore.SQLiteTransaction,
)

/** The action and query of `db.run(sql)`, `db.all(sql)`, `db.get(sql)` and `db.values(sql)`. */
export function rawQueryOf(prepared: object): RawQuery | undefined {
  const query = (prepared as { getQuery?: () => Partial<RawQuery> }).getQuery?.()
  return query?.method === undefined ? undefined : (query as RawQuery)
}

interface RawQuery {
  readonly sql: string
  readonly params: unknown[]
  readonly method: 'run' | 'all' | 'get' | 'values'
}

/** @throws {UnsupportedDrizzleError} when the version is outside the range, named with the range */
export function checkInstalled(): void {
  checkVersion(driver)
}

/**
 * Builds one query, which is not sent, and looks whether everything of which Drizzle's types say nothing is there.
 *
 * @throws {UnsupportedDrizzleError} naming what is missing
 */
export function checkInternals(
  database: sqliteCore.BaseSQLiteDatabase<'async', unknown, any, any>,
): void {
  const probe = sql<number>`1`.mapWith(Number)
  const select = database.select({ probe }).from(sql`probe`)
  const prepared = preparedFrom(select) as
    | (JoinNullability & { recipe?: { fields?: unknown } })
    | undefined
  const raw = preparedFrom(database.all(probe))
  checkFound(driver, {
    'database.session': sessionOf(database) !== undefined,
    'session.dialect':
      typeof (sessionOf(database) as { dialect?: unknown } | undefined)?.dialect === 'object',
    'select._prepare()': prepared !== undefined,
    'session.prepareQuery(query, fields)': Array.isArray(prepared?.recipe?.fields),
    'prepared.joinsNotNullableMap': typeof prepared?.joinsNotNullableMap === 'object',
    'raw.getQuery()': raw !== undefined && rawQueryOf(raw)?.method === 'all',
    'sql.decoder': typeof decoderOf(probe)?.mapFromDriverValue === 'function',
  })
}
