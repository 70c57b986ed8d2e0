import { type EngineName, quoteIdentifier } from '@keelson/core'
import type { ColumnDefinition } from '../../ir/column.ts'
import type { TableDefinition } from '../../ir/table-definition.ts'
import { columnTypeSql } from '../../sql/print-column.ts'
import { tableNameSql } from '../../sql/table-name.ts'

/** The INSERT that fills a rebuilt table from what it was before; none where they have nothing in common. */
export function copySql(
  from: TableDefinition,
  fromName: string,
  to: TableDefinition,
  engine: EngineName,
): readonly string[] {
  const names: string[] = []
  const values: string[] = []
  for (const column of to.columns) {
    if (column.generated !== undefined) continue
    const value = valueOf(column, from, to, engine)
    if (value === undefined) continue
    names.push(quoteIdentifier(column.name, engine))
    values.push(value)
  }
  if (names.length === 0) return []
  const source = tableNameSql({ ...to, name: fromName }, engine)
  return [
    `insert into ${tableNameSql(to, engine)} (${names.join(', ')}) select ${values.join(', ')} from ${source}`,
  ]
}

function valueOf(
  column: ColumnDefinition,
  from: TableDefinition,
  to: TableDefinition,
  engine: EngineName,
): string | undefined {
  if (from.columns.some(({ name }) => name === column.name))
    return quoteIdentifier(column.name, engine)
  const needsValue = !column.nullable || to.primaryKey.includes(column.name)
  if (!needsValue || column.default !== undefined || column.identity === true) return undefined
  // What was dropped does not come back; NULL, which the column does not take, fails where there are rows.
  return `cast(null as ${columnTypeSql(column, engine)})`
}
