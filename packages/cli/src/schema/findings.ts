import type { EngineName } from '@keelson/core'
import { resolveIndexes, type TableDefinition } from '@keelson/indexes'

/** Something that is wrong with a table. */
export interface Finding {
  readonly source: 'definition' | 'database'
  readonly table: string
  /** The index, or the columns of the key. */
  readonly object: string | undefined
  readonly code: string
  readonly why: string
  readonly instead: string
}

/** What is wrong with tables, one after the other. */
export function findingsOf(
  tables: readonly TableDefinition[],
  engine: EngineName,
  source: Finding['source'],
): readonly Finding[] {
  return tables.flatMap((table) => [
    ...resolveIndexes(table, engine).refused.map(({ index, code, why, instead }): Finding => ({
      source,
      table: table.name,
      object: index,
      code,
      why,
      instead,
    })),
    ...withoutKey(table, source),
    ...keysWithoutIndex(table, engine, source),
  ])
}

function withoutKey(
  { name: table, primaryKey }: TableDefinition,
  source: Finding['source'],
): Finding[] {
  if (primaryKey.length > 0) return []
  return [
    {
      source,
      table,
      object: undefined,
      code: 'NO_PRIMARY_KEY',
      why: 'it has no primary key, by which a row could be told from another',
      instead: 'Give it one',
    },
  ]
}

/** DuckDB has an index of its own for each foreign key. */
function keysWithoutIndex(
  table: TableDefinition,
  engine: EngineName,
  source: Finding['source'],
): Finding[] {
  if (engine === 'duckdb' || engine === 'mysql') return []
  const firsts = [
    table.primaryKey,
    ...resolveIndexes(table, engine)
      .indexes.filter(({ where }) => where === undefined)
      .map(({ keys }) =>
        keys.map(({ expression }) => (expression.kind === 'column' ? expression.name : '')),
      ),
  ]
  return table.foreignKeys
    .filter(
      ({ columns }) =>
        !firsts.some((first) =>
          columns.every((column) => first.slice(0, columns.length).includes(column)),
        ),
    )
    .map(({ columns, referencedTable }) => ({
      source,
      table: table.name,
      object: columns.join(', '),
      code: 'FOREIGN_KEY_WITHOUT_INDEX',
      why: `each row that is deleted from ${referencedTable} has all of ${table.name} read`,
      instead: `Declare an index over ${columns.join(', ')}`,
    }))
}
