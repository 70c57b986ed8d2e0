import { quoteIdentifier } from '@keelson/core'
import { UnsupportedChangeError } from '../../errors.ts'
import type { ColumnDefinition } from '../../ir/column.ts'
import type { TableDefinition } from '../../ir/table-definition.ts'
import { defaultSql } from '../../sql/default.ts'
import { columnTypeSql, typeCheckSql } from '../../sql/print-column.ts'
import { createTableSql } from '../../sql/print-table.ts'
import { tableNameSql } from '../../sql/table-name.ts'
import { canonicalText } from '../canonical-text.ts'
import { indexEstimate, lockingRisk, writeEstimate } from '../estimate.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { StepEstimate } from '../schema-plan.ts'
import type { ColumnChange, TableDifference } from '../table-difference.ts'
import type { Change } from './change.ts'
import { withColumn, withoutColumn } from './changed-table.ts'
import { isOver, needsColumn } from './columns-of.ts'
import { copySql } from './copied-columns.ts'
import { whatChanges } from './postgresql-change.ts'
import { newColumnChecks, nullCheck, violationCheck } from './prechecks.ts'
import { checkTypeChange } from './type-change.ts'

const engine = 'duckdb'

/**
 * DuckDB. It adds no constraints, and alters no table that has an index: indexes are dropped first and created again. A
 * column that an index was over when the transaction began cannot be dropped or get another type; but the table can be
 * rebuilt. One that another table refers to can do nothing of this, and only get more columns.
 */
export function alterDuckDB(change: Change, plan: PlanBuilder): void {
  const { difference } = change
  const { live } = difference
  const changes = difference.changedColumns.map(
    (each) => [each, checkTypeChange(live.name, each, engine)] as const,
  )
  if (!isNative(change, changes)) {
    rebuild(change, plan)
    return
  }
  if (difference.removedColumns.length > 0 || changes.length > 0) checkReferences(change)
  const at = `alter table ${tableNameSql(live, engine)}`
  for (const { name, ...column } of difference.removedColumns) {
    const before = current(change, plan)
    const next = withoutColumn(before, name)
    add(change, plan, next, {
      kind: 'dropColumn',
      object: name,
      why: 'The definition does not have it any more.',
      sql: [`${at} drop column ${quoteIdentifier(name, engine)}`],
      down: addSql(at, { name, ...column }),
      isDestructive: true,
    })
  }
  for (const column of difference.addedColumns) {
    const table = current(change, plan)
    const next = { ...table, columns: [...table.columns, column] }
    add(change, plan, next, {
      kind: 'addColumn',
      object: column.name,
      why: 'The definition has it.',
      sql: addSql(at, column),
      ...(isIndexedAtAll(difference)
        ? { rebuildDown: rebuildSql(next, table) }
        : { down: [`${at} drop column ${quoteIdentifier(column.name, engine)}`] }),
      prechecks: newColumnChecks(live, column, engine),
    })
  }
  for (const [each, hasOtherType] of changes) {
    const { from, to } = each
    add(change, plan, withColumn(current(change, plan), to), {
      kind: 'alterColumn',
      object: to.name,
      why: whatChanges(each, hasOtherType),
      sql: changeSql(at, from, to),
      down: changeSql(at, to, from),
      ...(from.nullable && !to.nullable && { prechecks: [nullCheck(live, from.name, engine)] }),
    })
  }
}

function isNative(
  { difference }: Change,
  changes: readonly (readonly [ColumnChange, boolean])[],
): boolean {
  const { addedChecks, addedColumns, addedForeignKeys, live, removedColumns } = difference
  const { hasOtherKey, removedChecks, removedForeignKeys } = difference
  const constraints = [addedChecks, removedChecks, addedForeignKeys, removedForeignKeys]
  return (
    !hasOtherKey &&
    constraints.every((each) => each.length === 0) &&
    addedColumns.every(isPlain) &&
    removedColumns.every((column) => isPlain(column) && isDroppable(column, live)) &&
    (removedColumns.length === 0 || live.indexes.length === 0) &&
    changes.every(([{ from, to }, hasOtherType]) => {
      if (canonicalText(from.generated) !== canonicalText(to.generated)) return false
      if ((from.identity === true) !== (to.identity === true)) return false
      if (!hasOtherType) return true
      // It changes no type under a CHECK, nor under an index that was there when the transaction began.
      return isPlain(from) && isPlain(to) && isDroppable(from, live) && !isIndexed(from, live)
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

function isIndexedAtAll({ live, desired }: TableDifference): boolean {
  return live.indexes.length > 0 || desired.indexes.length > 0
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

interface DuckDBStep {
  readonly kind: 'dropColumn' | 'addColumn' | 'alterColumn'
  readonly object: string
  readonly why: string
  readonly sql: readonly string[]
  readonly down?: readonly string[]
  /** In place of `down`, where that would be to drop a column of a table with indexes. */
  readonly rebuildDown?: readonly string[]
  readonly prechecks?: ReturnType<typeof newColumnChecks>
  readonly isDestructive?: boolean
}

/** A step between dropping the indexes and creating them again. */
function add(
  change: Change,
  plan: PlanBuilder,
  next: TableDefinition,
  { isDestructive = false, prechecks = [], sql, down, rebuildDown = [], ...step }: DuckDBStep,
): void {
  const { text, difference } = change
  const { drops, creates, estimate } = indexesAside(change, plan)
  plan.add(
    difference.live,
    {
      ...step,
      risk: isDestructive ? 'destructive' : lockingRisk(estimate),
      sql: [...drops, ...sql, ...creates],
      down: [...drops, ...(down ?? rebuildDown), ...creates],
      ...(text.rows > 0 && creates.length > 0 && { estimate }),
      ...(prechecks.length > 0 && { prechecks }),
    },
    next,
  )
}

function indexesAside(
  change: Change,
  plan: PlanBuilder,
): {
  readonly drops: readonly string[]
  readonly creates: readonly string[]
  readonly estimate: StepEstimate
} {
  const { text, difference } = change
  const table = current(change, plan)
  const drops: string[] = []
  const creates: string[] = []
  let estimate: StepEstimate = { rows: text.rows, ms: 0, bytes: 0 }
  for (const index of table.indexes) {
    const { name = '' } = index
    const sql = text.indexes.get(name)
    if (sql === undefined) continue
    drops.push(`drop index ${tableNameSql({ ...difference.live, name }, engine)}`)
    creates.push(sql.replace(/;\s*$/, ''))
    const one = indexEstimate(table, index, text.rows, engine)
    estimate = { rows: text.rows, ms: estimate.ms + one.ms, bytes: estimate.bytes + one.bytes }
  }
  return { drops, creates, estimate }
}

function rebuild(change: Change, plan: PlanBuilder): void {
  const { difference, text } = change
  const { addedChecks, addedColumns, changedColumns, desired, live, removedColumns } = difference
  checkReferences(change)
  const before = current(change, plan)
  const next = { ...desired, indexes: before.indexes }
  const { drops, creates, estimate: ofIndexes } = indexesAside(change, plan)
  const ofRows = writeEstimate(live, text.rows, engine)
  const estimate = { ...ofRows, ms: ofRows.ms + ofIndexes.ms, bytes: ofRows.bytes + ofIndexes.bytes }
  const prechecks = [
    ...changedColumns
      .filter(({ from, to }) => from.nullable && !to.nullable)
      .map(({ from }) => nullCheck(live, from.name, engine)),
    ...addedColumns.flatMap((column) => newColumnChecks(live, column, engine)),
    ...addedChecks
      .filter(({ predicate }) => isOver(predicate, live))
      .map((check) => violationCheck(live, check, engine)),
  ]
  const removed = removedColumns.map(({ name }) => name)
  plan.add(
    live,
    {
      kind: 'rebuildTable',
      ...(removed.length > 0 && { object: removed.join(', ') }),
      risk: removed.length > 0 ? 'destructive' : lockingRisk(estimate),
      why: 'DuckDB cannot alter this in place.',
      sql: [...drops, ...rebuildSql(before, next), ...creates],
      down: [...drops, ...rebuildSql(next, before), ...creates],
      estimate,
      ...(prechecks.length > 0 && { prechecks }),
    },
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

function current({ difference }: Change, plan: PlanBuilder): TableDefinition {
  return plan.table(difference.live) ?? difference.live
}
