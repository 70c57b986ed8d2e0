import type { TableDefinition } from './table-definition.ts'
import { tableKey } from './table-key.ts'

/**
 * Tables so that each comes after those that it refers to, else in the order given. Of tables that refer to each other in a
 * circle the first one given comes first only where nothing else asks for it before.
 */
export function inOrderOfReference(tables: readonly TableDefinition[]): readonly TableDefinition[] {
  const left = new Map(tables.map((table) => [tableKey(table), table]))
  const ordered: TableDefinition[] = []
  const visit = (table: TableDefinition): void => {
    if (!left.delete(tableKey(table))) return
    for (const name of referencesOf(table)) {
      const referenced = left.get(name)
      if (referenced !== undefined) visit(referenced)
    }
    ordered.push(table)
  }
  for (const table of left.values()) visit(table)
  return ordered
}

/** The tables that a table refers to, but for itself, as `tableKey` calls them. */
export function referencesOf(table: TableDefinition): readonly string[] {
  if (table.foreignKeys.length === 0) return []
  const names = new Set(
    table.foreignKeys.map(({ referencedTable: name }) => tableKey({ ...table, name })),
  )
  names.delete(tableKey(table))
  return [...names].toSorted()
}
