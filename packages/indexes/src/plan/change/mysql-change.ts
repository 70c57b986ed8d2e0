import { quoteIdentifier } from '@keelson/core'
import type { ColumnDefinition } from '../../ir/column.ts'
import type { TableDefinition } from '../../ir/table-definition.ts'
import { checkName, foreignKeyName } from '../../names/constraint-name.ts'
import { checkSql, columnSql, foreignKeySql } from '../../sql/print-table.ts'
import { tableNameSql } from '../../sql/table-name.ts'
import { lockingRisk, readEstimate, writeEstimate } from '../estimate.ts'
import type { NewStep, PlanBuilder } from '../plan-builder.ts'
import type { Change } from './change.ts'
import { withColumn, withoutCheck, withoutColumn, withoutForeignKey } from './changed-table.ts'
import { checkSupported, whatChanges } from './postgresql-change.ts'
import { newColumnChecks, nullCheck, violationCheck } from './prechecks.ts'
import { checkTypeChange } from './type-change.ts'

const engine = 'mysql'

/** MySQL writes a column's whole definition anew to alter any of it. */
export function alterMysql({ difference, text }: Change, plan: PlanBuilder): void {
  const { live } = difference
  const { rows } = text
  const alter = (sql: string): string => `alter table ${tableNameSql(live, engine)} ${sql}`
  const current = (): TableDefinition => plan.table(live) ?? live
  const add = (step: NewStep, next: TableDefinition): void => plan.add(live, step, next)
  const quoted = (name: string): string => quoteIdentifier(name, engine)
  checkSupported(difference.hasOtherKey, live, difference.changedColumns)
  const gone = 'No definition asks for it any more.'

  for (const key of difference.removedForeignKeys) {
    const object = foreignKeyName(live, key)
    add(
      {
        kind: 'dropForeignKey',
        object,
        risk: 'safe',
        why: gone,
        sql: [alter(`drop foreign key ${quoted(object)}`)],
        down: [alter(`add ${foreignKeySql(live, key, engine)}`)],
      },
      withoutForeignKey(current(), key),
    )
  }
  for (const check of difference.removedChecks) {
    const object = checkName(live, check, engine)
    add(
      {
        kind: 'dropCheck',
        object,
        risk: 'safe',
        why: gone,
        sql: [alter(`drop check ${quoted(object)}`)],
        down: [alter(`add ${checkSql(live, check, engine)}`)],
      },
      withoutCheck(current(), check),
    )
  }
  for (const column of difference.removedColumns) {
    add(
      {
        kind: 'dropColumn',
        object: column.name,
        risk: 'destructive',
        why: 'The definition does not have it any more.',
        sql: [alter(`drop column ${quoted(column.name)}`)],
        down: [alter(`add column ${columnSql(column, live, engine)}`)],
      },
      withoutColumn(current(), column.name),
    )
  }
  for (const column of difference.addedColumns) {
    const prechecks = newColumnChecks(live, column, engine)
    const table = current()
    add(
      {
        kind: 'addColumn',
        object: column.name,
        risk: 'safe',
        why: 'The definition has it.',
        sql: [alter(`add column ${columnSql(column, live, engine)}`)],
        down: [alter(`drop column ${quoted(column.name)}`)],
        ...(prechecks.length > 0 && { prechecks }),
      },
      { ...table, columns: [...table.columns, column] },
    )
  }
  for (const each of difference.changedColumns) {
    const { from, to } = each
    const hasOtherType = checkTypeChange(live.name, each, engine)
    const estimate = writeEstimate(live, rows, engine)
    const modify = (column: ColumnDefinition): string =>
      alter(`modify column ${columnSql(column, live, engine)}`)
    add(
      {
        kind: 'alterColumn',
        object: to.name,
        risk: lockingRisk(estimate),
        why: whatChanges(each, hasOtherType),
        sql: [modify(to)],
        down: [modify(from)],
        estimate,
        ...(from.nullable && !to.nullable && { prechecks: [nullCheck(live, to.name, engine)] }),
      },
      withColumn(current(), to),
    )
  }
  for (const check of difference.addedChecks) {
    const estimate = readEstimate(rows, engine)
    const object = checkName(live, check, engine)
    const table = current()
    add(
      {
        kind: 'addCheck',
        object,
        risk: lockingRisk(estimate),
        why: 'The definition asks for it.',
        sql: [alter(`add ${checkSql(live, check, engine)}`)],
        down: [alter(`drop check ${quoted(object)}`)],
        estimate,
        prechecks: [violationCheck(live, check, engine)],
      },
      { ...table, checks: [...table.checks, check] },
    )
  }
}
