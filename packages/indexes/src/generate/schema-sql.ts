import type { EngineName } from '@keelson/core'
import type { TableDefinition } from '../ir/table-definition.ts'
import { createIndexSql, createTableSql } from '../sql/print-table.ts'
import { addedForeignKeys, withoutForwardReferences } from './forward-references.ts'

/** The statements that create tables and their indexes, each ended by a semicolon. */
export function schemaSql(
  tables: readonly TableDefinition[],
  engine: EngineName,
  concurrently: boolean,
): string {
  const statements = withoutForwardReferences(tables, engine).map((table) => [
    ...createTableSql(table, engine),
    ...table.indexes
      .filter(({ constraint }) => constraint !== true)
      .map((index) => createIndexSql(table, index, engine, { concurrently })),
  ])
  const added = addedForeignKeys(tables, engine)
  return [...statements, ...(added.length > 0 ? [added.map(({ sql }) => sql)] : [])]
    .map((each) => each.map((statement) => `${statement};\n`).join(''))
    .join('\n')
}
