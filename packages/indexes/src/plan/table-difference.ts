import type { EngineName } from '@keelson/core'
import type { ColumnDefinition } from '../ir/column.ts'
import type { IndexDefinition } from '../ir/index-definition.ts'
import type {
  CheckDefinition,
  ForeignKeyDefinition,
  TableDefinition,
} from '../ir/table-definition.ts'
import { checkName } from '../names/constraint-name.ts'
import { indexName, isManagedName } from '../names/index-name.ts'
import { canonicalText } from '../ir/canonical-text.ts'

/** In what a table differs from its definition. Both are in the engine's canonical form. */
export interface TableDifference {
  readonly live: TableDefinition
  readonly desired: TableDefinition
  readonly addedColumns: readonly ColumnDefinition[]
  readonly removedColumns: readonly ColumnDefinition[]
  readonly changedColumns: readonly ColumnChange[]
  readonly addedChecks: readonly CheckDefinition[]
  readonly removedChecks: readonly CheckDefinition[]
  readonly addedForeignKeys: readonly ForeignKeyDefinition[]
  readonly removedForeignKeys: readonly ForeignKeyDefinition[]
  readonly hasOtherKey: boolean
  readonly addedIndexes: readonly IndexDefinition[]
  /** Those that were created from a definition, and are in none any more. */
  readonly removedIndexes: readonly IndexDefinition[]
  /** Those that somebody else has created, and that no definition asks for. */
  readonly unmanagedIndexes: readonly IndexDefinition[]
}

export interface ColumnChange {
  readonly from: ColumnDefinition
  readonly to: ColumnDefinition
}

export function differenceOf(
  live: TableDefinition,
  desired: TableDefinition,
  engine: EngineName,
): TableDifference {
  const liveColumns = new Map(live.columns.map((column) => [column.name, column]))
  const desiredColumns = new Map(desired.columns.map((column) => [column.name, column]))
  const changedColumns: ColumnChange[] = []
  for (const to of desired.columns) {
    const from = liveColumns.get(to.name)
    if (from !== undefined && !isSameColumn(from, to)) changedColumns.push({ from, to })
  }
  const checks = setDifference(live.checks, desired.checks, (check) =>
    checkName(desired, unnamed(check), engine),
  )
  const foreignKeys = setDifference(live.foreignKeys, desired.foreignKeys)
  const indexes = setDifference(live.indexes, desired.indexes, (index) =>
    indexName(desired, unnamed(index), engine),
  )
  const isManaged = (index: IndexDefinition): boolean => isManagedName(live, index, engine)
  return {
    live,
    desired,
    addedColumns: desired.columns.filter(({ name }) => !liveColumns.has(name)),
    removedColumns: live.columns.filter(({ name }) => !desiredColumns.has(name)),
    changedColumns,
    addedChecks: checks.added,
    removedChecks: checks.removed,
    addedForeignKeys: foreignKeys.added,
    removedForeignKeys: foreignKeys.removed,
    hasOtherKey: live.primaryKey.join('\0') !== desired.primaryKey.join('\0'),
    addedIndexes: indexes.added,
    removedIndexes: indexes.removed.filter(isManaged),
    unmanagedIndexes: indexes.removed.filter((index) => !isManaged(index)),
  }
}

/** Whether more than its indexes differs. */
export function isAltered(difference: TableDifference): boolean {
  return (
    difference.hasOtherKey ||
    difference.addedColumns.length > 0 ||
    difference.removedColumns.length > 0 ||
    difference.changedColumns.length > 0 ||
    difference.addedChecks.length > 0 ||
    difference.removedChecks.length > 0 ||
    difference.addedForeignKeys.length > 0 ||
    difference.removedForeignKeys.length > 0
  )
}

export function isSameColumn(one: ColumnDefinition, other: ColumnDefinition): boolean {
  return canonicalText(withoutWords(one)) === canonicalText(withoutWords(other))
}

export function withoutWords(column: ColumnDefinition): object {
  if (column.description === undefined) return column
  const { description: _, ...rest } = column
  return rest
}

/**
 * What is in one list and not in the other, where the same under two names is the same. So is what has one name, when that
 * was made of the definition: engines spell some SQL so that nothing reads it as what was given.
 */
function setDifference<T extends { readonly name?: string }>(
  live: readonly T[],
  desired: readonly T[],
  derivedName?: (item: T) => string,
): { readonly added: readonly T[]; readonly removed: readonly T[] } {
  const left = new Map<string, T[]>()
  for (const item of live) {
    const text = textOf(item)
    left.set(text, [...(left.get(text) ?? []), item])
  }
  const added: T[] = []
  for (const item of desired) {
    const same = left.get(textOf(item))
    if (same === undefined || same.length === 0) added.push(item)
    else removeBest(same, item.name)
  }
  const removed = [...left.values()].flat()
  const same = new Set<string>()
  for (const { name } of removed) {
    const asked = name === undefined ? undefined : added.find((item) => item.name === name)
    if (asked !== undefined && derivedName?.(asked) === name) same.add(name!)
  }
  const isOther = ({ name }: T): boolean => name === undefined || !same.has(name)
  return { added: added.filter(isOther), removed: removed.filter(isOther) }
}

function unnamed<T extends { readonly name?: string }>(item: T): Omit<T, 'name'> {
  const { name: _, ...rest } = item
  return rest
}

/** Of several that are the same, the one that also has the name. */
function removeBest<T extends { readonly name?: string }>(
  same: T[],
  name: string | undefined,
): void {
  const at = same.findIndex((item) => item.name === name)
  same.splice(Math.max(at, 0), 1)
}

function textOf(item: { readonly name?: string }): string {
  return canonicalText(unnamed(item))
}
