import type { EngineName } from '@keelson/core'
import { lockingRisk } from '../estimate.ts'
import type { NewStep } from '../plan-builder.ts'
import type { TableDifference } from '../table-difference.ts'
import { isOver } from './columns-of.ts'
import { newColumnChecks, nullCheck, violationCheck } from './prechecks.ts'

/** A table made anew with the rows of the old one, with what is looked at first. */
export function rebuildStep(
  difference: TableDifference,
  engine: EngineName,
  step: Pick<NewStep, 'why' | 'sql' | 'down'> & Required<Pick<NewStep, 'estimate'>>,
): NewStep {
  const { addedChecks, addedColumns, changedColumns, live, removedColumns } = difference
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
  return {
    kind: 'rebuildTable',
    ...(removed.length > 0 && { object: removed.join(', ') }),
    risk: removed.length > 0 ? 'destructive' : lockingRisk(step.estimate),
    ...step,
    ...(prechecks.length > 0 && { prechecks }),
  }
}

const begin = 'pragma legacy_alter_table = on'

/** The statements of a rebuild of SQLite's, while nothing that refers to the table follows its renaming. */
export function rebuilding(...sql: readonly string[]): readonly string[] {
  return [begin, ...sql, 'pragma legacy_alter_table = off']
}

/** Whether statements are such a rebuild, whatever the kind of the step: what undoes a column that was dropped is one, too. */
export function isRebuild(sql: readonly string[]): boolean {
  return sql[0] === begin
}
