import type { ColumnDefinition } from '../../ir/column.ts'
import type {
  CheckDefinition,
  ForeignKeyDefinition,
  TableDefinition,
} from '../../ir/table-definition.ts'

/** The table with a column in place of the one of that name. */
export function withColumn(table: TableDefinition, column: ColumnDefinition): TableDefinition {
  const columns = table.columns.map((each) => (each.name === column.name ? column : each))
  return { ...table, columns }
}

export function withoutColumn(table: TableDefinition, name: string): TableDefinition {
  return { ...table, columns: table.columns.filter((column) => column.name !== name) }
}

export function withoutCheck(table: TableDefinition, check: CheckDefinition): TableDefinition {
  return { ...table, checks: table.checks.filter((each) => each !== check) }
}

export function withoutForeignKey(
  table: TableDefinition,
  key: ForeignKeyDefinition,
): TableDefinition {
  return { ...table, foreignKeys: table.foreignKeys.filter((each) => each !== key) }
}
