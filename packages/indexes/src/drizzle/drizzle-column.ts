import type { EngineName } from '@keelson/core'
import type { ColumnDefault, ColumnDefinition } from '../ir/column.ts'
import type { Literal } from '../ir/expression.ts'
import type { PortableKind, PortableType, ScalarType } from '../ir/portable-type.ts'
import type { DrizzleSql } from './drizzle-sql.ts'
import { type DrizzleColumn, isSql } from './drizzle-tables.ts'

/** One column of a table of Drizzle, stored as Drizzle stores it. */
export function drizzleColumn(
  column: DrizzleColumn,
  name: string,
  engine: EngineName,
  sql: DrizzleSql,
): ColumnDefinition {
  const { type, isNative } = typeOf(column)
  const identity = isNumbered(column)
  const given = identity ? undefined : defaultOf(column, type, sql)
  const generated = column.generated?.as
  return {
    name,
    type,
    nullable: !column.notNull,
    ...(given !== undefined && generated === undefined && { default: given }),
    ...(generated !== undefined && {
      generated: {
        sql: generatedSql(generated, sql),
        stored: column.generated?.mode !== 'virtual',
      },
    }),
    ...(identity && { identity }),
    ...(isNative && { override: { [engine]: column.getSQLType() } }),
  }
}

interface Stored {
  readonly type: PortableType
  /** Whether the engine's own type has to stand in place of the portable one. */
  readonly isNative: boolean
}

function typeOf(column: DrizzleColumn): Stored {
  const { columnType, baseColumn, enumValues, length, precision, scale } = column
  const native = column.getSQLType()
  if (columnType === 'PgArray') {
    const of = typeOf(baseColumn!).type
    const scalar: ScalarType = of.kind === 'array' ? { kind: 'json' } : of
    return { type: { kind: 'array', of: scalar }, isNative: true }
  }
  if (/^(?:Pg|MySql)Enum/.test(columnType)) {
    return { type: { kind: 'enum', values: enumValues ?? [] }, isNative: false }
  }
  if (columnType === 'PgVarchar' || columnType === 'MySqlVarChar') {
    const bounded = length === undefined ? undefined : { maxLength: length }
    return { type: { kind: 'string', ...bounded }, isNative: true }
  }
  if (/^(?:PgNumeric|MySqlDecimal)/.test(columnType)) {
    const digits = precision ?? (columnType.startsWith('Pg') ? undefined : 10)
    if (digits === undefined || digits > 38) {
      return {
        type: { kind: 'decimal', precision: 38, scale: Math.min(scale ?? 9, 38) },
        isNative: true,
      }
    }
    return { type: { kind: 'decimal', precision: digits, scale: scale ?? 0 }, isNative: false }
  }
  const kind = stored[columnType]
  if (kind !== undefined)
    return { type: { kind } as PortableType, isNative: natives.has(columnType) }
  return { type: { kind: kindOfNative(native) } as PortableType, isNative: true }
}

/** How Drizzle stores what its classes of columns hold. */
const stored: Readonly<Record<string, PortableKind>> = {
  SQLiteText: 'string',
  SQLiteTextJson: 'json',
  SQLiteInteger: 'integer',
  // Seconds or milliseconds since 1970.
  SQLiteTimestamp: 'integer',
  SQLiteBoolean: 'boolean',
  SQLiteReal: 'number',
  SQLiteNumeric: 'string',
  SQLiteNumericNumber: 'number',
  SQLiteNumericBigInt: 'integer',
  // Text as bytes.
  SQLiteBigInt: 'blob',
  SQLiteBlobJson: 'blob',
  SQLiteBlobBuffer: 'blob',
  PgText: 'string',
  PgChar: 'string',
  PgUUID: 'uuid',
  PgBoolean: 'boolean',
  PgInteger: 'int32',
  PgSmallInt: 'int32',
  PgSerial: 'int32',
  PgSmallSerial: 'int32',
  PgBigInt53: 'integer',
  PgBigInt64: 'bigint',
  PgBigSerial53: 'integer',
  PgBigSerial64: 'bigint',
  PgReal: 'number',
  PgDoublePrecision: 'number',
  PgDate: 'date',
  PgDateString: 'date',
  PgTimestamp: 'datetime',
  PgTimestampString: 'datetime',
  PgJson: 'json',
  PgJsonb: 'json',
  MySqlChar: 'string',
  MySqlText: 'string',
  MySqlBoolean: 'boolean',
  MySqlInt: 'int32',
  MySqlTinyInt: 'int32',
  MySqlSmallInt: 'int32',
  MySqlMediumInt: 'int32',
  MySqlBigInt53: 'integer',
  MySqlBigInt64: 'bigint',
  MySqlSerial: 'bigint',
  MySqlFloat: 'number',
  MySqlReal: 'number',
  MySqlDouble: 'number',
  MySqlDate: 'date',
  MySqlDateString: 'date',
  MySqlDateTime: 'datetime',
  MySqlDateTimeString: 'datetime',
  MySqlTimestamp: 'datetime',
  MySqlTimestampString: 'datetime',
  MySqlJson: 'json',
  MySqlBinary: 'blob',
  MySqlVarBinary: 'blob',
}

/** Those whose type in the engine is not the one that the portable type has there. */
const natives: ReadonlySet<string> = new Set([
  'SQLiteNumeric',
  'SQLiteNumericNumber',
  'SQLiteNumericBigInt',
  'PgChar',
  'PgSmallInt',
  'PgReal',
  'PgTimestamp',
  'PgTimestampString',
  'PgJson',
  'MySqlChar',
  'MySqlText',
  'MySqlInt',
  'MySqlTinyInt',
  'MySqlSmallInt',
  'MySqlMediumInt',
  'MySqlBigInt53',
  'MySqlBigInt64',
  'MySqlFloat',
  'MySqlReal',
  'MySqlDateTime',
  'MySqlDateTimeString',
  'MySqlTimestamp',
  'MySqlTimestampString',
  'MySqlBinary',
  'MySqlVarBinary',
])

/** A type that somebody else has brought (customType), or that no portable type stands for. */
function kindOfNative(native: string): PortableKind {
  const name = native.toLowerCase()
  if (/json/.test(name)) return 'json'
  if (/blob|binary|bytea/.test(name)) return 'blob'
  if (/^(?:big|small|tiny|medium)?int(?:eger|\d)?\b/.test(name)) return 'integer'
  if (/^(?:real|double|float)/.test(name)) return 'number'
  return 'string'
}

/** An integer key of SQLite is numbered without being told so, which a table of SQLite has from its key alone. */
function isNumbered(column: DrizzleColumn): boolean {
  if (column.generatedIdentity !== undefined || column.autoIncrement === true) return true
  return column.columnType.includes('Serial')
}

function defaultOf(
  column: DrizzleColumn,
  type: PortableType,
  sql: DrizzleSql,
): ColumnDefault | undefined {
  const { default: given } = column
  if (given === undefined || given === null) return undefined
  if (isSql(given)) {
    const text = sql.text(given)
    const isNow = /^\(?(?:now\(\)|current_timestamp)\)?$/i.test(text)
    return isNow && type.kind === 'datetime' && sql.engine === 'postgresql'
      ? { kind: 'now' }
      : { kind: 'unsafeSql', sql: text }
  }
  const value = typeof given === 'boolean' ? given : column.mapToDriverValue(given)
  if (isSql(value)) return { kind: 'unsafeSql', sql: sql.text(value) }
  return isLiteral(value) && type.kind !== 'array' && type.kind !== 'blob'
    ? { kind: 'value', value }
    : undefined
}

function isLiteral(value: unknown): value is NonNullable<Literal> {
  return ['string', 'number', 'bigint', 'boolean'].includes(typeof value)
}

function generatedSql(as: unknown, sql: DrizzleSql): string {
  const given = typeof as === 'function' ? (as as () => unknown)() : as
  return isSql(given) ? sql.text(given) : String(given)
}
