import type { EngineName, Steps } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import { introspectTables } from '../introspect/introspect.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { type TableModel } from './fingerprint.ts'
import { tableKey } from '../ir/table-key.ts'

/**
 * What a database has of the given tables, and no others, by their `tableKey()`. An index that PostgreSQL has begun to build and not
 * finished is none.
 */
export function* readLiveTables(
  session: HostSession,
  engine: EngineName,
  tables: readonly Pick<TableDefinition, 'schema' | 'name'>[],
): Steps<TableModel> {
  const model = new Map<string, TableDefinition | undefined>()
  for (const table of tables) model.set(tableKey(table), undefined)
  for (const [schema, names] of namesBySchema(tables)) {
    const options = schema === undefined ? { tables: names } : { tables: names, schema }
    const found = yield* introspectTables(session, engine, options)
    for (const table of found) {
      // The connection's own schema has no name in a definition.
      const key = tableKey({ name: table.name, ...(schema !== undefined && { schema }) })
      if (model.has(key)) model.set(key, table)
    }
  }
  return model
}

export function namesBySchema(
  tables: readonly Pick<TableDefinition, 'schema' | 'name'>[],
): ReadonlyMap<string | undefined, readonly string[]> {
  const names = new Map<string | undefined, string[]>()
  for (const { schema, name } of tables) {
    const of = names.get(schema)
    if (of === undefined) names.set(schema, [name])
    else of.push(name)
  }
  return names
}
