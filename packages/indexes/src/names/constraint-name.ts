import type { EngineName } from '@keelson/core'
import type { ColumnDefinition } from '../ir/column.ts'
import type {
  CheckDefinition,
  ForeignKeyDefinition,
  TableDefinition,
} from '../ir/table-definition.ts'
import { scopeOf } from '../introspect/scope.ts'
import { canonicalPredicate } from '../sql/canonical-expression.ts'
import { columnsOfPredicate } from '../sql/columns-of.ts'
import { dialects } from '../sql/dialects.ts'
import { predicateSql } from '../sql/print-expression.ts'
import { fittingName, hashedName } from './cut-name.ts'

/** The name of a CHECK: its own, or `ck_<table>_<columns>_<hash of the condition>`. */
export function checkName(
  table: TableDefinition,
  check: CheckDefinition,
  engine: EngineName,
): string {
  if (check.name !== undefined) return check.name
  const predicate = canonicalPredicate(check.predicate, scopeOf(table.columns, engine))
  const columns = new Set(columnsOfPredicate(predicate))
  return hashedName(
    ['ck', table.name, ...columns],
    `ck ${table.name} ${predicateSql(predicate, engine)}`,
  )
}

/** The name of a foreign key: its own, or `fk_<table>_<columns>_<hash of the definition>`. */
export function foreignKeyName(table: TableDefinition, foreignKey: ForeignKeyDefinition): string {
  if (foreignKey.name !== undefined) return foreignKey.name
  const { columns, referencedTable, referencedColumns, onDelete, onUpdate } = foreignKey
  const actions = [onDelete ?? 'no action', onUpdate ?? 'no action']
  return hashedName(
    ['fk', table.name, ...columns],
    JSON.stringify([table.name, columns, referencedTable, referencedColumns, ...actions]),
  )
}

/** The name of the constraint that says of a column's type what the engine's own does not: `tags: array of string`. */
export function typeCheckName(column: ColumnDefinition, engine: EngineName): string | undefined {
  const label = dialects[engine].typeCheckLabel(column.type)
  if (label === undefined) return undefined
  return engine === 'sqlite' ? `${column.name}: ${label}` : fittingName(column.name, `: ${label}`)
}

/** The name of the sequence that numbers a column where the engine has no other way. */
export function sequenceName(
  table: Pick<TableDefinition, 'name'>,
  column: Pick<ColumnDefinition, 'name'>,
): string {
  return hashedName(['sq', table.name, column.name], JSON.stringify([table.name, column.name]))
}
