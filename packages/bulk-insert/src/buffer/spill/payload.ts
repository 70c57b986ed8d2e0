import { describeValue } from '@keelson/core'
import { RowError } from '../../errors.ts'

/**
 * A row as text, from which it comes back as it was: JSON, in which an object with one key that begins with `$` stands for
 * what JSON cannot say: `{"$bigint": "1"}`, `{"$date": 0}`, `{"$bytes": "AA=="}`, `{"$number": "NaN"}`.
 *
 * @throws {RowError} `VALUE` for a value that has no such form: a function, an instance of a class, SQL
 */
export function encodePayload(row: object): string {
  const plain: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(row)) {
    // A key without a value is one that is not there: both mean the column's default.
    if (value !== undefined) define(plain, key, encoded(value, key))
  }
  return JSON.stringify(plain)
}

export function decodePayload(text: string): object {
  const row = JSON.parse(text) as Record<string, unknown>
  if (!text.includes('{"$')) return row
  for (const [key, value] of Object.entries(row)) define(row, key, decoded(value))
  return row
}

function encoded(value: unknown, column: string): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { $number: Object.is(value, -0) ? '-0' : String(value) }
    case 'bigint':
      return { $bigint: String(value) }
    case 'undefined':
      return { $undefined: 1 }
    case 'object':
      return value === null ? null : encodedObject(value, column)
    default:
      return refuse(value, column)
  }
}

function encodedObject(value: object, column: string): unknown {
  // A Date that is no date has the time NaN, which JSON makes null.
  if (value instanceof Date) return { $date: value.getTime() }
  if (Buffer.isBuffer(value)) return { $buffer: value.toString('base64') }
  if (value instanceof Uint8Array)
    return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64') }
  if (Array.isArray(value)) return value.map((each) => encoded(each, column))
  const prototype: unknown = Object.getPrototypeOf(value)
  if ((prototype !== Object.prototype && prototype !== null) || 'toJSON' in value)
    return refuse(value, column)
  const plain: Record<string, unknown> = {}
  for (const [key, each] of Object.entries(value)) define(plain, key, encoded(each, column))
  const keys = Object.keys(plain)
  return keys.length === 1 && keys[0]!.startsWith('$') ? { $object: plain } : plain
}

function decoded(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(decoded)
  const entries = Object.entries(value)
  const [only] = entries
  if (entries.length === 1 && only![0].startsWith('$')) return untagged(only![0], only![1])
  return withDecoded(entries)
}

function untagged(tag: string, content: unknown): unknown {
  switch (tag) {
    case '$bigint':
      return BigInt(content as string)
    case '$date':
      return new Date(content === null ? Number.NaN : (content as number))
    case '$buffer':
      return Buffer.from(content as string, 'base64')
    case '$bytes':
      return new Uint8Array(Buffer.from(content as string, 'base64'))
    case '$number':
      return Number(content)
    case '$undefined':
      return undefined
    default:
      return withDecoded(Object.entries(content as object))
  }
}

function withDecoded(entries: readonly [string, unknown][]): object {
  const object: Record<string, unknown> = {}
  for (const [key, value] of entries) define(object, key, decoded(value))
  return object
}

/** As assigning it, but for `__proto__`. */
function define(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') object[key] = value
  else
    Object.defineProperty(object, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
}

function refuse(value: unknown, column: string): never {
  throw new RowError(
    'VALUE',
    `The row has ${describeValue(value)} for ${JSON.stringify(column)}, which cannot be kept in a spill: after a crash it could not ` +
      'be read back as it was. Give text, numbers, bigints, booleans, dates, bytes, or plain arrays and objects of these.',
    column,
  )
}
