/**
 * All that this driver uses of drizzle-orm without finding it in Drizzle's published types, and the check that the
 * installed version is one whose internals are known. Nothing else in this folder reaches behind Drizzle's types.
 *
 * Classes that 1.0 no longer has are taken from the module objects: a named import of a missing export would fail
 * while modules are linked, where nobody could say which version is installed and which one is needed.
 */
import { KeelsonError } from '@keelson/core'
import * as drizzleOrm from 'drizzle-orm'
import * as errors from 'drizzle-orm/errors'
import * as sqliteCore from 'drizzle-orm/sqlite-core'
import { npmVersion } from 'drizzle-orm/version'
import type { DriverValueDecoder, SQL, Subquery } from 'drizzle-orm'

/** The installed drizzle-orm is not one this driver works with. Nothing was opened. */
export class UnsupportedDrizzleError extends KeelsonError {
  declare readonly code: 'UNSUPPORTED_DRIZZLE'
  /** The version that is installed, for example `1.0.0-rc.5`. */
  readonly installed: string
  /** The versions that work, as a semver range. */
  readonly supported: string

  constructor(installed: string, reason: string) {
    super(
      'UNSUPPORTED_DRIZZLE',
      `@keelson/sqlite/drizzle cannot work with drizzle-orm ${installed}: ${reason} Install drizzle-orm ${supported}.`,
    )
    this.installed = installed
    this.supported = supported
  }
}

const supported = '>=0.44.0 <0.46'

class Absent {}

function orAbsent<C>(found: C | undefined): C {
  return found ?? (Absent as unknown as C)
}

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

// 0.44.0 exports it from `drizzle-orm/errors` alone, later versions from `drizzle-orm` too.
export const DrizzleQueryError: typeof drizzleOrm.DrizzleQueryError = orAbsent(
  errors.DrizzleQueryError,
)

export const extractTablesRelationalConfig: typeof drizzleOrm.extractTablesRelationalConfig =
  drizzleOrm.extractTablesRelationalConfig
export const createTableRelationsHelpers: typeof drizzleOrm.createTableRelationsHelpers =
  drizzleOrm.createTableRelationsHelpers

/** Names a class for Drizzle's `is()`, which wants the name on the class itself. */
export function setEntityKind(target: object, kind: string): void {
  Object.defineProperty(target, drizzleOrm.entityKind, { value: kind })
}

/** The session of a database or transaction, if it has one. */
export function sessionOf(database: unknown): unknown {
  return (database as { session?: unknown } | null | undefined)?.session
}

/**
 * What a query builder prepares to: a prepared query, or for `db.run(sql)` and its kin the builder itself.
 *
 * @returns undefined for a value that is no query
 */
export function preparedFrom(query: unknown): object | undefined {
  const builder = query as { _prepare?: () => object } | null | undefined
  return typeof builder?._prepare === 'function' ? builder._prepare() : undefined
}

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

/** Where a select builder leaves, after `prepareQuery()` has returned, which joined tables cannot be missing. */
export interface JoinNullability {
  joinsNotNullableMap?: Record<string, boolean>
}

/** What turns a column's value as SQLite has it into the value of the result, as Drizzle's `mapResultRow` chooses it. */
export function decoderOf(
  field: drizzleOrm.Column | SQL | SQL.Aliased | Subquery,
): DriverValueDecoder<unknown, unknown> {
  if (drizzleOrm.is(field, drizzleOrm.Column)) return field
  if (drizzleOrm.is(field, drizzleOrm.SQL)) return (field as unknown as WithDecoder).decoder
  if (drizzleOrm.is(field, drizzleOrm.Subquery)) return decoderOfSubquery(field)
  return (field.sql as unknown as WithDecoder).decoder
}

function decoderOfSubquery(field: Subquery): DriverValueDecoder<unknown, unknown> {
  // Drizzle wraps a column's decoder in an anonymous one here, which hides that it is a column.
  const [only, ...others] = Object.values(field._.selectedFields)
  if (others.length === 0 && drizzleOrm.is(only, drizzleOrm.Column)) return only
  return (field._.sql as unknown as WithDecoder).decoder
}

interface WithDecoder {
  readonly decoder: DriverValueDecoder<unknown, unknown>
}

/** @throws {UnsupportedDrizzleError} when the version is outside the range, named with the range */
export function checkVersion(installed: string = npmVersion): void {
  const [, major, minor] = /^(\d+)\.(\d+)\.\d+$/.exec(installed) ?? []
  if (major === '0' && (minor === '44' || minor === '45')) return
  throw new UnsupportedDrizzleError(
    installed,
    'its internals differ from those this driver is built on.',
  )
}

/**
 * Builds one query, which is not sent, and looks whether everything of which Drizzle's types say nothing is there.
 *
 * @throws {UnsupportedDrizzleError} naming what is missing
 */
export function checkInternals(
  database: sqliteCore.BaseSQLiteDatabase<'async', unknown, any, any>,
): void {
  const probe = drizzleOrm.sql<number>`1`.mapWith(Number)
  const select = database.select({ probe }).from(drizzleOrm.sql`probe`)
  const prepared = preparedFrom(select) as
    | (JoinNullability & { recipe?: { fields?: unknown } })
    | undefined
  const raw = preparedFrom(database.all(probe))
  const found: Record<string, boolean> = {
    'database.session': sessionOf(database) !== undefined,
    'session.dialect':
      typeof (sessionOf(database) as { dialect?: unknown } | undefined)?.dialect === 'object',
    'select._prepare()': prepared !== undefined,
    'session.prepareQuery(query, fields)': Array.isArray(prepared?.recipe?.fields),
    'prepared.joinsNotNullableMap': typeof prepared?.joinsNotNullableMap === 'object',
    'raw.getQuery()': raw !== undefined && rawQueryOf(raw)?.method === 'all',
    'sql.decoder': typeof decoderOf(probe)?.mapFromDriverValue === 'function',
  }
  for (const [name, isThere] of Object.entries(found)) {
    if (!isThere) throw new UnsupportedDrizzleError(npmVersion, `it lacks ${name}.`)
  }
}
