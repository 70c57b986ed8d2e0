import { DuckDBDecimalType, type DuckDBType, DuckDBTypeId } from '@duckdb/node-api'
import { bytesOf } from './bytes.ts'
import { type Decimal, decimalOfText } from '../text/numeric-text.ts'
import { type Place, typeName } from './place.ts'
import { parseTime, parseTimestamp } from '../text/time-text.ts'
import { isNumeric, isTimeOfDay, isTimestamp, isWhole } from './type-kinds.ts'
import { isWellFormed } from './well-formed.ts'

/**
 * Says why a value cannot be given to a place of the type.
 *
 * @throws {ParameterError}
 */
export function refuseValue(value: unknown, type: DuckDBType, place: Place): never {
  const [why, instead, cast] = reasonOf(value, type)
  // Rows in bulk have no placeholders.
  return place.refuse(
    value,
    why,
    cast === undefined || place.index === undefined ? instead : `${instead} ${cast}`,
  )
}

type Reason = readonly [why: string, instead: string, cast?: string]

function reasonOf(value: unknown, type: DuckDBType): Reason {
  if (type.typeId === DuckDBTypeId.VARIANT)
    return ['and the client makes no VARIANT', 'Pass its JSON, and cast that: $1::JSON::VARIANT.']
  if (type.typeId === DuckDBTypeId.GEOMETRY)
    return ['and the client makes no GEOMETRY', 'Write ST_GeomFromWKB() around bytes, or pass WKT.']
  switch (typeof value) {
    case 'number':
      return ofNumber(value, type)
    case 'bigint':
      return ofBigInt(type)
    case 'string':
      return ofText(value, type)
    case 'object':
      return ofObject(value!, type)
    default:
      return mismatch(type)
  }
}

function ofNumber(value: number, type: DuckDBType): Reason {
  const name = typeName(type)
  if (type.typeId === DuckDBTypeId.BOOLEAN) return [`and ${name} takes true and false`, 'Pass one.']
  if (!isNumeric(type)) return mismatch(type)
  if (!Number.isFinite(value)) return [`which ${name} has no value for`, 'Pass a number, or null.']
  if (isWhole(type) && Number.isInteger(value) && !Number.isSafeInteger(value))
    return ['which a number may have rounded already', 'Pass a bigint.']
  return ofDecimal(decimalOfText(String(value))!, type)
}

function ofBigInt(type: DuckDBType): Reason {
  if (!isNumeric(type)) return mismatch(type)
  return isWhole(type) || type.typeId === DuckDBTypeId.DECIMAL
    ? outOfRange(type)
    : [`which ${typeName(type)} would round`, 'Pass it as a number, if it may be rounded.']
}

function ofDecimal({ scale }: Decimal, type: DuckDBType): Reason {
  const held = type instanceof DuckDBDecimalType ? type.scale : isWhole(type) ? 0 : scale
  return scale > held ? rounded(typeName(type)) : outOfRange(type)
}

function outOfRange(type: DuckDBType): Reason {
  const wider = isWhole(type) ? '$1::HUGEINT' : '$1::DOUBLE'
  return [
    `which is out of the range of ${typeName(type)}`,
    'Pass one within it.',
    `Where it is only compared, cast the placeholder, as in ${wider}.`,
  ]
}

function rounded(name: string): Reason {
  return [
    `which ${name} cannot hold without rounding it`,
    'Round it first.',
    'Where it is only compared, cast the placeholder, as in $1::DOUBLE.',
  ]
}

function ofText(value: string, type: DuckDBType): Reason {
  const name = typeName(type)
  if (!isWellFormed(value))
    return ['in which half of a surrogate pair stands alone', 'Use toWellFormed(), or pass bytes.']
  if (type.typeId === DuckDBTypeId.BLOB)
    return ['of which DuckDB would read escapes as bytes', "Pass Buffer.from(text, 'utf8')."]
  const decimal = isNumeric(type) ? decimalOfText(value) : undefined
  if (decimal !== undefined) return ofDecimal(decimal, type)
  const time = parseTimestamp(value) ?? parseTime(value)
  if (time !== undefined && isTime(type)) {
    if (time.offset && type.typeId !== DuckDBTypeId.TIMESTAMP_TZ)
      return [
        `and ${name} would lose the offset from UTC`,
        'Give the time in UTC, without an offset.',
      ]
    return ofTime(time.digits.length, type)
  }
  return [`which is no text of ${name}`, `Write it as DuckDB prints it, or pass ${taken(type)}.`]
}

function ofObject(value: object, type: DuckDBType): Reason {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) return ['which is no time', 'Pass a valid Date, or null.']
    if (!isTime(type) || isTimeOfDay(type)) return mismatch(type)
    return ofTime(value.getTime() % 1000 === 0 ? 0 : 3, type)
  }
  if (ArrayBuffer.isView(value) && bytesOf(value) === undefined)
    return [
      `and ${typeName(type)} takes ${taken(type)}`,
      'Pass an array, as Array.from() makes it, or its bytes as a Uint8Array.',
    ]
  return mismatch(type)
}

/** @param digits how many of a second there are */
function ofTime(digits: number, type: DuckDBType): Reason {
  const name = typeName(type)
  if (type.typeId === DuckDBTypeId.DATE)
    return [
      `of which ${name} would lose the time of day`,
      "Pass a text such as '2026-11-21', or a Date of midnight in UTC.",
    ]
  return digits > digitsHeld(type)
    ? [`of which ${name} would lose digits of the second`, 'Cut it first.']
    : [`which is out of the range of ${name}`, 'Pass one within it.']
}

function digitsHeld({ typeId }: DuckDBType): number {
  switch (typeId) {
    case DuckDBTypeId.TIMESTAMP_S:
      return 0
    case DuckDBTypeId.TIMESTAMP_MS:
      return 3
    case DuckDBTypeId.TIMESTAMP_NS:
    case DuckDBTypeId.TIME_NS:
      return 9
    default:
      return 6
  }
}

function mismatch(type: DuckDBType): Reason {
  return [`and ${typeName(type)} takes ${taken(type)}`, 'Pass that.', 'Or cast the placeholder.']
}

/** What can be passed for a type. */
function taken(type: DuckDBType): string {
  if (type.alias === 'JSON') return 'what JSON.stringify() writes, or its text as a string'
  if (isNumeric(type)) return 'a number, a bigint or a string'
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return 'true and false'
    case DuckDBTypeId.VARCHAR:
      return 'a string, a number, a bigint, a boolean or a Date'
    case DuckDBTypeId.BLOB:
      return 'a Uint8Array or an ArrayBuffer'
    case DuckDBTypeId.TIME:
      return "a string such as '08:15:00', or microseconds as a bigint"
    case DuckDBTypeId.TIME_NS:
      return "a string such as '08:15:00'"
    case DuckDBTypeId.TIME_TZ:
      return "a string such as '08:15:00+00'"
    case DuckDBTypeId.INTERVAL:
      return '{ months, days, micros } or a string'
    case DuckDBTypeId.LIST:
    case DuckDBTypeId.ARRAY:
      return 'an array'
    case DuckDBTypeId.STRUCT:
      return 'an object with its fields'
    case DuckDBTypeId.MAP:
      return 'a Map, an object, or an array of { key, value }'
    case DuckDBTypeId.UNION:
      return '{ tag, value }'
    default:
      return isTime(type) ? 'a Date or a string' : 'a string'
  }
}

function isTime(type: DuckDBType): boolean {
  return type.typeId === DuckDBTypeId.DATE || isTimestamp(type) || isTimeOfDay(type)
}
