import {
  DuckDBArrayType,
  DuckDBArrayValue,
  DuckDBListType,
  DuckDBListValue,
  DuckDBMapType,
  DuckDBMapValue,
  DuckDBStructType,
  DuckDBStructValue,
  type DuckDBType,
  DuckDBTypeId,
  DuckDBUnionType,
  DuckDBUnionValue,
  type DuckDBValue,
  VARCHAR,
} from '@duckdb/node-api'
import type { TypedValue } from './natural-value.ts'
import type { Place } from './place.ts'

/**
 * A nested value with its type as the client can bind it: it makes a broken BIGNUM of 0, and DuckDB trusts a JSON that
 * comes as such; both are bound as text, which DuckDB converts.
 *
 * @throws {ParameterError} for a UNION of which the member is NULL, which the client cannot make
 */
export function boundValue(value: DuckDBValue, type: DuckDBType, place: Place): TypedValue {
  return { value: convert(value, type, place), type: boundType(type) }
}

function boundType(type: DuckDBType): DuckDBType {
  if (type.typeId === DuckDBTypeId.BIGNUM || type.typeId === DuckDBTypeId.VARCHAR) return VARCHAR
  if (type instanceof DuckDBListType) return new DuckDBListType(boundType(type.valueType))
  if (type instanceof DuckDBArrayType)
    return new DuckDBArrayType(boundType(type.valueType), type.length)
  if (type instanceof DuckDBStructType)
    return new DuckDBStructType(type.entryNames, type.entryTypes.map(boundType))
  if (type instanceof DuckDBMapType)
    return new DuckDBMapType(boundType(type.keyType), boundType(type.valueType))
  if (type instanceof DuckDBUnionType)
    return new DuckDBUnionType(type.memberTags, type.memberTypes.map(boundType))
  return type
}

function convert(value: DuckDBValue, type: DuckDBType, place: Place): DuckDBValue {
  if (value === null) return null
  if (type.typeId === DuckDBTypeId.BIGNUM) return String(value)
  if (value instanceof DuckDBListValue && type instanceof DuckDBListType)
    return new DuckDBListValue(value.items.map((item) => convert(item, type.valueType, place)))
  if (value instanceof DuckDBArrayValue && type instanceof DuckDBArrayType)
    return new DuckDBArrayValue(value.items.map((item) => convert(item, type.valueType, place)))
  if (value instanceof DuckDBStructValue && type instanceof DuckDBStructType) {
    const entries = Object.create(null) as Record<string, DuckDBValue>
    type.entryNames.forEach((name, index) => {
      entries[name] = convert(value.entries[name] ?? null, type.entryTypes[index]!, place)
    })
    return new DuckDBStructValue(entries)
  }
  if (value instanceof DuckDBMapValue && type instanceof DuckDBMapType)
    return new DuckDBMapValue(
      value.entries.map((entry) => ({
        key: convert(entry.key, type.keyType, place),
        value: convert(entry.value, type.valueType, place),
      })),
    )
  if (value instanceof DuckDBUnionValue && type instanceof DuckDBUnionType) {
    if (value.value === null)
      place.refuse(
        null,
        'in a UNION with a tag, which DuckDB makes of no parameter',
        `Write union_value(${value.tag} := NULL) in the statement, or pass null for the whole.`,
      )
    const member = type.memberTypes[type.memberTags.indexOf(value.tag)]!
    return new DuckDBUnionValue(value.tag, convert(value.value, member, place))
  }
  return value
}
