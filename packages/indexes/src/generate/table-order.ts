import type { TableDefinition } from '../ir/table-definition.ts'

/**
 * Tables so that each comes after those that it refers to, else by their names; whatever the order in which they are given.
 * Of tables that refer to each other in a circle the first by name comes first.
 */
export function inOrderOfReference(tables: readonly TableDefinition[]): readonly TableDefinition[] {
  const left = new Map(tables.toSorted(byName).map((table) => [nameOf(table), table]))
  const ordered: TableDefinition[] = []
  const visit = (table: TableDefinition): void => {
    if (!left.delete(nameOf(table))) return
    for (const name of referencesOf(table)) {
      const referenced = left.get(name)
      if (referenced !== undefined) visit(referenced)
    }
    ordered.push(table)
  }
  for (const table of left.values()) visit(table)
  return ordered
}

/** The tables that a table refers to, but for itself, as `nameOf` calls them. */
export function referencesOf(table: TableDefinition): readonly string[] {
  if (table.foreignKeys.length === 0) return []
  const names = new Set(
    table.foreignKeys.map(({ referencedTable: name }) => nameOf({ ...table, name })),
  )
  names.delete(nameOf(table))
  return [...names].toSorted()
}

export function nameOf({ schema, name }: Pick<TableDefinition, 'schema' | 'name'>): string {
  return schema === undefined ? name : `${schema}\0${name}`
}

function byName(a: TableDefinition, b: TableDefinition): number {
  return nameOf(a) < nameOf(b) ? -1 : 1
}
