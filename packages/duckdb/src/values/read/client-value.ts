import {
  DuckDBArrayType,
  DuckDBArrayValue,
  DuckDBBitValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBGeometryValue,
  DuckDBIntervalValue,
  DuckDBListType,
  DuckDBListValue,
  DuckDBMapType,
  DuckDBMapValue,
  DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeNSValue,
  DuckDBTimeTZValue,
  DuckDBTimeValue,
  type DuckDBType,
  DuckDBTypeId,
  DuckDBUnionType,
  DuckDBUnionValue,
  DuckDBUUIDValue,
  type DuckDBValue,
  DuckDBVariantValue,
} from '@duckdb/node-api'
import { offsetText } from '../text/clock-text.ts'
import { dateValue, infiniteValue } from './date-value.ts'
import { decimalNumber, decimalText } from '../text/decimal-text.ts'
import { int64Value } from './int64.ts'
import { intervalText } from '../text/interval-text.ts'
import { jsonValue } from './json-value.ts'
import type { Reading } from './reading.ts'
import { structOf } from './struct-value.ts'
import { timeText } from './time-cells.ts'
import { type TimestampTypeId, timestampUnits, timestampValue } from './timestamp-value.ts'

/**
 * What a value of the client is read as. For values inside of a VARIANT, which bring their types with them; for the
 * rarer types; and for all, should the client keep its rows elsewhere than `storedCell()` looks.
 *
 * @param type undefined where only the value tells
 */
export function readClientValue(
  value: DuckDBValue,
  type: DuckDBType | undefined,
  reading: Reading,
): unknown {
  if (value === null) return null
  const { policies } = reading
  if (typeof value === 'bigint') return int64Value(value, reading)
  if (typeof value === 'string')
    return type?.alias === 'JSON' && policies.json === 'parse' ? jsonValue(value, reading) : value
  if (typeof value !== 'object') return value
  if (value instanceof DuckDBVariantValue) return readClientValue(value.value, value.type, reading)
  if (value instanceof DuckDBDecimalValue)
    return (policies.decimal === 'number' ? decimalNumber : decimalText)(value.value, value.scale)
  if (value instanceof DuckDBBlobValue || value instanceof DuckDBGeometryValue)
    return owned(value.bytes)
  if (value instanceof DuckDBBitValue || value instanceof DuckDBUUIDValue) return value.toString()
  if (value instanceof DuckDBIntervalValue) {
    const { months, days, micros } = value
    return policies.interval === 'string'
      ? intervalText(months, days, micros)
      : { months, days, micros }
  }
  return readTime(value, reading) ?? readNested(value, type, reading)
}

function owned(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength)
  copy.set(bytes)
  return copy
}

function readTime(value: DuckDBValue, reading: Reading): unknown {
  if (value instanceof DuckDBDateValue) return dateValue(value.days, reading)
  if (value instanceof DuckDBTimeValue)
    return reading.policies.time === 'micros' ? value.micros : timeText(Number(value.micros), 6)
  if (value instanceof DuckDBTimeNSValue) return timeText(Number(value.nanos), 9)
  if (value instanceof DuckDBTimeTZValue)
    return timeText(Number(value.micros), 6) + offsetText(value.offset)
  if (value instanceof DuckDBTimestampValue)
    return readTimestamp(value.micros, DuckDBTypeId.TIMESTAMP, reading)
  if (value instanceof DuckDBTimestampTZValue)
    return readTimestamp(value.micros, DuckDBTypeId.TIMESTAMP_TZ, reading)
  if (value instanceof DuckDBTimestampSecondsValue)
    return readTimestamp(value.seconds, DuckDBTypeId.TIMESTAMP_S, reading)
  if (value instanceof DuckDBTimestampMillisecondsValue)
    return readTimestamp(value.millis, DuckDBTypeId.TIMESTAMP_MS, reading)
  if (value instanceof DuckDBTimestampNanosecondsValue)
    return readTimestamp(value.nanos, DuckDBTypeId.TIMESTAMP_NS, reading)
  return undefined
}

function readTimestamp(units: bigint, typeId: TimestampTypeId, reading: Reading): unknown {
  const infinite = 2n ** 63n - 1n
  if (units === infinite) return infiniteValue(1, reading)
  if (units === -infinite) return infiniteValue(-1, reading)
  const perSecond = 10n ** BigInt(timestampUnits(typeId).digits)
  const rest = units % perSecond
  const fraction = rest < 0n ? rest + perSecond : rest
  const second = Number((units - fraction) / perSecond)
  return timestampValue(second, Number(fraction), typeId, reading)
}

function readNested(value: DuckDBValue, type: DuckDBType | undefined, reading: Reading): unknown {
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    const itemType =
      type instanceof DuckDBListType || type instanceof DuckDBArrayType ? type.valueType : undefined
    return value.items.map((item) => readClientValue(item, itemType, reading))
  }
  if (value instanceof DuckDBStructValue) {
    const { entries } = value
    const names = type instanceof DuckDBStructType ? type.entryNames : Object.keys(entries)
    const types = type instanceof DuckDBStructType ? type.entryTypes : []
    return structOf(names)((field) =>
      readClientValue(entries[names[field]!] ?? null, types[field], reading),
    )
  }
  if (value instanceof DuckDBMapValue) {
    const map = type instanceof DuckDBMapType ? type : undefined
    return value.entries.map((entry) => ({
      key: readClientValue(entry.key, map?.keyType, reading),
      value: readClientValue(entry.value, map?.valueType, reading),
    }))
  }
  if (value instanceof DuckDBUnionValue) {
    const member = type instanceof DuckDBUnionType ? type.memberTypeForTag(value.tag) : undefined
    return { tag: value.tag, value: readClientValue(value.value, member, reading) }
  }
  throw new TypeError(
    `@duckdb/node-api gave a value of an unknown class: ${value?.constructor.name}`,
  )
}
