import { isThenable } from '@keelson/core'
import { SchemaError } from '../../errors.ts'
import type { Literal } from '../../ir/expression.ts'
import type { PortableType } from '../../ir/portable-type.ts'
import { checkDefault } from '../check-default.ts'
import type { Demand } from '../field.ts'
import type { Where, ZodNode } from './zod-node.ts'

/**
 * What the schema makes of a missing value, where that is a constant. Zod does not tell a constant from a function, so that
 * it is asked twice, and a value that follows the clock is none, however alike two readings of it are: frozen into the table
 * it would be the moment of its creation for ever.
 */
export function constantDefault(
  schema: ZodNode,
  { demands }: { readonly demands: readonly Demand[] },
  type: PortableType,
  where: Where,
): Literal | undefined {
  if (!kinds.has(type.kind)) return undefined
  const first = valueOfNothing(schema, where)
  if (typeof first === 'number' ? !Number.isFinite(first) : !isLiteral(first)) return undefined
  checkDefault(where.table, where.field, first as Literal, type, demands)
  const second = valueOfNothing(schema, where)
  if (!Object.is(first, second) || followsClock(first as Literal)) return undefined
  return first as Literal
}

/** A `date` or a `datetime` is left to the application: `db: { default: 'now' }` says that it is the moment of the insert. */
const kinds: ReadonlySet<string> = new Set([
  'string',
  'enum',
  'int32',
  'integer',
  'bigint',
  'number',
  'boolean',
])

function isLiteral(value: unknown): value is Literal {
  return typeof value === 'string' || typeof value === 'bigint' || typeof value === 'boolean'
}

function followsClock(value: Literal): boolean {
  const now = Date.now()
  const dayMs = 86_400_000
  if (typeof value === 'number' || typeof value === 'bigint') {
    const number = Number(value)
    return [1, 1_000, 1_000_000, 0.001].some((unit) => Math.abs(number / unit - now) < dayMs)
  }
  if (typeof value !== 'string') return false
  return [-dayMs, 0, dayMs].some((offset) => {
    const day = new Date(now + offset).toISOString().slice(0, 10)
    return value.includes(day) || value.includes(day.replaceAll('-', ''))
  })
}

/** Undefined for a schema that has to be awaited. */
function valueOfNothing(schema: ZodNode, { table, field }: Where): unknown {
  let result: unknown
  try {
    result = schema['~standard']?.validate(undefined)
  } catch {
    // Zod refuses to run asynchronous code in a synchronous call by an error.
    return undefined
  }
  if (isThenable(result)) {
    void Promise.resolve(result).catch(() => {})
    return undefined
  }
  const { issues, value } = (result ?? {}) as {
    readonly issues?: readonly { readonly message?: string }[]
    readonly value?: unknown
  }
  if (issues === undefined) return value
  throw new SchemaError(
    'INVALID_DEFAULT',
    table,
    field,
    `${table}.${field} has a default that its own schema refuses: ${issues[0]?.message ?? 'it is invalid'}. Change one of them.`,
  )
}
