import { type Steps, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { isGivenAsSql } from '../sql/given-as-sql.ts'
import { createIndexSql, createTableSql } from '../sql/print-table.ts'
import type { SchemaEngine } from './schema-engine.ts'

/**
 * Those of the given tables that a database has word for word as they would be created. What their texts say is the definition,
 * so that nothing of them has to be read; of 1,000 tables that is a tenth of the work. None where an engine keeps no texts.
 *
 * @param tables in the engine's canonical form
 */
export function* unchangedTables(
  session: HostSession,
  engine: SchemaEngine,
  tables: readonly TableDefinition[],
): Steps<ReadonlySet<TableDefinition>> {
  const read = readers[engine]
  const comparable = tables.filter(hasWholeText)
  if (read === undefined || comparable.length === 0) return new Set()
  const names = comparable.map(({ name }) => name)
  const found = yield* read(session, names)
  const isUnchanged = (table: TableDefinition): boolean => {
    const kept = found.get(table.name)
    if (kept?.size !== table.indexes.length + 1) return false
    return (
      createTableSql(table, engine).every((sql) => kept.has(asKept(sql))) &&
      table.indexes.every((index) => kept.has(asKept(createIndexSql(table, index, engine))))
    )
  }
  return new Set(comparable.filter(isUnchanged))
}

/**
 * The name of the index behind a UNIQUE constraint stands in no text, and that of an attached database neither. SQL that was
 * given as such may be read as an expression that could have been given in its place.
 */
function hasWholeText({ schema, indexes, checks }: TableDefinition): boolean {
  return (
    schema === undefined &&
    !checks.some(({ predicate }) => isGivenAsSql(predicate)) &&
    !indexes.some(
      ({ constraint, keys, where }) =>
        constraint === true ||
        keys.some(({ expression }) => isGivenAsSql(expression)) ||
        (where !== undefined && isGivenAsSql(where)),
    )
  )
}

type ReadTexts = (
  session: HostSession,
  tables: readonly string[],
) => Steps<ReadonlyMap<string, ReadonlySet<string>>>

/** The texts of tables and of their indexes, by the table. DuckDB and PostgreSQL show their own words for what they have. */
const readers: Readonly<Record<SchemaEngine, ReadTexts | undefined>> = {
  *sqlite(session, tables) {
    const rows = yield* wait(
      session.query(
        `select tbl_name as tbl, sql from main.sqlite_schema where type in ('table', 'index') and sql is not null
         and tbl_name in (select value from json_each(?))`,
        [JSON.stringify(tables)],
      ),
    )
    const texts = new Map<string, Set<string>>()
    for (const row of rows) {
      const [table, sql] = [String(row['tbl']), String(row['sql'])]
      const kept = texts.get(table)
      if (kept === undefined) texts.set(table, new Set([sql]))
      else kept.add(sql)
    }
    return texts
  },
  duckdb: undefined,
  postgresql: undefined,
}

/** SQLite writes the words before the name itself: https://www.sqlite.org/schematab.html#interpretation_of_the_schema_table */
function asKept(sql: string): string {
  const name = sql.indexOf('"')
  return sql.slice(0, name).toUpperCase() + sql.slice(name)
}
