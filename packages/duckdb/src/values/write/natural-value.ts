import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBListType,
  DuckDBMapType,
  DuckDBStructType,
  DuckDBTimestampTZValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
  HUGEINT,
  INTEGER,
  SQLNULL,
  TIMESTAMPTZ,
  UHUGEINT,
  VARCHAR,
} from '@duckdb/node-api'
import { bytesOf } from './bytes.ts'
import { clientType, withoutClientClass } from './client-classes.ts'
import { exactValue } from './exact-value.ts'
import { integerRange } from './integer-range.ts'
import { jsonText } from './json-text.ts'
import { isPlain } from './nested-value.ts'
import { type Place, typeName } from './place.ts'
import { isWellFormed } from './well-formed.ts'

/** A value of the client, and its type. */
export interface TypedValue {
  readonly value: DuckDBValue
  readonly type: DuckDBType
}

/**
 * A value as what it is in JavaScript, for places of which the type is not known: whole numbers as the smallest of
 * INTEGER, BIGINT and HUGEINT, a Date as TIMESTAMPTZ, an array as a LIST, an object as the text of its JSON.
 *
 * @param objects `'struct'`: an object as a STRUCT
 * @throws {ParameterError} for what has no such type
 */
export function naturalValue(
  value: unknown,
  place: Place,
  objects: 'json' | 'struct' = 'json',
): TypedValue {
  if (typeof value === 'string' && isWellFormed(value)) return { value, type: VARCHAR }
  if (typeof value === 'boolean') return { value, type: BOOLEAN }
  if (value instanceof Date && !Number.isNaN(value.getTime()))
    return {
      value: new DuckDBTimestampTZValue(BigInt(value.getTime()) * 1000n),
      type: TIMESTAMPTZ,
    }
  if (typeof value === 'object' && value !== null) {
    const bytes = bytesOf(value)
    if (bytes !== undefined) return { value: new DuckDBBlobValue(bytes), type: BLOB }
    if (objects === 'json' && isPlain(value))
      return { value: jsonText(value, place), type: VARCHAR }
  }
  const type = typeOf(value, place)
  return { value: exactValue(value, type, place), type }
}

function typeOf(value: unknown, place: Place): DuckDBType {
  switch (typeof value) {
    case 'undefined':
      return SQLNULL
    case 'number':
      if ((value | 0) === value && !Object.is(value, -0)) return INTEGER
      return Number.isSafeInteger(value) && value !== 0 ? BIGINT : DOUBLE
    case 'bigint':
      return integerType(value) ?? refuse(value, place)
    case 'string':
      return VARCHAR
    case 'boolean':
      return BOOLEAN
    case 'object':
      return value === null ? SQLNULL : objectType(value, place)
    default:
      return refuse(value, place)
  }
}

function objectType(given: object, place: Place): DuckDBType {
  const value = withoutClientClass(given)
  const type = clientType(value)
  if (type !== undefined) return type
  if (value instanceof Date) return TIMESTAMPTZ
  if (bytesOf(value) !== undefined) return BLOB
  if (Array.isArray(value))
    return new DuckDBListType(common(value, (index) => place.inside(`item ${index + 1}`)))
  if (value instanceof Map) {
    const names = [...value.keys()].map((key) => String(key))
    return new DuckDBMapType(
      common([...value.keys()], (index) => place.inside(`the key ${names[index]}`)),
      common([...value.values()], (index) => place.inside(`the value of key ${names[index]}`)),
    )
  }
  if (!isPlain(value)) return refuse(value, place)
  const names = Object.keys(value)
  return new DuckDBStructType(
    names,
    names.map((name) => typeOf(value[name], place.inside(`field ${JSON.stringify(name)}`))),
  )
}

/** The smallest integer type that holds a bigint. */
function integerType(value: bigint): DuckDBType | undefined {
  return [BIGINT, HUGEINT, UHUGEINT].find(({ typeId }) => {
    const [least, greatest] = integerRange(typeId)!
    return value >= least && value <= greatest
  })
}

/** The type that holds all of the values. */
function common(values: readonly unknown[], placeOf: (index: number) => Place): DuckDBType {
  let type: DuckDBType = SQLNULL
  for (let index = 0; index < values.length; index++) {
    const next = typeOf(values[index], placeOf(index))
    type =
      widest(type, next) ??
      placeOf(index).refuse(
        values[index],
        `and others beside it are ${typeName(type)}, not ${typeName(next)}`,
        'Pass values of one kind, or cast the placeholder, as in $1::JSON.',
      )
  }
  return type
}

const numbers: readonly DuckDBTypeId[] = [
  DuckDBTypeId.INTEGER,
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UHUGEINT,
  DuckDBTypeId.DOUBLE,
]

function widest(one: DuckDBType, other: DuckDBType): DuckDBType | undefined {
  if (one.typeId === DuckDBTypeId.SQLNULL) return other
  if (other.typeId === DuckDBTypeId.SQLNULL) return one
  const [rankOne, rankOther] = [numbers.indexOf(one.typeId), numbers.indexOf(other.typeId)]
  if (rankOne !== -1 && rankOther !== -1) return rankOne > rankOther ? one : other
  if (one instanceof DuckDBListType && other instanceof DuckDBListType) {
    const item = widest(one.valueType, other.valueType)
    return item && new DuckDBListType(item)
  }
  if (one.typeId !== other.typeId) return undefined
  return one.toString() === other.toString() ? one : undefined
}

function refuse(value: unknown, place: Place): never {
  if (typeof value === 'bigint')
    return place.refuse(
      value,
      'which takes more than 128 bits',
      'Cast the placeholder, as in $1::BIGNUM.',
    )
  if (typeof value === 'object' && ArrayBuffer.isView(value))
    return place.refuse(
      value,
      'and what it means is not known here',
      'Pass an array, as Array.from() makes it, or its bytes as a Uint8Array.',
    )
  return place.refuse(
    value,
    'which DuckDB has no type for',
    'Pass a string, number, bigint, boolean, Date, Uint8Array, array, plain object, Map or null.',
  )
}
