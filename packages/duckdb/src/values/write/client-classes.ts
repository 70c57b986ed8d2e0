import {
  BIT,
  BLOB,
  DATE,
  DuckDBArrayValue,
  DuckDBBitValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalType,
  DuckDBDecimalValue,
  DuckDBIntervalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimeNSValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeTZValue,
  DuckDBTimeValue,
  type DuckDBType,
  DuckDBUnionValue,
  DuckDBUUIDValue,
  type DuckDBValue,
  INTERVAL,
  TIME,
  TIME_NS,
  TIMESTAMP,
  TIMESTAMP_MS,
  TIMESTAMP_NS,
  TIMESTAMP_S,
  TIMESTAMPTZ,
  TIMETZ,
  UUID,
} from '@duckdb/node-api'
import { exactDecimal } from './exact-number.ts'

/** The classes that the client has for types without parts. */
const types: ReadonlyMap<unknown, DuckDBType> = new Map<unknown, DuckDBType>([
  [DuckDBBitValue, BIT],
  [DuckDBBlobValue, BLOB],
  [DuckDBDateValue, DATE],
  [DuckDBIntervalValue, INTERVAL],
  [DuckDBTimeNSValue, TIME_NS],
  [DuckDBTimestampMillisecondsValue, TIMESTAMP_MS],
  [DuckDBTimestampNanosecondsValue, TIMESTAMP_NS],
  [DuckDBTimestampSecondsValue, TIMESTAMP_S],
  [DuckDBTimestampTZValue, TIMESTAMPTZ],
  [DuckDBTimestampValue, TIMESTAMP],
  [DuckDBTimeTZValue, TIMETZ],
  [DuckDBTimeValue, TIME],
  [DuckDBUUIDValue, UUID],
])

/** The type of a value of the client's own classes that has no parts; undefined for other values. */
export function clientType(value: object): DuckDBType | undefined {
  if (value instanceof DuckDBDecimalValue) return new DuckDBDecimalType(value.width, value.scale)
  return types.get(value.constructor)
}

/** A value of the client's own classes as the type; undefined where it is of another one. */
export function clientScalar(value: object, type: DuckDBType): DuckDBValue | undefined {
  if (value instanceof DuckDBDecimalValue)
    return exactDecimal({ unscaled: value.value, scale: value.scale }, type)
  return types.get(value.constructor)?.typeId === type.typeId ? (value as DuckDBValue) : undefined
}

/** A value of the client's own classes that has parts, as what is read and bound otherwise; all others as they are. */
export function withoutClientClass(value: object): object {
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue)
    return value.items as object
  if (value instanceof DuckDBStructValue) return value.entries
  if (value instanceof DuckDBMapValue) return value.entries as object
  return value instanceof DuckDBUnionValue ? { tag: value.tag, value: value.value } : value
}
