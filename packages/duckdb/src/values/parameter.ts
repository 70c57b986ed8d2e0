import {
  type DuckDBBlobValue,
  type DuckDBDateValue,
  DuckDBDecimalValue,
  type DuckDBIntervalValue,
  DuckDBListType,
  type DuckDBPreparedStatement,
  type DuckDBTimestampValue,
  type DuckDBTimeValue,
  type DuckDBType,
  DuckDBTypeId,
  DuckDBUnionValue,
  type DuckDBValue,
  StatementType,
} from '@duckdb/node-api'
import { ParameterError } from '@keelson/core'
import { boundValue } from './write/bound-value.ts'
import { clientType } from './write/client-classes.ts'
import { comparedValue } from './write/compared-value.ts'
import { engineValue } from './write/engine-value.ts'
import { exactScalar, exactValue } from './write/exact-value.ts'
import { naturalValue, type TypedValue } from './write/natural-value.ts'
import { isPlain } from './write/nested-value.ts'
import { Place } from './write/place.ts'
import { isUnknown } from './write/type-kinds.ts'

export { toDuckDBValue } from './write/exact-value.ts'

/** What a prepared statement expects at one place. Read once, right after preparing. */
export interface ParameterTarget {
  /** undefined where any type will do, or it depends on the value. */
  readonly type: DuckDBType | undefined
  /** Whether the statement may store the value, so that DuckDB would round or cut it to fit the type. */
  readonly isStored: boolean
}

/** What the statement expects, place by place. */
export function parameterTargets(prepared: DuckDBPreparedStatement): readonly ParameterTarget[] {
  const { statementType } = prepared
  const isStored = statementType !== StatementType.SELECT && statementType !== StatementType.DELETE
  return Array.from({ length: prepared.parameterCount }, (_, index) => ({
    type: typeAt(prepared, index + 1),
    isStored,
  }))
}

/**
 * Binds value number `index`, counted from 0, as the expected type, so that DuckDB does not plan the statement again;
 * as another type where the expected one cannot hold it and a comparison comes out right all the same.
 *
 * @throws {ParameterError} `PARAMETER_TYPE` for a value that would arrive as another one; nothing was sent
 */
export function bindParameter(
  prepared: DuckDBPreparedStatement,
  index: number,
  value: unknown,
  target: ParameterTarget,
): void {
  if (value === null || value === undefined) {
    prepared.bindNull(index + 1)
    return
  }
  const { type } = target
  const exact = type && exactScalar(value, type)
  if (exact !== undefined) bind(prepared, index, exact, type!)
  else bindOtherwise(prepared, index, value, target)
}

function bindOtherwise(
  prepared: DuckDBPreparedStatement,
  index: number,
  value: unknown,
  { type, isStored }: ParameterTarget,
): void {
  const place = new Place(`parameter ${index + 1}`, index)
  try {
    const typed =
      naturalOf(value, type, place) ??
      engineValue(value, type!) ??
      (isStored ? undefined : comparedValue(value, type!)) ??
      boundValue(exactValue(value, type!, place), type!, place)
    bind(prepared, index, typed.value, typed.type)
  } catch (error) {
    if (error instanceof ParameterError) throw error
    // What only the client sees: a list of its own values that are of no type, keys that a MAP has twice.
    const { message } = error as Error
    place.refuse(
      value,
      `of which DuckDB makes no value (${message})`,
      'Cast the placeholder.',
      error,
    )
  }
}

/** Where the statement does not say what it expects, or takes values of several types. */
function naturalOf(
  value: unknown,
  type: DuckDBType | undefined,
  place: Place,
): TypedValue | undefined {
  // A value of one of the client's own classes says what it is, if it does not fit.
  const isTyped = typeof value === 'object' && clientType(value!) !== undefined
  if (type === undefined || (isTyped && !(value instanceof DuckDBDecimalValue)))
    return naturalValue(value, place)
  if (
    Array.isArray(value) &&
    type instanceof DuckDBListType &&
    type.valueType.typeId === DuckDBTypeId.VARIANT
  )
    return naturalValue(value, place, 'struct')
  if (type.typeId === DuckDBTypeId.VARIANT) return naturalValue(value, place, 'struct')
  if (type.typeId !== DuckDBTypeId.UNION) return undefined
  const isTagged =
    typeof value === 'object' && (isPlain(value!) || value instanceof DuckDBUnionValue)
  return isTagged ? undefined : naturalValue(value, place)
}

function bind(
  prepared: DuckDBPreparedStatement,
  index: number,
  value: DuckDBValue,
  type: DuckDBType,
): void {
  const at = index + 1
  switch (type.typeId) {
    case DuckDBTypeId.INTEGER:
      return prepared.bindInteger(at, value as number)
    case DuckDBTypeId.BIGINT:
      return prepared.bindBigInt(at, value as bigint)
    case DuckDBTypeId.DOUBLE:
      return prepared.bindDouble(at, value as number)
    case DuckDBTypeId.VARCHAR:
      return prepared.bindVarchar(at, value as string)
    case DuckDBTypeId.BOOLEAN:
      return prepared.bindBoolean(at, value as boolean)
    case DuckDBTypeId.BLOB:
      return prepared.bindBlob(at, (value as DuckDBBlobValue).bytes)
    case DuckDBTypeId.DECIMAL:
      return prepared.bindDecimal(at, value as DuckDBDecimalValue)
    case DuckDBTypeId.DATE:
      return prepared.bindDate(at, value as DuckDBDateValue)
    case DuckDBTypeId.TIME:
      return prepared.bindTime(at, value as DuckDBTimeValue)
    case DuckDBTypeId.TIMESTAMP:
      return prepared.bindTimestamp(at, value as DuckDBTimestampValue)
    case DuckDBTypeId.INTERVAL:
      return prepared.bindInterval(at, value as DuckDBIntervalValue)
    case DuckDBTypeId.BIGNUM:
      // Of 0 the client makes a broken one.
      return value === 0n ? prepared.bindBigInt(at, 0n) : prepared.bindBigNum(at, value as bigint)
    case DuckDBTypeId.ENUM:
      // The client makes the whole type for each value.
      return 'values' in type && type.values.length <= mostEnumValues
        ? prepared.bindValue(at, value, type)
        : prepared.bindVarchar(at, value as string)
    default:
      return prepared.bindValue(at, value, type)
  }
}

const mostEnumValues = 256

function typeAt(prepared: DuckDBPreparedStatement, at: number): DuckDBType | undefined {
  // Where it is 0 the client's `parameterType()` throws.
  if (prepared.parameterTypeId(at) === DuckDBTypeId.INVALID) return undefined
  const type = prepared.parameterType(at)
  return isUnknown(type) ? undefined : type
}
