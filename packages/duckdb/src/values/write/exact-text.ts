import {
  DuckDBBitValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBEnumType,
  DuckDBIntervalValue,
  DuckDBTimeNSValue,
  DuckDBTimeTZValue,
  DuckDBTimeValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
  DuckDBUUIDValue,
} from '@duckdb/node-api'
import { dayOfText } from '../text/day-text.ts'
import { exactDecimal, exactInteger } from './exact-number.ts'
import { exactTimestamp, infiniteTimestamp } from './exact-timestamp.ts'
import { parseInterval } from '../text/interval-text.ts'
import { decimalOfText } from '../text/numeric-text.ts'
import { parseTime, parseTimestamp } from '../text/time-text.ts'
import { isWellFormed } from './well-formed.ts'

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i
const bits = /^[01]+$/
/** Without the backslash, from which on DuckDB reads escapes. */
const plainAscii = /^[\0-[\]-\x7f]*$/

/** The value of the type that is exactly what a text says, as the readers write it; undefined where there is none. */
export function exactText(text: string, type: DuckDBType): DuckDBValue | undefined {
  switch (type.typeId) {
    case DuckDBTypeId.VARCHAR:
      return isWellFormed(text) ? text : undefined
    case DuckDBTypeId.DECIMAL:
    case DuckDBTypeId.DOUBLE:
    case DuckDBTypeId.FLOAT: {
      const decimal = decimalOfText(text)
      if (decimal === undefined) return undefined
      if (type.typeId === DuckDBTypeId.DECIMAL) return exactDecimal(decimal, type)
      const number = Number(text)
      const nearest = type.typeId === DuckDBTypeId.FLOAT ? Math.fround(number) : number
      return Number.isFinite(nearest) ? number : undefined
    }
    case DuckDBTypeId.BOOLEAN:
      return text === 'true' ? true : text === 'false' ? false : undefined
    case DuckDBTypeId.UUID:
      return uuid.test(text)
        ? DuckDBUUIDValue.fromUint128(BigInt(`0x${text.replaceAll('-', '')}`))
        : undefined
    case DuckDBTypeId.ENUM:
      return type instanceof DuckDBEnumType && Object.hasOwn(type.valueIndexes, text)
        ? text
        : undefined
    case DuckDBTypeId.BIT:
      return bits.test(text) ? DuckDBBitValue.fromString(text) : undefined
    case DuckDBTypeId.BLOB:
      return plainAscii.test(text) ? new DuckDBBlobValue(Buffer.from(text, 'latin1')) : undefined
    case DuckDBTypeId.INTERVAL: {
      const parts = parseInterval(text)
      return parts && new DuckDBIntervalValue(parts.months, parts.days, parts.micros)
    }
    default:
      return exactInstant(text, type.typeId) ?? exactIntegerText(text, type)
  }
}

function exactIntegerText(text: string, type: DuckDBType): DuckDBValue | undefined {
  const decimal = decimalOfText(text)
  return decimal?.scale === 0 ? exactInteger(decimal.unscaled, type) : undefined
}

function exactInstant(text: string, typeId: DuckDBTypeId): DuckDBValue | undefined {
  switch (typeId) {
    case DuckDBTypeId.DATE:
      return exactDay(text)
    case DuckDBTypeId.TIME:
    case DuckDBTypeId.TIME_NS:
    case DuckDBTypeId.TIME_TZ:
      return exactTime(text, typeId)
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_S:
    case DuckDBTypeId.TIMESTAMP_MS:
    case DuckDBTypeId.TIMESTAMP_NS:
    case DuckDBTypeId.TIMESTAMP_TZ: {
      if (text === 'infinity') return infiniteTimestamp(1n, typeId)
      if (text === '-infinity') return infiniteTimestamp(-1n, typeId)
      const parsed = parseTimestamp(text)
      if (parsed === undefined) return undefined
      const { second, digits, offset } = parsed
      // Without an offset a TIMESTAMPTZ depends on the connection's time zone; with one a TIMESTAMP loses it.
      const fits = typeId === DuckDBTypeId.TIMESTAMP_TZ ? offset !== undefined : !offset
      return fits ? exactTimestamp(second, digits, typeId) : undefined
    }
    default:
      return undefined
  }
}

function exactDay(text: string): DuckDBValue | undefined {
  if (text === 'infinity') return DuckDBDateValue.PosInf
  if (text === '-infinity') return DuckDBDateValue.NegInf
  const instant = text.length > 10 ? parseTimestamp(text) : undefined
  if (instant?.offset) return undefined
  const day =
    instant === undefined
      ? dayOfText(text)
      : instant.digits === ''
        ? instant.second / 86_400
        : undefined
  return day !== undefined && Number.isInteger(day) && Math.abs(day) < furthestDay
    ? new DuckDBDateValue(day)
    : undefined
}

/** That many days from 1970 on stand for infinity. */
const furthestDay = 2 ** 31 - 1

function exactTime(text: string, typeId: DuckDBTypeId): DuckDBValue | undefined {
  const parsed = parseTime(text)
  if (parsed === undefined) return undefined
  const { second, digits, offset } = parsed
  if ((offset !== undefined) !== (typeId === DuckDBTypeId.TIME_TZ)) return undefined
  const unit = typeId === DuckDBTypeId.TIME_NS ? 9 : 6
  if (digits.length > unit) return undefined
  const value = BigInt(second) * 10n ** BigInt(unit) + BigInt(digits.padEnd(unit, '0'))
  if (typeId === DuckDBTypeId.TIME_NS) return new DuckDBTimeNSValue(value)
  return offset === undefined
    ? new DuckDBTimeValue(value)
    : DuckDBTimeTZValue.fromMicrosAndOffset(value, offset)
}
