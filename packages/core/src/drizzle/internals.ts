/**
 * All that the drivers use of drizzle-orm, whatever the engine, without finding it in Drizzle's published types.
 *
 * What 1.0 no longer has is taken from the module objects: a named import of a missing export would fail while modules
 * are linked, where nobody could say which version is installed and which one is needed.
 */
import * as drizzleOrm from 'drizzle-orm'
import * as errors from 'drizzle-orm/errors'
import type { DriverValueDecoder, SQL, Subquery } from 'drizzle-orm'

class Absent {}

/** The class, or one to extend in its place until the version of Drizzle has been refused. */
export function orAbsent<C>(found: C | undefined): C {
  return found ?? (Absent as unknown as C)
}

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
 * The session of a database or handle; undefined for anything else.
 *
 * @typeParam S what the caller uses of it
 */
export function drizzleSession<S extends { readonly dialect: object }>(db: unknown): S | undefined {
  const session = sessionOf(db) as S | undefined
  return typeof session?.dialect === 'object' ? session : undefined
}

/** The name of a session's class, which tells its driver and which bundlers do not change. */
export function kindOf(session: object): string {
  const kind = (session.constructor as unknown as Record<symbol, unknown>)[drizzleOrm.entityKind]
  return typeof kind === 'string' ? kind : 'unknown'
}

/** The rows of a raw statement's result, of whichever driver. */
export function rowsOf(result: unknown): readonly Record<string, unknown>[] {
  if (Array.isArray(result)) return (Array.isArray(result[0]) ? result[0] : result) as never
  return ((result as { rows?: unknown } | undefined)?.rows ?? []) as never
}

/**
 * What a query builder prepares to: a prepared query, or for raw SQL the builder itself.
 *
 * @returns undefined for a value that is no query
 */
export function preparedFrom(query: unknown): object | undefined {
  const builder = query as { _prepare?: () => object } | null | undefined
  return typeof builder?._prepare === 'function' ? builder._prepare() : undefined
}

/** Where a select builder leaves, after `prepareQuery()` has returned, which joined tables cannot be missing. */
export interface JoinNullability {
  joinsNotNullableMap?: Record<string, boolean>
}

/** A column, or what is selected in its place. */
export type SelectedField = drizzleOrm.Column | SQL | SQL.Aliased | Subquery

/** What turns a column's value as the engine has it into the value of the result, as Drizzle's `mapResultRow` chooses it. */
export function decoderOf(field: SelectedField): DriverValueDecoder<unknown, unknown> {
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

/** The value is what the driver returned. */
export function isIdentity(decoder: DriverValueDecoder<unknown, unknown>): boolean {
  return (
    decoder === drizzleOrm.noopDecoder ||
    decoder.mapFromDriverValue === drizzleOrm.Column.prototype.mapFromDriverValue
  )
}
