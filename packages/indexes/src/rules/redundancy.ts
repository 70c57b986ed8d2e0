import type { EngineName } from '@keelson/core'
import type { Predicate } from '../ir/expression.ts'
import type { IndexDefinition, IndexKey } from '../ir/index-definition.ts'
import { indexName } from '../names/index-name.ts'
import { expressionText } from './expression-text.ts'
import type { IndexedTable } from './indexed-table.ts'
import type { Objection } from './objection.ts'
import { canonicalText } from '../ir/canonical-text.ts'
import { methodOf } from '../sql/index-method.ts'

/**
 * Why a table needs no such index beside its primary key and these others; undefined when it does. An index is redundant
 * whose keys are the first ones of another (or those reversed, since it is read from both ends) over the same rows by the
 * same method. A unique index goes only for a key that demands the same.
 */
export function whyRedundant(
  index: IndexDefinition,
  others: readonly IndexDefinition[],
  table: IndexedTable,
): Objection | undefined {
  if (isServedByPrimaryKey(index, table)) {
    return redundant(`the primary key ${index.unique ? 'has' : 'begins with'} its columns`)
  }
  const other = others.find(
    (candidate) =>
      isOfOneKind(index, candidate, table.engine) &&
      isHeld(index, candidate) &&
      (index.unique ? demandsSame(index, candidate) : beginsWith(candidate, index, table)),
  )
  if (other === undefined) return undefined
  const name = indexName(table.definition, other, table.engine)
  if (index.unique) return redundant(`${name} demands the same`)
  const hasAll = index.keys.length === other.keys.length
  return redundant(`${name} ${hasAll ? 'has' : 'begins with'} its keys`)
}

/**
 * Why a table needs no such index beside another one that has all but its last key: entries with equal keys are in the order of
 * the primary key anyway. To be asked after `whyRedundant`, which would let the other one go for a third.
 */
export function whyOrderedAnyway(
  index: IndexDefinition,
  others: readonly IndexDefinition[],
  table: IndexedTable,
): Objection | undefined {
  if (index.unique) return undefined
  const other = others.find(
    (candidate) =>
      isOfOneKind(index, candidate, table.engine) &&
      isHeld(index, candidate) &&
      isWithImpliedKey(index, candidate, table),
  )
  if (other === undefined) return undefined
  const name = indexName(table.definition, other, table.engine)
  return redundant(`${name} has its order: equal keys are in the order of the primary key`)
}

/** Whether two indexes differ at most in their names. */
export function isSameIndex(a: IndexDefinition, b: IndexDefinition, engine: EngineName): boolean {
  return (
    a.unique === b.unique &&
    isOfOneKind(a, b, engine) &&
    isOfOneNull(a, b) &&
    (a.include ?? []).join('\0') === (b.include ?? []).join('\0') &&
    keyTexts(a.keys).join('\0') === keyTexts(b.keys).join('\0')
  )
}

/** Whether the first ones of `longer` are these keys, read from one end or the other. */
function isPrefix(keys: readonly IndexKey[], longer: readonly IndexKey[]): boolean {
  if (keys.length > longer.length) return false
  const start = keyTexts(longer.slice(0, keys.length)).join('\0')
  return start === keyTexts(keys).join('\0') || start === keyTexts(reversed(keys)).join('\0')
}

export function reversed(keys: readonly IndexKey[]): readonly IndexKey[] {
  return keys.map((key) => ({ ...key, direction: key.direction === 'desc' ? 'asc' : 'desc' }))
}

/** The keys of the index that a primary key is. */
export function primaryKeyOf({ definition }: IndexedTable): readonly IndexKey[] {
  return definition.primaryKey.map(columnKey)
}

function isServedByPrimaryKey(index: IndexDefinition, table: IndexedTable): boolean {
  const isPlain =
    index.where === undefined &&
    methodOf(index, table.engine) === undefined &&
    (index.include ?? []).length === 0
  const primaryKey = primaryKeyOf(table)
  if (!isPlain || !isPrefix(index.keys, primaryKey)) return false
  return !index.unique || index.keys.length === primaryKey.length
}

function beginsWith(other: IndexDefinition, index: IndexDefinition, table: IndexedTable): boolean {
  // Of these two it is the other one that goes.
  if (isWithImpliedKey(other, index, table) && !other.unique) return false
  return isPrefix(index.keys, other.keys)
}

function demandsSame(index: IndexDefinition, other: IndexDefinition): boolean {
  return (
    other.unique &&
    isOfOneNull(index, other) &&
    index.keys.length === other.keys.length &&
    isPrefix(index.keys, other.keys)
  )
}

/** Whether an index is another one with the key at its end by which the entries of that are ordered anyway. */
function isWithImpliedKey(
  index: IndexDefinition,
  other: IndexDefinition,
  { impliedLastKey }: IndexedTable,
): boolean {
  if (impliedLastKey === undefined || index.keys.length !== other.keys.length + 1) return false
  return isPrefix(index.keys, [...other.keys, columnKey(impliedLastKey)])
}

function isOfOneKind(a: IndexDefinition, b: IndexDefinition, engine: EngineName): boolean {
  return methodOf(a, engine) === methodOf(b, engine) && isSamePredicate(a.where, b.where)
}

function isSamePredicate(a: Predicate | undefined, b: Predicate | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && canonicalText(a) === canonicalText(b))
}

function isOfOneNull(a: IndexDefinition, b: IndexDefinition): boolean {
  return (a.nullsDistinct ?? true) === (b.nullsDistinct ?? true)
}

/** Whether another index holds every column that this one does besides its keys. */
function isHeld(index: IndexDefinition, other: IndexDefinition): boolean {
  const held = new Set(other.include)
  for (const { expression } of other.keys) {
    if (expression.kind === 'column') held.add(expression.name)
  }
  return (index.include ?? []).every((name) => held.has(name))
}

function keyTexts(keys: readonly IndexKey[]): readonly string[] {
  return keys.map(
    ({ expression, direction, collation }) =>
      `${expressionText(expression)}\0${direction ?? 'asc'}\0${collation ?? ''}`,
  )
}

function columnKey(name: string): IndexKey {
  return { expression: { kind: 'column', name } }
}

function redundant(why: string): Objection {
  return { code: 'REDUNDANT', why, instead: 'Leave it out: the other one is used in its place' }
}
