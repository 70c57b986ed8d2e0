import type { TableDefinition } from './table-definition.ts'

/** What tells a table from all others. */
export function tableKey({ schema, name }: Pick<TableDefinition, 'schema' | 'name'>): string {
  return schema === undefined ? name : `${schema}\0${name}`
}
