import type { ColumnDefinition, IndexDefinition, TableDefinition } from '@keelson/indexes'

/** A table of users, with what a test says of it. */
export function users(change: Partial<TableDefinition> = {}): TableDefinition {
  return {
    name: 'users',
    columns: [
      { name: 'id', type: { kind: 'integer' }, nullable: false },
      { name: 'email', type: { kind: 'string', maxLength: 100 }, nullable: false },
      { name: 'name', type: { kind: 'string', maxLength: 100 }, nullable: true },
      { name: 'age', type: { kind: 'int32' }, nullable: true },
    ],
    primaryKey: ['id'],
    indexes: [],
    foreignKeys: [],
    checks: [],
    queries: [],
    ...change,
  }
}

/** Posts of users. */
export function posts(change: Partial<TableDefinition> = {}): TableDefinition {
  return {
    name: 'posts',
    columns: [
      { name: 'id', type: { kind: 'integer' }, nullable: false },
      { name: 'author', type: { kind: 'integer' }, nullable: false },
    ],
    primaryKey: ['id'],
    indexes: [],
    foreignKeys: [{ columns: ['author'], referencedTable: 'users', referencedColumns: ['id'] }],
    checks: [],
    queries: [],
    ...change,
  }
}

/** The table with a column more. */
export function adding(
  table: TableDefinition,
  ...columns: readonly ColumnDefinition[]
): TableDefinition {
  return { ...table, columns: [...table.columns, ...columns] }
}

/** The table with a column in place of the one of that name. */
export function altering(table: TableDefinition, column: ColumnDefinition): TableDefinition {
  const columns = table.columns.map((each) => (each.name === column.name ? column : each))
  return { ...table, columns }
}

export function without(table: TableDefinition, name: string): TableDefinition {
  return { ...table, columns: table.columns.filter((column) => column.name !== name) }
}

/** An index over columns. */
export function index(...names: readonly string[]): IndexDefinition {
  return { keys: names.map((name) => ({ expression: { kind: 'column', name } })), unique: false }
}

export function unique(...names: readonly string[]): IndexDefinition {
  return { ...index(...names), unique: true }
}

/** Tables that differ, each with indexes and a parent. */
export function numberedTables(count: number): readonly TableDefinition[] {
  return Array.from({ length: count }, (_, at) => ({
    ...users({ indexes: [unique('email'), index('age'), index('name')] }),
    name: `records_${at}`,
  }))
}

/** Tables of which one is filled before, and gets indexes that take their time. */
export function largeTables(): readonly TableDefinition[] {
  return [
    users({ indexes: [index('email'), index('name'), index('age'), index('age', 'email')] }),
    { ...posts({ indexes: [index('author')] }) },
    { ...users(), name: 'others' },
  ]
}
