import { type EngineName, quoteIdentifier } from '@keelson/core'
import { UnsupportedByEngineError } from '../errors.ts'
import type { ForeignKeyDefinition, TableDefinition } from '../ir/table-definition.ts'
import { foreignKeyName } from '../names/constraint-name.ts'
import { foreignKeySql } from '../sql/print-table.ts'
import { tableNameSql } from '../sql/table-name.ts'
import { tableKey } from '../ir/table-key.ts'

/** Where a foreign key refers to a table that comes later, which only tables in a circle do. */
const waysOfEngines: Readonly<Record<EngineName, 'as it is' | 'added' | 'not at all'>> = {
  sqlite: 'as it is',
  duckdb: 'not at all',
  postgresql: 'added',
  mysql: 'added',
}

export interface AddedForeignKey {
  readonly sql: string
  readonly down: string
}

/** Tables without the foreign keys that are added when all are there. */
export function withoutForwardReferences(
  tables: readonly TableDefinition[],
  engine: EngineName,
): readonly TableDefinition[] {
  if (waysOfEngines[engine] === 'as it is') return tables
  const forward = new Set(forwardReferences(tables).map(({ key }) => key))
  if (forward.size === 0) return tables
  return tables.map((table) => ({
    ...table,
    foreignKeys: table.foreignKeys.filter((key) => !forward.has(key)),
  }))
}

/** @throws {UnsupportedByEngineError} where tables refer to each other and the engine cannot add a foreign key to a table */
export function addedForeignKeys(
  tables: readonly TableDefinition[],
  engine: EngineName,
): readonly AddedForeignKey[] {
  const way = waysOfEngines[engine]
  if (way === 'as it is') return []
  return forwardReferences(tables).map(({ table, key }) => {
    const name = foreignKeyName(table, key)
    if (way === 'not at all') {
      throw new UnsupportedByEngineError(
        engine,
        `Cannot create foreign key ${JSON.stringify(name)}: ${table.name} and ${key.referencedTable} refer to each other, ` +
          `and ${engine} adds no foreign key to a table that is there. Leave out one of the two.`,
      )
    }
    const alter = `alter table ${tableNameSql(table, engine)}`
    const kind = engine === 'mysql' ? 'foreign key' : 'constraint'
    return {
      sql: `${alter} add ${foreignKeySql(table, key, engine)}`,
      down: `${alter} drop ${kind} ${quoteIdentifier(name, engine)}`,
    }
  })
}

function forwardReferences(
  tables: readonly TableDefinition[],
): readonly { readonly table: TableDefinition; readonly key: ForeignKeyDefinition }[] {
  const known = new Set(tables.map(tableKey))
  const there = new Set<string>()
  return tables.flatMap((table) => {
    there.add(tableKey(table))
    return table.foreignKeys
      .filter(({ referencedTable }) => {
        const name = tableKey({ ...table, name: referencedTable })
        return known.has(name) && !there.has(name)
      })
      .map((key) => ({ table, key }))
  })
}
