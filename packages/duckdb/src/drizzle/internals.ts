/**
 * All that this driver uses of Drizzle's PostgreSQL without finding it in Drizzle's published types, and the check that
 * the installed version is one whose internals are known. What holds for every engine is in `@keelson/core/drizzle`.
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
import * as drizzleOrm from 'drizzle-orm'
import * as pgCore from 'drizzle-orm/pg-core'

const driver = '@keelson/duckdb/drizzle'

// 1.0 has none of these, and a named import of what is missing would fail while modules are linked.
export const PgArray: typeof pgCore.PgArray = orAbsent(pgCore.PgArray)
export const PgDatabase: typeof pgCore.PgDatabase = orAbsent(pgCore.PgDatabase)
export const PgDialect: typeof pgCore.PgDialect = orAbsent(pgCore.PgDialect)
export const PgPreparedQuery: typeof pgCore.PgPreparedQuery = orAbsent(pgCore.PgPreparedQuery)
export const PgSession: typeof pgCore.PgSession = orAbsent(pgCore.PgSession)
export const PgTransaction: typeof pgCore.PgTransaction = orAbsent(pgCore.PgTransaction)

export const getOperators: typeof drizzleOrm.getOperators = drizzleOrm.getOperators
export const normalizeRelation: typeof drizzleOrm.normalizeRelation = drizzleOrm.normalizeRelation

/** The query of `db.execute(sql)`; undefined for what another builder prepares to. */
export function rawQueryOf(prepared: object): drizzleOrm.Query | undefined {
  const raw = prepared as { getQuery?: () => drizzleOrm.Query; _prepare?: () => unknown }
  // Raw SQL is a builder that prepares to itself.
  return typeof raw.getQuery === 'function' && raw._prepare?.() === prepared
    ? raw.getQuery()
    : undefined
}

/** What `prepareTyping()` of the dialect has said of each parameter of a query. */
export function typingsOf(query: drizzleOrm.Query): readonly unknown[] {
  return (query as { typings?: readonly unknown[] }).typings ?? []
}

/** @throws {UnsupportedDrizzleError} when the version is outside the range, named with the range */
export function checkInstalled(): void {
  checkVersion(driver)
}

/**
 * Builds queries, which are not sent, and looks whether everything of which Drizzle's types say nothing is there.
 *
 * @throws {UnsupportedDrizzleError} naming what is missing
 */
export function checkInternals(database: pgCore.PgDatabase<any, any, any>): void {
  const { noopEncoder, sql } = drizzleOrm
  const probe = sql<number>`1`.mapWith(Number)
  const select = database.select({ probe }).from(sql`probe`)
  const prepared = preparedFrom(select) as
    | (JoinNullability & { recipe?: { fields?: unknown } })
    | undefined
  const raw = preparedFrom(database.execute(sql`${sql.param(1, noopEncoder)}`))
  const rawQuery = raw && rawQueryOf(raw)
  checkFound(driver, {
    'database.session': sessionOf(database) !== undefined,
    'session.dialect':
      typeof (sessionOf(database) as { dialect?: unknown } | undefined)?.dialect === 'object',
    'select._prepare()': prepared !== undefined,
    'session.prepareQuery(query, fields)': Array.isArray(prepared?.recipe?.fields),
    'prepared.joinsNotNullableMap': typeof prepared?.joinsNotNullableMap === 'object',
    'raw.getQuery()': rawQuery !== undefined,
    'query.typings': rawQuery !== undefined && typingsOf(rawQuery).length === 1,
    'sql.decoder': typeof decoderOf(probe)?.mapFromDriverValue === 'function',
  })
}
