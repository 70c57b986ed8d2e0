import type { EngineName } from '@keelson/core'
import { UnsupportedChangeError } from '../../errors.ts'
import type { PortableType } from '../../ir/portable-type.ts'
import { canonicalText } from '../../ir/canonical-text.ts'
import type { ColumnChange } from '../table-difference.ts'

/**
 * Refuses a change of type in which values would become others. Left are those that keep each value as it is: to a wider type, and
 * to a narrower one, where the engine refuses a value that does not fit.
 *
 * @returns whether the type changes at all
 */
export function checkTypeChange(
  table: string,
  { from, to }: ColumnChange,
  engine: EngineName,
): boolean {
  const one = from.override?.[engine]
  const other = to.override?.[engine]
  if (one !== undefined || other !== undefined) {
    if (one === other) return false
    refuse(table, to.name, one ?? from.type.kind, other ?? to.type.kind)
  }
  if (canonicalText(from.type) === canonicalText(to.type)) return false
  if (!keepsValues(from.type, to.type)) refuse(table, to.name, wordsOf(from.type), wordsOf(to.type))
  return true
}

function keepsValues(from: PortableType, to: PortableType): boolean {
  if (from.kind === 'decimal' && to.kind === 'decimal') return from.scale === to.scale
  if (from.kind === 'array' && to.kind === 'array')
    return from.of.kind === to.of.kind && from.of.kind !== 'decimal'
  if (from.kind === to.kind) return true
  return (
    families.some((kinds) => kinds.includes(from.kind) && kinds.includes(to.kind)) ||
    isExact(from, to)
  )
}

/** Kinds whose values are the same in each that has them. */
const families: readonly (readonly PortableType['kind'][])[] = [
  ['int32', 'integer', 'bigint'],
  ['string', 'enum'],
]

/** A double has them all; the other way it would round. */
function isExact(from: PortableType, to: PortableType): boolean {
  return (from.kind === 'int32' || from.kind === 'integer') && to.kind === 'number'
}

function wordsOf(type: PortableType): string {
  if (type.kind === 'decimal') return `decimal(${type.precision}, ${type.scale})`
  return type.kind === 'array' ? `array of ${type.of.kind}` : type.kind
}

function refuse(table: string, column: string, from: string, to: string): never {
  throw new UnsupportedChangeError(
    table,
    column,
    `Column ${JSON.stringify(column)} of ${JSON.stringify(table)} is ${from} and is defined as ${to}, which is no change that ` +
      'keeps each value. Add a column of the new type, fill it, and drop the old one. Nothing was changed.',
  )
}
