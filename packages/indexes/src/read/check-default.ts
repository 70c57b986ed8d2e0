import { describeValue } from '@keelson/core'
import { DefinitionError } from '../errors.ts'
import type { Literal } from '../ir/expression.ts'
import type { PortableType } from '../ir/portable-type.ts'
import type { Demand } from './field.ts'
import { wordsOf } from './table-of-fields.ts'

/**
 * Refuses a default that the column would refuse. Zod does not: `z.string().min(5).default('a')` gives 'a'.
 *
 * @throws {DefinitionError} `INVALID_DEFAULT`
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
  throw new DefinitionError(
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
    case 'integer':
      return Number.isSafeInteger(value) ? undefined : 'a whole number'
    case 'number':
      return typeof value === 'number' ? undefined : 'a number'
    case 'bigint':
      if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) return 'a whole number'
      return BigInt.asIntN(64, BigInt(value as bigint)) === BigInt(value as bigint)
        ? undefined
        : 'a number of 64 bits'
    default:
      return undefined
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
