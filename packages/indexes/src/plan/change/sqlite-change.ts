/** Over 300 lines, being one subject: how a table of SQLite changes: which of its own changes there are, and the rebuild that takes the place of the others. */
import { quoteIdentifier } from '@keelson/core'
import { UnsupportedChangeError } from '../../errors.ts'
import type { ColumnDefinition } from '../../ir/column.ts'
import type { TableDefinition } from '../../ir/table-definition.ts'
import { checkName } from '../../names/constraint-name.ts'
import { checkSql, columnSql, createTableSql } from '../../sql/print-table.ts'
import { tableNameSql } from '../../sql/table-name.ts'
import { lockingRisk, readEstimate, writeEstimate } from '../estimate.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { StepCheck } from '../schema-plan.ts'
import { type ColumnChange, isSameColumn } from '../table-difference.ts'
import type { Change } from './change.ts'
import { withColumn, withoutCheck, withoutColumn } from './changed-table.ts'
import { copySql } from './copied-columns.ts'
import { newColumnChecks, nullCheck, violationCheck } from './prechecks.ts'
import { rebuilding, rebuildStep } from './rebuild.ts'
import { checkTypeChange } from './type-change.ts'

const engine = 'sqlite'

/**
 * SQLite. Each of its own changes rewrites the text of the CREATE TABLE, and only one that adds at the end is undone to the same text
 * by its opposite. So a table takes its own changes where at most one is of another kind, which then comes first and is
 * undone by a rebuild to the text as it was; else it is rebuilt for all of them at once.
 */
export function alterSqlite(change: Change, plan: PlanBuilder): void {
  const { difference } = change
  const { live } = difference
  for (const each of difference.changedColumns) checkTypeChange(live.name, each, engine)
  if (!isNative(change)) {
    rebuild(change, plan)
    return
  }
  for (const column of difference.removedColumns) dropColumn(change, column, plan)
  for (const each of difference.changedColumns) changeNull(change, each, plan)
  for (const check of difference.removedChecks) {
    const name = quoteIdentifier(checkName(live, check, engine), engine)
    alter(
      change,
      {
        kind: 'dropCheck',
        object: checkName(live, check, engine),
        why: 'No definition asks for it any more.',
        sql: `drop constraint ${name}`,
      },
      withoutCheck(current(change, plan), check),
      plan,
    )
  }
  for (const column of difference.addedColumns) addColumn(change, column, plan)
  for (const check of difference.addedChecks) {
    const estimate = readEstimate(change.text.rows, engine)
    const table = current(change, plan)
    const name = checkName(live, check, engine)
    plan.add(
      live,
      {
        kind: 'addCheck',
        object: name,
        risk: lockingRisk(estimate),
        why: 'The definition asks for it.',
        sql: [`alter table ${tableNameSql(live, engine)} add ${checkSql(live, check, engine)}`],
        down: [
          `alter table ${tableNameSql(live, engine)} drop constraint ${quoteIdentifier(name, engine)}`,
        ],
        estimate,
        prechecks: [violationCheck(live, check, engine)],
      },
      { ...table, checks: [...table.checks, check] },
    )
  }
}

function isNative({ difference, altersConstraints }: Change): boolean {
  const { addedChecks, addedColumns, changedColumns, removedChecks, removedColumns } = difference
  const { addedForeignKeys, removedForeignKeys, hasOtherKey, live } = difference
  if (hasOtherKey || addedForeignKeys.length > 0 || removedForeignKeys.length > 0) return false
  const altered = addedChecks.length + removedChecks.length + changedColumns.length
  if (altered > 0 && !altersConstraints) return false
  return (
    removedColumns.length + changedColumns.length + removedChecks.length <= 1 &&
    addedColumns.every(isAddable) &&
    changedColumns.every(isOnlyNull) &&
    removedColumns.every((column) => isDroppable(column, live))
  )
}

/** https://www.sqlite.org/lang_altertable.html#alter_table_add_column */
function isAddable({ name, default: value, generated, identity }: ColumnDefinition): boolean {
  if (rowidAliases.test(name)) return false
  if (identity === true || generated?.stored === true) return false
  return value === undefined || value.kind === 'value'
}

/** SQLite creates a table with a column of such a name, and adds none to it. */
const rowidAliases = /^(?:_rowid_|rowid|oid)$/i

/** https://www.sqlite.org/lang_altertable.html#alter_table_drop_column; in the table's own text another column may name it. */
function isDroppable({ name }: ColumnDefinition, live: TableDefinition): boolean {
  return (
    // A table is never without one, and what is added comes later.
    live.columns.length > 1 &&
    live.columns.every(({ generated }) => generated === undefined) &&
    !live.primaryKey.includes(name) &&
    live.foreignKeys.every(({ columns }) => !columns.includes(name)) &&
    live.checks.length === 0 &&
    live.indexes.every(({ constraint }) => constraint !== true)
  )
}

function isOnlyNull({ from, to }: ColumnChange): boolean {
  return from.nullable !== to.nullable && hasSameRest(from, to)
}

function hasSameRest(from: ColumnDefinition, to: ColumnDefinition): boolean {
  return isSameColumn({ ...from, nullable: true }, { ...to, nullable: true })
}

function dropColumn(change: Change, column: ColumnDefinition, plan: PlanBuilder): void {
  alter(
    change,
    {
      kind: 'dropColumn',
      object: column.name,
      why: 'The definition does not have it any more.',
      sql: `drop column ${quoteIdentifier(column.name, engine)}`,
    },
    withoutColumn(current(change, plan), column.name),
    plan,
  )
}

function changeNull(change: Change, { from, to }: ColumnChange, plan: PlanBuilder): void {
  const name = quoteIdentifier(to.name, engine)
  const { live } = change.difference
  alter(
    change,
    {
      kind: 'alterColumn',
      object: to.name,
      why: to.nullable ? 'It may be NULL now.' : 'It must not be NULL any more.',
      sql: `alter column ${name} ${to.nullable ? 'drop' : 'set'} not null`,
      ...(!to.nullable && { prechecks: [nullCheck(live, from.name, engine)] }),
    },
    withColumn(current(change, plan), to),
    plan,
  )
}

function addColumn(change: Change, column: ColumnDefinition, plan: PlanBuilder): void {
  const { live } = change.difference
  const name = tableNameSql(live, engine)
  const table = current(change, plan)
  const prechecks = newColumnChecks(live, column, engine)
  plan.add(
    live,
    {
      kind: 'addColumn',
      object: column.name,
      risk: 'safe',
      why: 'The definition has it.',
      sql: [`alter table ${name} add column ${columnSql(column, live, engine)}`],
      down: [`alter table ${name} drop column ${quoteIdentifier(column.name, engine)}`],
      ...(prechecks.length > 0 && { prechecks }),
    },
    { ...table, columns: [...table.columns, column] },
  )
}

interface NativeChange {
  readonly kind: 'dropColumn' | 'alterColumn' | 'dropCheck'
  readonly object: string
  readonly why: string
  readonly sql: string
  readonly prechecks?: readonly StepCheck[]
}

/** One of SQLite's own changes, which a rebuild undoes. */
function alter(
  change: Change,
  { sql, ...step }: NativeChange,
  next: TableDefinition,
  plan: PlanBuilder,
): void {
  const { live } = change.difference
  const rows = change.text.rows
  const isDrop = step.kind === 'dropColumn'
  const estimate = isDrop ? writeEstimate(live, rows, engine) : readEstimate(rows, engine)
  const before = current(change, plan)
  plan.add(
    live,
    {
      ...step,
      risk: isDrop ? 'destructive' : lockingRisk(estimate),
      sql: [`alter table ${tableNameSql(live, engine)} ${sql}`],
      down: rebuildSql(change, next, before, [textOf(change)]),
      estimate,
    },
    next,
  )
}

function rebuild(change: Change, plan: PlanBuilder): void {
  const { difference, text } = change
  const { desired, live } = difference
  checkRebuildable(change)
  const before = current(change, plan)
  const next = { ...desired, indexes: before.indexes }
  const estimate = writeEstimate(live, text.rows, engine)
  plan.add(
    live,
    rebuildStep(difference, engine, {
      why: whyRebuilt(change),
      sql: rebuildSql(change, before, next, createTableSql(next, engine)),
      down: rebuildSql(change, next, before, [textOf(change)]),
      estimate,
    }),
    next,
  )
}

/**
 * The way of https://www.sqlite.org/lang_altertable.html#otheralter, but that the old table is renamed: the text of a table that is
 * renamed is not what it was created with. With `legacy_alter_table` nothing that refers to the table follows the renaming.
 */
function rebuildSql(
  { text, difference }: Change,
  from: TableDefinition,
  to: TableDefinition,
  create: readonly string[],
): readonly string[] {
  const { name, schema } = difference.live
  const old = `${name}__keelson_old`
  const oldName = tableNameSql({ name: old, ...(schema !== undefined && { schema }) }, engine)
  const isNumbered = [from, to].every(({ columns }) => columns.some(({ identity }) => identity))
  const kept = to.indexes.flatMap((index) => text.indexes.get(index.name ?? '') ?? [])
  return rebuilding(
    `alter table ${tableNameSql(difference.live, engine)} rename to ${quoteIdentifier(old, engine)}`,
    ...create,
    ...copySql(from, old, to, engine),
    ...(isNumbered ? keepNumbers(name, old) : []),
    `drop table ${oldName}`,
    ...kept,
    ...text.triggers,
  )
}

/** The highest number that was ever given, which may be of a row that is no more. */
function keepNumbers(name: string, old: string): readonly string[] {
  const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`
  return [
    `delete from sqlite_sequence where name = ${literal(name)}`,
    `insert into sqlite_sequence (name, seq) select ${literal(name)}, seq from sqlite_sequence where name = ${literal(old)}`,
  ]
}

/** What a definition cannot say is not in a table that is created from it. */
const unsaid = /\b(?:collate|deferrable|without\s+rowid|on\s+conflict)\b/i

function checkRebuildable(change: Change): void {
  const { live } = change.difference
  const bare = textOf(change).replaceAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]/g, ' ')
  const found = unsaid.exec(bare)?.[0]
  if (found === undefined) return
  throw new UnsupportedChangeError(
    live.name,
    undefined,
    `Table ${JSON.stringify(live.name)} has to be rebuilt for what its definition asks for, and was created with ` +
      `${found.toUpperCase()}, which would be lost. Rebuild it in a migration by hand. Nothing was changed.`,
  )
}

function whyRebuilt({ difference, altersConstraints }: Change): string {
  const { changedColumns, hasOtherKey } = difference
  if (hasOtherKey) return 'It has another primary key, which SQLite cannot alter.'
  if (changedColumns.some((each) => !isOnlyNull(each)))
    return `Of ${changedColumns.map(({ to }) => to.name).join(', ')} more changes than SQLite can alter.`
  return altersConstraints
    ? 'It takes several changes, which are made at once.'
    : 'SQLite before 3.53 cannot alter constraints.'
}

function current({ difference }: Change, plan: PlanBuilder): TableDefinition {
  return plan.table(difference.live) ?? difference.live
}

function textOf({ text, difference }: Change): string {
  return text.table ?? createTableSql(difference.live, engine).join(';\n')
}
