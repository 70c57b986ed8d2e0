import { DuckDBBlobValue, type DuckDBType, DuckDBTypeId, type DuckDBValue } from '@duckdb/node-api'
import { bytesOf } from './bytes.ts'
import { clientScalar } from './client-classes.ts'
import { exactBigInt, exactNumber } from './exact-number.ts'
import { exactText } from './exact-text.ts'
import { exactDate } from './exact-timestamp.ts'
import { nestedValue } from './nested-value.ts'
import { Place } from './place.ts'
import { refuseValue } from './refusal.ts'

/**
 * The client's value of `value` as the type, for appenders, vectors and table functions, where DuckDB converts nothing.
 *
 * @param site names the place in errors, for example `row 12, column "price"`; a function is called for an error only
 * @throws {ParameterError} `PARAMETER_TYPE` for a value that the type cannot hold exactly
 */
export function toDuckDBValue(
  value: unknown,
  type: DuckDBType,
  site: string | (() => string),
): DuckDBValue {
  if (value === null || value === undefined) return null
  const scalar = exactScalar(value, type)
  if (scalar !== undefined && !(type.alias === 'JSON' && typeof value === 'string')) return scalar
  return exactValue(value, type, new Place(typeof site === 'string' ? site : site()), true)
}

/**
 * The same for a place.
 *
 * @param isUnchecked DuckDB does not look at it, so that a JSON text is checked here
 */
export function exactValue(
  value: unknown,
  type: DuckDBType,
  place: Place,
  isUnchecked = false,
): DuckDBValue {
  if (value === null || value === undefined) return null
  if (isUnchecked && type.alias === 'JSON' && typeof value === 'string') checkJson(value, place)
  return (
    exactScalar(value, type) ??
    nestedValue(value, type, place, (item, itemType, itemPlace) =>
      exactValue(item, itemType, itemPlace, isUnchecked),
    ) ??
    refuseValue(value, type, place)
  )
}

/** The value of a type without parts that is exactly this one; undefined where there is none. */
export function exactScalar(value: unknown, type: DuckDBType): DuckDBValue | undefined {
  switch (typeof value) {
    case 'number':
      return exactNumber(value, type)
    case 'string':
      return exactText(value, type)
    case 'bigint':
      return exactBigInt(value, type)
    case 'boolean':
      if (type.typeId === DuckDBTypeId.BOOLEAN) return value
      return type.typeId === DuckDBTypeId.VARCHAR ? String(value) : undefined
    case 'object':
      return value === null ? null : exactObject(value, type)
    default:
      return undefined
  }
}

function exactObject(value: object, type: DuckDBType): DuckDBValue | undefined {
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? undefined : exactDate(value, type)
  if (type.typeId === DuckDBTypeId.BLOB) {
    const bytes = bytesOf(value)
    if (bytes !== undefined) return new DuckDBBlobValue(bytes)
  }
  return clientScalar(value, type)
}

function checkJson(text: string, place: Place): void {
  try {
    JSON.parse(text)
  } catch (error) {
    place.refuse(
      text,
      'which is no JSON text',
      'Pass JSON.stringify(value), or the value itself where it is no string.',
      error,
    )
  }
}
