import { describeValue } from '@keelson/core'
import { SchemaError } from '../errors.ts'
import type { Literal } from '../ir/expression.ts'
import type { PortableType } from '../ir/portable-type.ts'
import type { Demand } from './field.ts'
import { wordsOf } from './table-of-fields.ts'

/**
 * Refuses a default that the column would refuse. Zod does not: `z.string().min(5).default('a')` gives 'a'.
 *
 * @throws {SchemaError} `INVALID_DEFAULT`
 */
export function checkDefault(
  table: string,
  field: string,
  value: Literal,
  type: PortableType,
  demands: readonly Demand[],
): void {
  const wrong = wrongForType(value, type) ?? demands.find((demand) => !meets(value, demand))
  if (wrong === undefined) return
  const expected = typeof wrong === 'string' ? wrong : wordsOf(wrong)
  throw new SchemaError(
    'INVALID_DEFAULT',
    table,
    field,
    `${table}.${field} has ${describeValue(value)} as its default, and takes only what is ${expected}. Change one of them.`,
  )
}

function wrongForType(value: Literal, type: PortableType): string | undefined {
  switch (type.kind) {
    case 'string':
      if (typeof value !== 'string') return 'text'
      if (type.maxLength !== undefined && lengthOf(value) > type.maxLength) {
        return `at most ${type.maxLength} characters long`
      }
      return undefined
    case 'enum':
      return type.values.includes(value as string) ? undefined : `one of ${type.values.join(', ')}`
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'true or false'
    case 'int32':
      return Number.isSafeInteger(value) && value === (Number(value) | 0)
        ? undefined
        : 'a whole number of 32 bits'
    case 'integer':
      return Number.isSafeInteger(value) ? undefined : 'a whole number'
    case 'number':
      return typeof value === 'number' ? undefined : 'a number'
    case 'bigint':
      if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) return 'a whole number'
      return BigInt.asIntN(64, BigInt(value as bigint)) === BigInt(value as bigint)
        ? undefined
        : 'a number of 64 bits'
    case 'uuid':
      return fits(value, /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i) ? undefined : 'a UUID'
    case 'date':
      return fits(value, /^\d{4}-\d\d-\d\d$/) && isMoment(value) ? undefined : 'YYYY-MM-DD'
    case 'datetime':
      return fits(value, /^\d{4}-\d\d-\d\dT.*(?:Z|[+-]\d\d:\d\d)$/) && isMoment(value)
        ? undefined
        : 'a moment in ISO 8601, with its zone'
    case 'decimal':
      return fits(value, /^-?\d+(?:\.\d+)?$/) ? undefined : 'an exact number, as text'
    case 'json':
      return isJson(value) ? undefined : 'JSON, as text'
    default:
      return undefined
  }
}

function fits(value: Literal, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value)
}

function isMoment(text: string): boolean {
  return !Number.isNaN(Date.parse(text))
}

function isJson(value: Literal): boolean {
  if (typeof value !== 'string') return false
  try {
    JSON.parse(value)
    return true
  } catch {
    return false
  }
}

function meets(value: Literal, demand: Demand): boolean {
  if (value === null) return true
  if ('values' in demand) return demand.values.includes(value)
  if (demand.of === 'length') {
    return typeof value !== 'string' || compares(lengthOf(value), demand.operator, demand.value!)
  }
  return compares(value, demand.operator, demand.value!)
}

function compares(
  left: NonNullable<Literal>,
  operator: string,
  right: NonNullable<Literal>,
): boolean {
  switch (operator) {
    case '>=':
      return left >= right
    case '>':
      return left > right
    case '<=':
      return left <= right
    case '<':
      return left < right
    case '<>':
      return left !== right
    default:
      // A number and a bigint may be equal.
      return left >= right && left <= right
  }
}

/** Code points, as zod and every engine count. */
function lengthOf(text: string): number {
  return Array.from(text).length
}
