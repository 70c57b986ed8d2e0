import {
  DuckDBArrayType,
  DuckDBArrayValue,
  DuckDBIntervalValue,
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
} from '@duckdb/node-api'
import { withoutClientClass } from './client-classes.ts'
import { jsonText } from './json-text.ts'
import { type Place, typeName } from './place.ts'
import { isUnnamed } from '../read/struct-value.ts'

/** Converts what is within. */
export type Convert = (value: unknown, type: DuckDBType, place: Place) => DuckDBValue

/**
 * The value of a type with parts, and of JSON, from an array, an object or a Map; undefined where the kind of the value
 * does not fit the type.
 *
 * @throws {ParameterError} where it does, and a part does not
 */
export function nestedValue(
  given: unknown,
  type: DuckDBType,
  place: Place,
  convert: Convert,
): DuckDBValue | undefined {
  if (typeof given !== 'object' || given === null) return undefined
  const value = withoutClientClass(given)
  if (type.alias === 'JSON') return jsonText(value, place)
  if (type.typeId === DuckDBTypeId.INTERVAL)
    return isPlain(value) ? intervalOf(value, place) : undefined
  if (type instanceof DuckDBListType && Array.isArray(value))
    return new DuckDBListValue(itemsOf(value, type.valueType, place, convert))
  if (type instanceof DuckDBArrayType && Array.isArray(value)) {
    if (value.length !== type.length)
      place.refuse(value, `and ${typeName(type)} takes ${type.length}`, 'Pass that many items.')
    return new DuckDBArrayValue(itemsOf(value, type.valueType, place, convert))
  }
  if (type instanceof DuckDBStructType && isPlain(value))
    return structOf(value, type, place, convert)
  if (type instanceof DuckDBMapType) return mapOf(value, type, place, convert)
  if (type instanceof DuckDBUnionType && isPlain(value)) return unionOf(value, type, place, convert)
  return undefined
}

/** Whether an object is one of `{ ... }`, and no instance of a class. */
export function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function itemsOf(
  values: readonly unknown[],
  type: DuckDBType,
  place: Place,
  convert: Convert,
): DuckDBValue[] {
  return Array.from(values, (item, index) => convert(item, type, place.inside(`item ${index + 1}`)))
}

function structOf(
  value: Record<string, unknown>,
  type: DuckDBStructType,
  place: Place,
  convert: Convert,
): DuckDBValue | undefined {
  const { entryNames, entryTypes } = type
  // Its fields cannot be told apart by the client.
  if (isUnnamed(entryNames)) return undefined
  checkKeys(value, entryNames, place, `The fields of ${typeName(type)} are`)
  const entries = Object.create(null) as Record<string, DuckDBValue>
  entryNames.forEach((name, index) => {
    const field = Object.hasOwn(value, name) ? value[name] : null
    entries[name] = convert(field, entryTypes[index]!, place.inside(`field ${quoted(name)}`))
  })
  return new DuckDBStructValue(entries)
}

function mapOf(
  value: object,
  type: DuckDBMapType,
  place: Place,
  convert: Convert,
): DuckDBValue | undefined {
  const entries = entriesOf(value, place)
  if (entries === undefined) return undefined
  const seen = new Set<string>()
  return new DuckDBMapValue(
    entries.map(([key, item]) => {
      const name = typeof key === 'string' ? quoted(key) : String(key)
      const converted = convert(key, type.keyType, place.inside(`the key ${name}`))
      if (converted === null)
        place.refuse(value, 'in which a key is null', 'Give each entry of a MAP a key.')
      const identity = `${typeof converted} ${String(converted)}`
      if (seen.has(identity) && !isNestedKey(type.keyType))
        place.refuse(value, `in which the key ${name} occurs twice`, 'Give each key once.')
      seen.add(identity)
      return {
        key: converted,
        value: convert(item, type.valueType, place.inside(`the value of key ${name}`)),
      }
    }),
  )
}

/** Whose text does not tell them apart; DuckDB sees for itself. */
function isNestedKey({ typeId }: DuckDBType): boolean {
  return [DuckDBTypeId.LIST, DuckDBTypeId.ARRAY, DuckDBTypeId.STRUCT, DuckDBTypeId.MAP].includes(
    typeId,
  )
}

/** The entries of a Map, of an array as the readers make them, or of an object. */
function entriesOf(value: object, place: Place): (readonly [unknown, unknown])[] | undefined {
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)]
  if (isPlain(value)) return Object.entries(value)
  if (!Array.isArray(value)) return undefined
  return value.map((entry: unknown, index) => {
    const inner = place.inside(`item ${index + 1}`)
    if (
      typeof entry !== 'object' ||
      entry === null ||
      !isPlain(entry) ||
      !Object.hasOwn(entry, 'key')
    )
      return inner.refuse(entry, 'and a MAP takes entries', 'Pass { key, value }.')
    checkKeys(entry, ['key', 'value'], inner, 'An entry of a MAP has')
    return [entry['key'], entry['value']] as const
  })
}

function unionOf(
  value: Record<string, unknown>,
  type: DuckDBUnionType,
  place: Place,
  convert: Convert,
): DuckDBValue {
  checkKeys(value, ['tag', 'value'], place, 'A UNION takes')
  const { tag } = value
  const member = type.memberTags.indexOf(tag as string)
  if (member === -1)
    place
      .inside('`tag`')
      .refuse(
        tag,
        `and the members of ${typeName(type)} are ${listed(type.memberTags)}`,
        'Name one.',
      )
  const inner = convert(value['value'], type.memberTypes[member]!, place.inside('`value`'))
  return new DuckDBUnionValue(tag as string, inner)
}

function intervalOf(value: Record<string, unknown>, place: Place): DuckDBIntervalValue {
  const names = ['months', 'days', 'micros']
  checkKeys(value, names, place, 'An INTERVAL has')
  if (!names.some((name) => value[name] !== undefined))
    place.refuse(
      value,
      'and an INTERVAL has parts',
      'Pass { months, days, micros }, or some of it.',
    )
  return new DuckDBIntervalValue(
    Number(wholePart(value, 'months', 31n, place)),
    Number(wholePart(value, 'days', 31n, place)),
    wholePart(value, 'micros', 63n, place),
  )
}

function wholePart(
  value: Record<string, unknown>,
  name: string,
  bits: bigint,
  place: Place,
): bigint {
  const part = value[name] ?? 0n
  const isWhole = typeof part === 'bigint' || Number.isSafeInteger(part)
  const whole = isWhole ? BigInt(part as bigint | number) : undefined
  if (whole !== undefined && whole >= -(2n ** bits) && whole < 2n ** bits) return whole
  return place
    .inside(`\`${name}\``)
    .refuse(part, `and an INTERVAL holds ${bits + 1n} bits of it`, 'Pass a whole number of these.')
}

function checkKeys(
  value: Record<string, unknown>,
  known: readonly string[],
  place: Place,
  what: string,
): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue
    place.refuse(value, `with the key ${quoted(key)}`, `${what} ${listed(known)}.`)
  }
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 12).map(quoted).join(', ')
  return names.length > 12 ? `${shown} and ${names.length - 12} more` : shown
}

function quoted(name: string): string {
  return JSON.stringify(name)
}
