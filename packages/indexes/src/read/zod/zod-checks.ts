import type { Literal } from '../../ir/expression.ts'
import type { PortableType } from '../../ir/portable-type.ts'
import type { Demand, Unenforced } from '../field.ts'
import { minimumLength } from '../minimum-length.ts'
import { wholeBound } from '../whole-bound.ts'
import type { ZodCheckDef, ZodDef } from './zod-node.ts'

/** What a schema says of its values, sorted into what an engine can check and what not. */
export interface Checks {
  readonly type: PortableType
  readonly demands: readonly Demand[]
  readonly notEnforced: readonly Unenforced[]
}

/**
 * The checks of a schema as demands that never refuse what the schema accepts.
 *
 * What stands before an `overwrite` (trim(), toLowerCase(), ...) says nothing of the value that comes out of it, so that only
 * what follows the last one counts.
 *
 * @param type what the schema's own `type` and `format` make of it, if nothing overwrites the value
 * @param plain the type of a value that was overwritten
 */
export function readChecks(def: ZodDef, type: PortableType, plain: PortableType): Checks {
  const all = (def.checks ?? []).map(({ _zod }) => _zod.def)
  const lastOverwrite = all.findLastIndex(({ check }) => check === 'overwrite')
  const notEnforced: Unenforced[] = []
  const demands: Demand[] = []
  let is = lastOverwrite < 0 ? type : plain
  if (lastOverwrite >= 0) {
    notEnforced.push({
      what: 'overwrite()',
      why: 'a function changes the value; checks before it are not of the value that is stored',
    })
  }
  // A check can also say which type it is: z.number().int() is a number with a check.
  for (const check of all.slice(lastOverwrite + 1)) {
    if (check.check === 'number_format' && check.format !== undefined) {
      is = numberOf(check.format, is)
      demands.push(...boundsOfFormat(check.format))
    }
    if (check.check === 'string_format' && check.format === 'uuid') is = { kind: 'uuid' }
  }
  if (lastOverwrite < 0 && def.format !== undefined) demands.push(...boundsOfFormat(def.format))
  for (const check of all.slice(lastOverwrite + 1)) {
    const read = readCheck(check, is)
    if ('maxLength' in read) {
      const { maxLength } = read
      if (is.kind === 'string') {
        is = { kind: 'string', maxLength: Math.min(is.maxLength ?? Infinity, maxLength) }
      }
      if (read.minLength !== undefined) demands.push(...minimumLength(read.minLength))
    } else if ('demands' in read) demands.push(...read.demands)
    else notEnforced.push(read)
  }
  return { type: is, demands, notEnforced }
}

/** The type of a number with a format. */
export function numberOf(format: string, otherwise: PortableType): PortableType {
  if (format === 'int32') return { kind: 'int32' }
  if (format !== 'safeint' && format !== 'uint32') return otherwise
  return otherwise.kind === 'int32' ? otherwise : { kind: 'integer' }
}

type Read =
  | { readonly demands: readonly Demand[] }
  | { readonly maxLength: number; readonly minLength?: number }
  | Unenforced

function readCheck(check: ZodCheckDef, type: PortableType): Read {
  switch (check.check) {
    case 'greater_than':
      return bound(check, type, check.inclusive === true ? '>=' : '>')
    case 'less_than':
      return bound(check, type, check.inclusive === true ? '<=' : '<')
    case 'number_format':
    case 'bigint_format':
      return { demands: [] }
    case 'min_length':
      if (type.kind !== 'string') return lengthOf(type, `length >= ${check.minimum}`)
      return { demands: minimumLength(check.minimum!) }
    case 'max_length':
      if (type.kind !== 'string') return lengthOf(type, `length <= ${check.maximum}`)
      return maximumLength(check.maximum!)
    case 'length_equals':
      if (type.kind !== 'string') return lengthOf(type, `length = ${check.length}`)
      return { ...maximumLength(check.length!), minLength: check.length! }
    case 'multiple_of':
      return {
        what: `multiple of ${String(check.value)}`,
        why: 'the terms of predicates have no remainder',
      }
    case 'string_format':
      return formatOf(check)
    default:
      return { what: check.check === 'custom' ? 'refine()' : check.check, why: 'it is a function' }
  }
}

function lengthOf(type: PortableType, what: string): Read {
  if (type.kind === 'array' || type.kind === 'json') {
    return { what, why: 'the terms of predicates do not count elements' }
  }
  // A date or a UUID has the length that it has.
  return { what, why: `the column holds a ${type.kind}, not text` }
}

function maximumLength(maximum: number): { readonly maxLength: number } {
  return { maxLength: Math.max(0, Math.floor(maximum)) }
}

function bound(check: ZodCheckDef, type: PortableType, operator: '>=' | '>' | '<=' | '<'): Read {
  const { value } = check
  const what = `${operator} ${value instanceof Date ? dateText(value) : String(value)}`
  if (value instanceof Date) {
    if (type.kind !== 'datetime') return { what, why: `the column holds a ${type.kind}` }
    const text = dateText(value)
    if (!/^\d{4}-/.test(text)) return { what, why: 'a bound has a year from 0 to 9999' }
    return { demands: [{ of: 'value', operator, value: text }] }
  }
  if (typeof value !== 'number' && typeof value !== 'bigint') {
    return { what, why: 'it is neither a number nor a Date' }
  }
  if (type.kind === 'int32' || type.kind === 'integer' || type.kind === 'bigint') {
    return { demands: wholeBound(operator, value, type.kind) }
  }
  if (type.kind !== 'number') return { what, why: `the column holds a ${type.kind}` }
  // Every number is greater than -Infinity, which is no literal of SQL.
  if (!Number.isFinite(Number(value))) return { demands: [] }
  return { demands: [{ of: 'value', operator, value }] }
}

function dateText(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'an invalid Date' : date.toISOString()
}

function boundsOfFormat(format: string): readonly Demand[] {
  const between = (low: Literal, high: Literal): readonly Demand[] => [
    { of: 'value', operator: '>=', value: low },
    { of: 'value', operator: '<=', value: high },
  ]
  if (format === 'uint32') return between(0, 4_294_967_295)
  if (format === 'float32') return between(-3.4028234663852886e38, 3.4028234663852886e38)
  return []
}

function formatOf(check: ZodCheckDef): Unenforced | { readonly demands: readonly Demand[] } {
  if (check.format === 'uuid') return { demands: [] }
  const why = 'engines differ in their regular expressions, and SQLite has none'
  const text = check.prefix ?? check.suffix ?? check.includes
  if (check.format === 'regex') return { what: `regex ${String(check.pattern)}`, why }
  return {
    what: text === undefined ? check.format! : `${check.format} ${JSON.stringify(text)}`,
    why,
  }
}
