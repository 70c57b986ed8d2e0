import { type EngineName, quoteIdentifier } from '@keelson/core'
import type { TableDefinition } from '../ir/table-definition.ts'

/** A table's name, with the schema that it is in where it says one. */
export function tableNameSql(
  table: Pick<TableDefinition, 'name' | 'schema'>,
  engine: EngineName,
): string {
  const schema = table.schema === undefined ? '' : `${quoteIdentifier(table.schema, engine)}.`
  return schema + quoteIdentifier(table.name, engine)
}
