import { checkOptionNames, invalidOption } from '../options.ts'
import { type Steps, takeSteps, wait } from '../steps.ts'
import type { Catalogue } from './catalogue.ts'
import { readDuckDBTableRows } from './duckdb-table.ts'
import { groupRows, textOf } from './rows.ts'
import type { CatalogueQuery, CatalogueSteppedQuery } from './sqlite.ts'

/** Which part of a DuckDB connection's databases to read. */
export interface DuckDBCatalogueOptions {
  /** One of the attached databases, or `temp`. @default the current one, which `USE` changes */
  readonly database?: string
  /** One of its schemas. @default the current one, or `main` where `database` is given */
  readonly schema?: string
  /** Only these tables, in upper or lower case; one that does not exist is left out. @default all of them */
  readonly tables?: readonly string[]
}

/**
 * Reads tables and views with their columns, keys and indexes, as DuckDB has them.
 *
 * Sends four statements one after the other, however many tables there are; run it in a transaction where other
 * connections change the schema meanwhile. Left out are DuckDB's own tables and everything in other schemas. A table
 * comes after those that its foreign keys refer to.
 *
 * What DuckDB does not keep is not there: the names that constraints were given, `DESC` of an index. Which columns are
 * generated, and collations, are read from `duckdb_tables().sql`. An index that enforces a key has the name that DuckDB
 * gives to the constraint; the one that each foreign key has as well is not among the `indexes`. The columns of a view
 * are those it had when it was created.
 *
 * @throws {OptionError} for an unknown option, and a schema that is not there
 * @throws what `query` throws
 *
 * @example
 * const database = await openDuckDB('app.duckdb')
 * const { tables } = await readDuckDBCatalogue(
 *   async (sql, parameters) => (await database.execute(sql, parameters)).rows,
 * )
 * // select table_name as name, ... from duckdb_tables() where database_name = current_database() and ...
 */
export async function readDuckDBCatalogue(
  query: CatalogueQuery,
  options: DuckDBCatalogueOptions = {},
): Promise<Catalogue> {
  return takeSteps(duckdbCatalogue(query, options))
}

/** The same in steps. */
export function* duckdbCatalogue(
  query: CatalogueSteppedQuery,
  options: DuckDBCatalogueOptions = {},
): Steps<Catalogue> {
  checkOptionNames('readDuckDBCatalogue()', options, ['database', 'schema', 'tables'])
  const { where, parameters } = selection(options)
  const wanted = wantedTables(options)
  const given = [...parameters, ...wanted.parameters]
  const isWanted = `${where}${wanted.where('table_name')}`
  const tables = yield* wait(
    query(
      `select table_name as name, schema_name as "schema", 'table' as kind, sql, table_oid as oid
       from duckdb_tables() where ${isWanted} and not internal
       union all
       select view_name, schema_name, 'view', sql, view_oid from duckdb_views()
       where ${where}${wanted.where('view_name')} and not internal
       order by oid`,
      [...given, ...given],
    ),
  )
  if (tables.length === 0) yield* assertSchema(query, options)
  const columns = yield* wait(
    query(
      `select table_name as tbl, column_name as name, data_type as type, is_nullable as nullable, column_default as dflt
       from duckdb_columns() where ${isWanted} order by table_oid, column_index`,
      given,
    ),
  )
  const constraints = yield* wait(
    query(
      `select table_name as tbl, constraint_type as kind, constraint_name as name, expression,
         to_json(constraint_column_names)::varchar as cols,
         referenced_table as parent, to_json(referenced_column_names)::varchar as referenced
       from duckdb_constraints() where ${isWanted} order by table_oid, constraint_index`,
      given,
    ),
  )
  const indexes = yield* wait(
    query(
      `select table_name as tbl, index_name as idx, is_unique as uniq, sql
       from duckdb_indexes() where ${isWanted} order by table_oid, index_oid`,
      given,
    ),
  )
  const rows = {
    columns: groupRows(columns, 'tbl'),
    constraints: groupRows(constraints, 'tbl'),
    indexes: groupRows(indexes, 'tbl'),
  }
  return {
    tables: tables.map((row) => {
      const name = textOf(row['name'])
      return readDuckDBTableRows(row, {
        columns: rows.columns.get(name) ?? [],
        constraints: rows.constraints.get(name) ?? [],
        indexes: rows.indexes.get(name) ?? [],
      })
    }),
  }
}

/** An empty list of tables must not be what a misspelled name leads to. */
function* assertSchema(query: CatalogueSteppedQuery, options: DuckDBCatalogueOptions): Steps<void> {
  const { where, parameters } = selection(options)
  const schemas = yield* wait(
    query(`select 1 as one from duckdb_schemas() where ${where}`, parameters),
  )
  if (schemas.length > 0) return
  const { database, schema } = options
  if (schema === undefined)
    invalidOption('readDuckDBCatalogue()', 'database', database, 'a database that is attached')
  invalidOption(
    'readDuckDBCatalogue()',
    'schema',
    schema,
    `a schema of the ${database === undefined ? 'current database' : `database "${database}", which is attached`}`,
  )
}

interface Selection {
  readonly where: string
  readonly parameters: readonly string[]
}

function selection({ database, schema }: DuckDBCatalogueOptions): Selection {
  const parameters: string[] = []
  const named = (value: string | undefined, current: string): string => {
    if (value === undefined) return inLowerCase(current)
    parameters.push(folded(value))
    return '?'
  }
  // current_database() is in the letters of the USE before it, and not in those of the name.
  const isNamed = [
    `${inLowerCase('database_name')} = ${named(database, 'current_database()')}`,
    `${inLowerCase('schema_name')} = ${named(schema ?? (database && 'main'), 'current_schema()')}`,
  ]
  return { where: isNamed.join(' and '), parameters }
}

/** Of one table among 1,000 the rows of all would be most of the time. */
function wantedTables({ tables }: DuckDBCatalogueOptions): {
  readonly where: (column: string) => string
  readonly parameters: readonly string[]
} {
  if (tables === undefined) return { where: () => '', parameters: [] }
  return {
    where: (column) =>
      ` and ${inLowerCase(column)} in (select unnest(from_json(?, '["VARCHAR"]')))`,
    parameters: [JSON.stringify(tables.map(folded))],
  }
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'

/** DuckDB tells upper from lower case in all letters but these. */
function inLowerCase(sql: string): string {
  return `translate(${sql}, '${letters}', '${letters.toLowerCase()}')`
}

function folded(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
}
