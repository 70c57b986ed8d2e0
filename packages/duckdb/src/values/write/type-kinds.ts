import {
  DuckDBArrayType,
  DuckDBListType,
  DuckDBMapType,
  DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
} from '@duckdb/node-api'
import { integerRange } from './integer-range.ts'

/** Whether a type holds whole numbers only. */
export function isWhole({ typeId }: DuckDBType): boolean {
  return typeId === DuckDBTypeId.BIGNUM || integerRange(typeId) !== undefined
}

export function isNumeric(type: DuckDBType): boolean {
  const { typeId } = type
  return (
    isWhole(type) ||
    typeId === DuckDBTypeId.DECIMAL ||
    typeId === DuckDBTypeId.DOUBLE ||
    typeId === DuckDBTypeId.FLOAT
  )
}

/** Whether a type is a TIMESTAMP of any unit, or TIMESTAMPTZ. */
export function isTimestamp({ typeId }: DuckDBType): boolean {
  switch (typeId) {
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_S:
    case DuckDBTypeId.TIMESTAMP_MS:
    case DuckDBTypeId.TIMESTAMP_NS:
    case DuckDBTypeId.TIMESTAMP_TZ:
      return true
    default:
      return false
  }
}

/** Whether a type is a time of day. */
export function isTimeOfDay({ typeId }: DuckDBType): boolean {
  return (
    typeId === DuckDBTypeId.TIME ||
    typeId === DuckDBTypeId.TIME_NS ||
    typeId === DuckDBTypeId.TIME_TZ
  )
}

/** Whether a type, or that of a part, has no meaning before it gets a value, as that of the items of `[NULL]`. */
export function isUnknown(type: DuckDBType): boolean {
  if (type instanceof DuckDBListType || type instanceof DuckDBArrayType)
    return isUnknown(type.valueType)
  if (type instanceof DuckDBStructType) return type.entryTypes.some(isUnknown)
  if (type instanceof DuckDBMapType) return isUnknown(type.keyType) || isUnknown(type.valueType)
  return type.typeId === DuckDBTypeId.SQLNULL || type.typeId === DuckDBTypeId.ANY
}
