import type { EngineName } from '@keelson/core'
import { DefinitionError } from '../errors.ts'
import type { ColumnDefinition } from '../ir/column.ts'
import type { Expression } from '../ir/expression.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { columnsOfExpression } from '../sql/columns-of.ts'

/** A table as the rules for its indexes see it. */
export interface IndexedTable {
  readonly definition: TableDefinition
  readonly engine: EngineName
  /** The column that an expression is over; undefined for SQL that is not read. */
  columnOf(expression: Expression): ColumnDefinition | undefined
  /** Whether a key or a foreign key is over this column alone. */
  isKey(column: string): boolean
  /**
   * The column by which entries of an index are ordered where their keys are equal: SQLite's row id, if the primary key is
   * one, and InnoDB's whole primary key, if it is one column.
   */
  readonly impliedLastKey: string | undefined
}

/** @throws {DefinitionError} when something of it is over a column that it does not have */
export function indexTable(definition: TableDefinition, engine: EngineName): IndexedTable {
  const columns = new Map(definition.columns.map((column) => [column.name, column]))
  const find = (name: string): ColumnDefinition => {
    const column = columns.get(name)
    if (column !== undefined) return column
    const known = [...columns.keys()].join(', ')
    throw new DefinitionError(
      `An index of ${definition.name} is over ${JSON.stringify(name)}, which is none of its columns: ${known}. Correct the name.`,
    )
  }
  const table: IndexedTable = {
    definition,
    engine,
    columnOf(expression) {
      const [name] = columnsOfExpression(expression)
      return name === undefined ? undefined : find(name)
    },
    isKey: (column) =>
      isAlone(definition.primaryKey, column) ||
      definition.foreignKeys.some((key) => isAlone(key.columns, column)),
    impliedLastKey: impliedLastKey(definition, columns, engine),
  }
  for (const { keys, include = [] } of definition.indexes) {
    for (const { expression } of keys) table.columnOf(expression)
    for (const name of include) find(name)
  }
  for (const { equals, among, ranges, sort } of definition.queries) {
    const sorted = sort.map((key) => key.expression)
    for (const expression of [...equals, ...among, ...ranges, ...sorted]) table.columnOf(expression)
  }
  return table
}

function impliedLastKey(
  { primaryKey }: TableDefinition,
  columns: ReadonlyMap<string, ColumnDefinition>,
  engine: EngineName,
): string | undefined {
  const [name] = primaryKey
  if (primaryKey.length !== 1 || name === undefined) return undefined
  if (engine === 'mysql') return name
  const column = columns.get(name)
  const isRowId =
    column !== undefined &&
    ['int32', 'integer', 'bigint'].includes(column.type.kind) &&
    column.override?.sqlite === undefined
  return engine === 'sqlite' && isRowId ? name : undefined
}

function isAlone(columns: readonly string[], column: string): boolean {
  return columns.length === 1 && columns[0] === column
}
