import { quoteIdentifier } from '@keelson/core'
import { UnsupportedChangeError } from '../../errors.ts'
import type { ColumnDefinition } from '../../ir/column.ts'
import type { TableDefinition } from '../../ir/table-definition.ts'
import { checkName, foreignKeyName, typeCheckName } from '../../names/constraint-name.ts'
import { defaultSql } from '../../sql/default.ts'
import { columnTypeSql, typeCheckSql } from '../../sql/print-column.ts'
import { checkSql, columnSql, foreignKeySql } from '../../sql/print-table.ts'
import { tableNameSql } from '../../sql/table-name.ts'
import { canonicalText } from '../../ir/canonical-text.ts'
import { lockingRisk, readEstimate, writeEstimate } from '../estimate.ts'
import type { NewStep, PlanBuilder } from '../plan-builder.ts'
import type { ColumnChange } from '../table-difference.ts'
import type { Change } from './change.ts'
import { withColumn, withoutCheck, withoutColumn, withoutForeignKey } from './changed-table.ts'
import { newColumnChecks, nullCheck, violationCheck } from './prechecks.ts'
import { checkTypeChange } from './type-change.ts'

const engine = 'postgresql'

/** PostgreSQL alters all but the primary key, numbering and generated columns in place. */
export function alterPostgresql({ difference, text }: Change, plan: PlanBuilder): void {
  const { live } = difference
  const { rows } = text
  const at = tableNameSql(live, engine)
  const alter = (sql: string): string => `alter table ${at} ${sql}`
  const current = (): TableDefinition => plan.table(live) ?? live
  const add = (step: NewStep, next: TableDefinition): void => plan.add(live, step, next)
  checkSupported(difference.hasOtherKey, live, difference.changedColumns)

  for (const key of difference.removedForeignKeys) {
    const name = foreignKeyName(live, key)
    add(
      {
        kind: 'dropForeignKey',
        object: name,
        risk: 'safe',
        why: 'No definition asks for it any more.',
        sql: [alter(`drop constraint ${quoteIdentifier(name, engine)}`)],
        down: [alter(`add ${foreignKeySql(live, key, engine)}`)],
      },
      withoutForeignKey(current(), key),
    )
  }
  for (const check of difference.removedChecks) {
    const name = checkName(live, check, engine)
    add(
      {
        kind: 'dropCheck',
        object: name,
        risk: 'safe',
        why: 'No definition asks for it any more.',
        sql: [alter(`drop constraint ${quoteIdentifier(name, engine)}`)],
        down: [alter(`add ${checkSql(live, check, engine)}`)],
      },
      withoutCheck(current(), check),
    )
  }
  for (const column of difference.removedColumns) {
    const name = quoteIdentifier(column.name, engine)
    add(
      {
        kind: 'dropColumn',
        object: column.name,
        risk: 'destructive',
        why: 'The definition does not have it any more.',
        sql: [alter(`drop column ${name}`)],
        down: [alter(`add column ${columnSql(column, live, engine)}`)],
      },
      withoutColumn(current(), column.name),
    )
  }
  for (const column of difference.addedColumns) {
    const prechecks = newColumnChecks(live, column, engine)
    // A DEFAULT that is the same for all rows is kept beside them; any other is written into each.
    const isWritten = column.identity === true || column.generated?.stored === true
    const estimate = isWritten ? writeEstimate(live, rows, engine) : undefined
    const table = current()
    add(
      {
        kind: 'addColumn',
        object: column.name,
        risk: estimate === undefined ? 'safe' : lockingRisk(estimate),
        why: 'The definition has it.',
        sql: [alter(`add column ${columnSql(column, live, engine)}`)],
        down: [alter(`drop column ${quoteIdentifier(column.name, engine)}`)],
        ...(estimate !== undefined && { estimate }),
        ...(prechecks.length > 0 && { prechecks }),
      },
      { ...table, columns: [...table.columns, column] },
    )
  }
  for (const each of difference.changedColumns) {
    const { from, to } = each
    const hasOtherType = checkTypeChange(live.name, each, engine)
    const mustNotBeNull = from.nullable && !to.nullable
    const estimate = hasOtherType
      ? writeEstimate(live, rows, engine)
      : readEstimate(mustNotBeNull ? rows : 0, engine)
    add(
      {
        kind: 'alterColumn',
        object: to.name,
        risk: lockingRisk(estimate),
        why: whatChanges(each, hasOtherType),
        sql: changeSql(from, to).map(alter),
        down: changeSql(to, from).map(alter),
        ...(estimate.rows > 0 && { estimate }),
        ...(mustNotBeNull && { prechecks: [nullCheck(live, from.name, engine)] }),
      },
      withColumn(current(), to),
    )
  }
  for (const check of difference.addedChecks) {
    const estimate = readEstimate(rows, engine)
    const name = checkName(live, check, engine)
    const table = current()
    add(
      {
        kind: 'addCheck',
        object: name,
        risk: lockingRisk(estimate),
        why: 'The definition asks for it.',
        sql: [alter(`add ${checkSql(live, check, engine)}`)],
        down: [alter(`drop constraint ${quoteIdentifier(name, engine)}`)],
        estimate,
        prechecks: [violationCheck(live, check, engine)],
      },
      { ...table, checks: [...table.checks, check] },
    )
  }
}

function changeSql(from: ColumnDefinition, to: ColumnDefinition): readonly string[] {
  const column = quoteIdentifier(to.name, engine)
  const alter = (sql: string): string => `alter column ${column} ${sql}`
  const sql: string[] = []
  const before = defaultSql(from, engine)
  const after = defaultSql(to, engine)
  if (canonicalText(from.type) !== canonicalText(to.type)) {
    const oldCheck = typeCheckName(from, engine)
    if (oldCheck !== undefined && typeCheckSql(from, engine) !== undefined)
      sql.push(`drop constraint ${quoteIdentifier(oldCheck, engine)}`)
    const oldType = columnTypeSql(from, engine)
    const newType = columnTypeSql(to, engine)
    if (oldType !== newType) {
      // The DEFAULT is of the old type until it is set anew.
      if (before !== undefined) sql.push(alter('drop default'))
      sql.push(alter(`type ${newType} using ${column}::${newType}`))
      if (after !== undefined) sql.push(alter(`set default ${after}`))
    }
    const newCheck = typeCheckSql(to, engine)
    if (newCheck !== undefined) sql.push(`add ${newCheck}`)
  }
  if (before !== after) {
    sql.push(alter(after === undefined ? 'drop default' : `set default ${after}`))
  }
  if (from.nullable !== to.nullable) sql.push(alter(`${to.nullable ? 'drop' : 'set'} not null`))
  return sql
}

export function whatChanges({ from, to }: ColumnChange, hasOtherType: boolean): string {
  const changes: string[] = []
  if (hasOtherType) changes.push(`Its type becomes ${to.type.kind}.`)
  if (from.nullable !== to.nullable)
    changes.push(to.nullable ? 'It may be NULL now.' : 'It must not be NULL any more.')
  if (canonicalText(from.default) !== canonicalText(to.default))
    changes.push('It has another default.')
  return changes.join(' ')
}

/** @throws {UnsupportedChangeError} for what can only be altered by hand, if at all */
function checkSupported(
  hasOtherKey: boolean,
  { name: table }: TableDefinition,
  changed: readonly ColumnChange[],
): void {
  if (hasOtherKey) {
    throw new UnsupportedChangeError(
      table,
      undefined,
      `Table ${JSON.stringify(table)} has another primary key than it is defined with, and what refers to it would have to ` +
        'follow. Change the key in a migration by hand. Nothing was changed.',
    )
  }
  for (const { from, to } of changed) {
    if (
      canonicalText(from.generated) === canonicalText(to.generated) &&
      (from.identity === true) === (to.identity === true)
    )
      continue
    throw new UnsupportedChangeError(
      table,
      to.name,
      `Column ${JSON.stringify(to.name)} of ${JSON.stringify(table)} is computed or numbered otherwise than it is defined. ` +
        'Add a column with the new definition, and drop the old one. Nothing was changed.',
    )
  }
}
