import { type EngineName, type Steps, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import { introspectTables } from '../introspect/introspect.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { tableKey, type TableModel } from './fingerprint.ts'

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
    const unfinished = yield* unfinishedIndexes(session, engine, schema)
    for (const table of found) {
      // The connection's own schema has no name in a definition.
      const key = tableKey({ name: table.name, ...(schema !== undefined && { schema }) })
      if (!model.has(key)) continue
      const indexes = table.indexes.filter(({ name = '' }) => !unfinished.has(name))
      model.set(key, unfinished.size === 0 ? table : { ...table, indexes })
    }
  }
  return model
}

/**
 * Names of indexes that `CREATE INDEX CONCURRENTLY` has left behind when it failed or was ended: they are kept up to date and used
 * for nothing. https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
 */
function* unfinishedIndexes(
  session: HostSession,
  engine: EngineName,
  schema: string | undefined,
): Steps<ReadonlySet<string>> {
  if (engine !== 'postgresql') return new Set()
  const rows = yield* wait(
    session.query(
      `select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid
       where not i.indisvalid and c.relkind = 'i' and c.relnamespace = ${schema === undefined ? 'current_schema()' : '$1'}::regnamespace`,
      schema === undefined ? [] : [`"${schema.replaceAll('"', '""')}"`],
    ),
  )
  return new Set(rows.map((row) => String(row['name'])))
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
