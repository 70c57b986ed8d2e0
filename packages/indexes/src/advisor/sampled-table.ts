import type { EngineName } from '@keelson/core'
import type { Expression } from '../ir/expression.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { type TableIndex, tableIndex } from './candidates/table-index.ts'
import type { TableStatistics } from './statistics/table-statistics.ts'

/** A table as it is, with what a sample says of it. */
export interface SampledTable {
  readonly name: string
  readonly definition: TableDefinition
  readonly columns: ReadonlySet<string>
  readonly nullable: ReadonlySet<string>
  readonly primaryKey: readonly string[]
  /** SQLite: the column that is the rowid. */
  readonly rowid: string | undefined
  readonly indexes: readonly TableIndex[]
  readonly statistics: TableStatistics
  /** Whether a column has few values, and will have no others: a boolean, an enum. */
  isClosed(column: string): boolean
}

export function sampledTable(
  definition: TableDefinition,
  statistics: TableStatistics,
  engine: EngineName,
): SampledTable {
  const { name, columns, primaryKey, indexes } = definition
  const key = columns.find((column) => column.name === primaryKey[0])
  const isInteger = key !== undefined && ['integer', 'int32', 'bigint'].includes(key.type.kind)
  const keyed = primaryKey.map((column) => ({
    expression: { kind: 'column', name: column } as Expression,
  }))
  const present = indexes.map((index) =>
    tableIndex(index.name ?? '', name, index, statistics, engine, index.constraint === true),
  )
  const rowid = engine === 'sqlite' && primaryKey.length === 1 && isInteger ? key.name : undefined
  if (keyed.length > 0)
    present.push(tableIndex('', name, { keys: keyed, unique: true }, statistics, engine, true))
  return {
    name,
    definition,
    columns: new Set(columns.map((column) => column.name)),
    nullable: new Set(columns.filter(({ nullable }) => nullable).map((column) => column.name)),
    primaryKey,
    rowid,
    indexes: present,
    statistics,
    isClosed: (column) => isClosed(column, definition, statistics),
  }
}

function isClosed(
  name: string,
  { columns, checks }: TableDefinition,
  statistics: TableStatistics,
): boolean {
  const type = columns.find((column) => column.name === name)?.type
  if (type?.kind === 'boolean') return true
  if (type?.kind === 'enum') return type.values.length <= 5
  const isListed = checks.some(
    ({ predicate }) =>
      predicate.kind === 'in' &&
      predicate.expression.kind === 'column' &&
      predicate.expression.name === name &&
      predicate.values.length <= 5,
  )
  if (isListed) return true
  // SQLite has no booleans: a number that is always 0 or 1 is one.
  const values = [...statistics.values({ kind: 'column', name })]
  return values.length > 0 && values.every((value) => value === 0 || value === 1)
}
