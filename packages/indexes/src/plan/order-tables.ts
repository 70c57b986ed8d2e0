import type { TableDefinition } from '../ir/table-definition.ts'

/** Tables so that each comes after those it refers to; where they refer to each other in a circle, in the order given. */
export function parentsFirst(tables: readonly TableDefinition[]): readonly TableDefinition[] {
  const byName = new Map(tables.map((table) => [table.name, table]))
  const ordered = new Set<TableDefinition>()
  const visiting = new Set<TableDefinition>()
  const visit = (table: TableDefinition): void => {
    if (ordered.has(table) || visiting.has(table)) return
    visiting.add(table)
    for (const { referencedTable } of table.foreignKeys) {
      const parent = byName.get(referencedTable)
      if (parent !== undefined) visit(parent)
    }
    visiting.delete(table)
    ordered.add(table)
  }
  for (const table of tables) visit(table)
  return [...ordered]
}
