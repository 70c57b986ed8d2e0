/** Over 300 lines, being one subject: how a table of DuckDB changes: which of its own changes there are, and the rebuild that takes the place of the others. */
import { quoteIdentifier } from '@keelson/core'
import { UnsupportedChangeError } from '../../errors.ts'
import type { ColumnDefinition } from '../../ir/column.ts'
import type { IndexDefinition } from '../../ir/index-definition.ts'
import type { TableDefinition } from '../../ir/table-definition.ts'
import { defaultSql } from '../../sql/default.ts'
import { columnTypeSql, typeCheckSql } from '../../sql/print-column.ts'
import { createTableSql } from '../../sql/print-table.ts'
import { tableNameSql } from '../../sql/table-name.ts'
import { canonicalText } from '../../ir/canonical-text.ts'
import { indexEstimate, lockingRisk, writeEstimate } from '../estimate.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { ColumnChange } from '../table-difference.ts'
import type { Change } from './change.ts'
import { withColumn, withoutColumn } from './changed-table.ts'
import { needsColumn } from './columns-of.ts'
import { copySql } from './copied-columns.ts'
import { whatChanges } from './postgresql-change.ts'
import { newColumnChecks, nullCheck } from './prechecks.ts'
import { rebuildStep } from './rebuild.ts'
import { checkTypeChange } from './type-change.ts'

const engine = 'duckdb'

/**
 * DuckDB. It adds no constraints. A table that has an index can only get more columns, a column that an index was over when
 * the transaction began keeps its type, and an index that is dropped and created once cannot be so again in one transaction.
 * So all indexes of a table are dropped before it is altered, and created again afterwards; what cannot be altered is rebuilt.
 * The name of a unique index that was dropped is free only in another table until the transaction has committed: a table
 * that keeps one is rebuilt.
 * A table that another one refers to can do nothing of this, and only get more columns.
 */
export function alterDuckDB(change: Change, plan: PlanBuilder): void {
  const { difference } = change
  const { live } = difference
  const changes = difference.changedColumns.map(
    (each) => [each, checkTypeChange(live.name, each, engine)] as const,
  )
  if (isOnlyMore(change)) {
    addColumns(change, plan)
    return
  }
  checkReferences(change)
  const createAgain = setIndexesAside(change, plan)
  if (isNative(change, changes)) alterNatively(change, changes, plan)
  else rebuild(change, plan)
  createAgain()
}

/** Whether columns are added that need nothing else, and no index is dropped whose return would be in the way of undoing that. */
function isOnlyMore({ difference, isReferenced }: Change): boolean {
  const { addedColumns, addedChecks, addedForeignKeys, changedColumns } = difference
  const { hasOtherKey, removedChecks, removedColumns, removedForeignKeys } = difference
  const others = [addedChecks, addedForeignKeys, changedColumns]
  const removed = [removedChecks, removedColumns, removedForeignKeys]
  return (
    !hasOtherKey &&
    [...others, ...removed].every((each) => each.length === 0) &&
    (isReferenced || difference.removedIndexes.length === 0) &&
    addedColumns.every((column) => isPlain(column) && column.nullable)
  )
}

/** All in one step, since what undoes it drops the indexes of the table and creates them again. */
function addColumns(change: Change, plan: PlanBuilder): void {
  const { difference, text } = change
  const { addedColumns, desired, live } = difference
  const at = `alter table ${tableNameSql(live, engine)}`
  const before = current(change, plan)
  const next = { ...before, columns: [...before.columns, ...addedColumns] }
  const hasIndexes = before.indexes.length > 0 || desired.indexes.length > 0
  const drops: string[] = []
  const creates: string[] = []
  for (const { name = '' } of before.indexes) {
    const sql = text.indexes.get(name)
    if (sql === undefined) continue
    drops.push(`drop index ${tableNameSql({ ...live, name }, engine)}`)
    creates.push(withoutEnd(sql))
  }
  const names = addedColumns.map(({ name }) => name)
  plan.add(
    live,
    {
      kind: 'addColumn',
      object: names.join(', '),
      risk: 'safe',
      why: 'The definition has it.',
      sql: addedColumns.flatMap((column) => addSql(at, column)),
      down: hasIndexes
        ? [...drops, ...rebuildSql(next, before), ...creates]
        : names.map((name) => `${at} drop column ${quoteIdentifier(name, engine)}`),
    },
    next,
  )
}

/** @returns what creates those again that are to stay */
function setIndexesAside(change: Change, plan: PlanBuilder): () => void {
  const { difference, text } = change
  const { live, removedIndexes } = difference
  const again: (() => void)[] = []
  for (const index of current(change, plan).indexes) {
    const { name = '' } = index
    const sql = text.indexes.get(name)
    if (sql === undefined) continue
    const stays = !removedIndexes.includes(index)
    const before = current(change, plan)
    const drop = `drop index ${tableNameSql({ ...live, name }, engine)}`
    const create = withoutEnd(sql)
    plan.add(
      live,
      {
        kind: 'dropIndex',
        object: name,
        risk: 'safe',
        why: stays
          ? 'DuckDB alters no table that has an index; it is created again afterwards.'
          : 'No definition asks for it any more, or another one does its work.',
        sql: [drop],
        down: [create],
      },
      { ...before, indexes: before.indexes.filter((each) => each !== index) },
    )
    if (stays) again.push(() => createAgain(change, plan, index, create, drop))
  }
  return () => again.forEach((each) => each())
}

function createAgain(
  change: Change,
  plan: PlanBuilder,
  index: IndexDefinition,
  create: string,
  drop: string,
): void {
  const { difference, text } = change
  const before = current(change, plan)
  const estimate = indexEstimate(before, index, text.rows, engine)
  plan.add(
    difference.live,
    {
      kind: 'createIndex',
      object: index.name ?? '',
      risk: lockingRisk(estimate),
      why: 'It was dropped for the table to be altered.',
      sql: [create],
      down: [drop],
      ...(text.rows > 0 && { estimate }),
    },
    { ...before, indexes: [...before.indexes, index] },
  )
}

function alterNatively(
  change: Change,
  changes: readonly (readonly [ColumnChange, boolean])[],
  plan: PlanBuilder,
): void {
  const { difference } = change
  const { live } = difference
  const at = `alter table ${tableNameSql(live, engine)}`
  for (const column of difference.removedColumns) {
    plan.add(
      live,
      {
        kind: 'dropColumn',
        object: column.name,
        risk: 'destructive',
        why: 'The definition does not have it any more.',
        sql: [`${at} drop column ${quoteIdentifier(column.name, engine)}`],
        down: addSql(at, column),
      },
      withoutColumn(current(change, plan), column.name),
    )
  }
  for (const column of difference.addedColumns) {
    const table = current(change, plan)
    const prechecks = newColumnChecks(live, column, engine)
    plan.add(
      live,
      {
        kind: 'addColumn',
        object: column.name,
        risk: 'safe',
        why: 'The definition has it.',
        sql: addSql(at, column),
        down: [`${at} drop column ${quoteIdentifier(column.name, engine)}`],
        ...(prechecks.length > 0 && { prechecks }),
      },
      { ...table, columns: [...table.columns, column] },
    )
  }
  for (const [each, hasOtherType] of changes) {
    const { from, to } = each
    const estimate = writeEstimate(live, hasOtherType ? change.text.rows : 0, engine)
    plan.add(
      live,
      {
        kind: 'alterColumn',
        object: to.name,
        risk: lockingRisk(estimate),
        why: whatChanges(each, hasOtherType),
        sql: changeSql(at, from, to),
        down: changeSql(at, to, from),
        ...(hasOtherType && { estimate }),
        ...(from.nullable && !to.nullable && { prechecks: [nullCheck(live, from.name, engine)] }),
      },
      withColumn(current(change, plan), to),
    )
  }
}

function isNative(
  { difference }: Change,
  changes: readonly (readonly [ColumnChange, boolean])[],
): boolean {
  const { addedChecks, addedColumns, addedForeignKeys, desired, live, removedColumns } = difference
  const { hasOtherKey, removedChecks, removedForeignKeys } = difference
  const constraints = [addedChecks, removedChecks, addedForeignKeys, removedForeignKeys]
  return (
    !hasOtherKey &&
    !live.indexes.some((index) => index.unique && !difference.removedIndexes.includes(index)) &&
    constraints.every((each) => each.length === 0) &&
    addedColumns.every(isPlain) &&
    removedColumns.every((column) => isPlain(column) && isDroppable(column, live)) &&
    (removedColumns.length === 0 || hasNoKeys(live)) &&
    // An index that was there when the transaction began is in the way, even when it was dropped in it.
    (removedColumns.length + addedColumns.length === 0 ||
      (live.indexes.length === 0 && desired.indexes.length === 0)) &&
    live.columns.length > removedColumns.length &&
    changes.every(([{ from, to }, hasOtherType]) => {
      if (canonicalText(from.generated) !== canonicalText(to.generated)) return false
      if ((from.identity === true) !== (to.identity === true)) return false
      if (!hasOtherType) return true
      // It changes no type under a CHECK, nor under an index that was there when the transaction began.
      return (
        isPlain(from) &&
        isPlain(to) &&
        isDroppable(from, live) &&
        !isIndexed(from, live) &&
        !isIndexed(from, desired)
      )
    })
  )
}

/** Whether the column has nothing that DuckDB can only say when it creates the table. */
function isPlain(column: ColumnDefinition): boolean {
  return (
    column.generated === undefined &&
    column.identity !== true &&
    typeCheckSql(column, engine) === undefined
  )
}

function isDroppable({ name }: ColumnDefinition, live: TableDefinition): boolean {
  return (
    live.checks.length === 0 &&
    live.columns.every(({ generated }) => generated === undefined) &&
    !live.primaryKey.includes(name) &&
    live.foreignKeys.every(({ columns }) => !columns.includes(name)) &&
    live.indexes.every((index) => index.constraint !== true || !needsColumn(index, name))
  )
}

/** A key has an index, and no column before one of an index can be dropped. */
function hasNoKeys({ primaryKey, foreignKeys, indexes }: TableDefinition): boolean {
  return primaryKey.length + foreignKeys.length + indexes.length === 0
}

function isIndexed({ name }: ColumnDefinition, live: TableDefinition): boolean {
  return live.indexes.some((index) => needsColumn(index, name))
}

function addSql(at: string, column: ColumnDefinition): readonly string[] {
  const name = quoteIdentifier(column.name, engine)
  const value = defaultSql(column, engine)
  const defaulted = value === undefined ? '' : ` default ${value}`
  const add = `${at} add column ${name} ${columnTypeSql(column, engine)}${defaulted}`
  return column.nullable ? [add] : [add, `${at} alter column ${name} set not null`]
}

function changeSql(at: string, from: ColumnDefinition, to: ColumnDefinition): readonly string[] {
  const alter = (sql: string): string =>
    `${at} alter column ${quoteIdentifier(to.name, engine)} ${sql}`
  const sql: string[] = []
  const oldType = columnTypeSql(from, engine)
  const newType = columnTypeSql(to, engine)
  if (oldType !== newType) sql.push(alter(`type ${newType}`))
  const before = defaultSql(from, engine)
  const after = defaultSql(to, engine)
  if (before !== after)
    sql.push(alter(after === undefined ? 'drop default' : `set default ${after}`))
  if (from.nullable !== to.nullable) sql.push(alter(`${to.nullable ? 'drop' : 'set'} not null`))
  return sql
}

function rebuild(change: Change, plan: PlanBuilder): void {
  const { difference, text } = change
  const { desired, live } = difference
  const before = current(change, plan)
  const next = { ...desired, indexes: before.indexes }
  const estimate = writeEstimate({ ...live, indexes: [] }, text.rows, engine)
  plan.add(
    live,
    rebuildStep(difference, engine, {
      why: 'DuckDB cannot alter this in place.',
      sql: rebuildSql(before, next),
      down: rebuildSql(next, before),
      estimate,
    }),
    next,
  )
}

function checkReferences({ difference, isReferenced }: Change): void {
  if (!isReferenced) return
  const { name } = difference.live
  throw new UnsupportedChangeError(
    name,
    undefined,
    `Table ${JSON.stringify(name)} is defined otherwise than it is, and DuckDB only adds columns to a table that another one ` +
      'refers to. Export the database and import it into new tables, or leave the table as it is. Nothing was changed.',
  )
}

function rebuildSql(from: TableDefinition, to: TableDefinition): readonly string[] {
  const old = { ...from, name: `${from.name}__keelson_old` }
  // The sequences of numbered columns go on counting.
  const known = new Set(createTableSql(from, engine).slice(0, -1))
  const create = createTableSql(to, engine).filter((sql) => !known.has(sql))
  return [
    `alter table ${tableNameSql(from, engine)} rename to ${quoteIdentifier(old.name, engine)}`,
    ...create,
    ...copySql(from, old.name, to, engine),
    `drop table ${tableNameSql(old, engine)}`,
  ]
}

function withoutEnd(sql: string): string {
  return sql.replace(/;\s*$/, '')
}

function current({ difference }: Change, plan: PlanBuilder): TableDefinition {
  return plan.table(difference.live) ?? difference.live
}
