import { describeError } from '../errors/describe-error.ts'
import { quoteIdentifier } from '../identifier.ts'
import { checkOptionNames } from '../options.ts'
import { type Later, type Steps, takeSteps, wait } from '../steps.ts'
import type { Catalogue } from './catalogue.ts'
import { type CatalogueRow, groupRows, textOf } from './rows.ts'
import { readSqliteTableRows } from './sqlite-table.ts'

/** Sends one statement with `?` for its parameters, and returns its rows. */
export type CatalogueQuery = (
  sql: string,
  parameters: readonly unknown[],
) => Promise<readonly Record<string, unknown>[]>

/** The same of a driver that may answer at once. */
export type CatalogueSteppedQuery = (
  sql: string,
  parameters: readonly unknown[],
) => Later<readonly Readonly<Record<string, unknown>>[]>

/** Which part of a SQLite connection's databases to read. */
export interface SqliteCatalogueOptions {
  /** One of the attached databases, or `temp`. @default 'main' */
  readonly schema?: string
  /** Only these tables, in upper or lower case; one that does not exist is left out. @default all of them */
  readonly tables?: readonly string[]
}

/**
 * Reads tables, views and virtual tables with their columns, keys and indexes, as SQLite has them.
 *
 * Sends five statements one after the other, however many tables there are; run it in a transaction where other
 * connections change the schema meanwhile. Left out are SQLite's own tables, the shadow tables and hidden columns of
 * virtual tables, and everything in other schemas. A view that no longer compiles has `broken` and no columns.
 *
 * Names of constraints, CHECKs, `DEFERRABLE`, partial indexes and the text of expressions, which no pragma shows,
 * are read from `sqlite_schema.sql`.
 *
 * @throws what `query` throws
 *
 * @example
 * const database = new Database('app.db')
 * const { tables } = await readSqliteCatalogue(async (sql, parameters) => database.prepare(sql).all(parameters))
 */
export async function readSqliteCatalogue(
  query: CatalogueQuery,
  options: SqliteCatalogueOptions = {},
): Promise<Catalogue> {
  return takeSteps(sqliteCatalogue(query, options))
}

/** The same in steps. */
export function* sqliteCatalogue(
  query: CatalogueSteppedQuery,
  options: SqliteCatalogueOptions = {},
): Steps<Catalogue> {
  checkOptionNames('readSqliteCatalogue()', options, ['schema', 'tables'])
  const { schema = 'main', tables: wanted } = options
  const listed = selection(schema, wanted)
  const tables = yield* wait(
    query(
      `select s.name, s.sql, l.type as kind, l.wr, l.strict
       from pragma_table_list l
       join ${quoteIdentifier(schema, 'sqlite')}.sqlite_schema s on s.name = l.name and s.type in ('table', 'view')
       where ${listed.where} order by s.rowid`,
      listed.parameters,
    ),
  )
  const columns = yield* wait(query(columnsOf(listed, `l.type <> 'view'`), listed.parameters))
  const views = tables.filter((row) => row['kind'] === 'view')
  const viewColumns = yield* readViewColumns(query, listed, views)
  const indexes = yield* wait(
    query(
      `select l.name as tbl, i.name as idx, i."unique" as uniq, i.origin, s.sql,
         x.name, x."desc" as descending, x.coll
       from pragma_table_list l
       cross join pragma_index_list(l.name, l.schema) i
       cross join pragma_index_xinfo(i.name, l.schema) x
       left join ${quoteIdentifier(schema, 'sqlite')}.sqlite_schema s on s.type = 'index' and s.name = i.name
       where ${listed.where} and l.type = 'table' and x.key
       order by l.name, s.rowid, i.seq, x.seqno`,
      listed.parameters,
    ),
  )
  const foreignKeys = yield* wait(
    query(
      `select l.name as tbl, f.id, f."table" as parent, f."from" as child, f.on_delete as del, f.on_update as upd,
         coalesce(f."to", (
           select x.name from pragma_table_list(f."table") p cross join pragma_table_xinfo(p.name, p.schema) x
           where p.schema = l.schema and p.type = 'table' and x.pk = f.seq + 1
         )) as referenced
       from pragma_table_list l cross join pragma_foreign_key_list(l.name, l.schema) f
       where ${listed.where} and l.type = 'table'
       order by l.name, f.id desc, f.seq`,
      listed.parameters,
    ),
  )
  const rows = {
    columns: groupRows([...columns, ...viewColumns.rows], 'tbl'),
    indexes: groupRows(indexes, 'tbl'),
    foreignKeys: groupRows(foreignKeys, 'tbl'),
  }
  return {
    tables: tables.map((row) => {
      const name = textOf(row['name'])
      const broken = viewColumns.broken.get(name)
      const table = readSqliteTableRows(row, schema, {
        columns: rows.columns.get(name) ?? [],
        indexes: rows.indexes.get(name) ?? [],
        foreignKeys: rows.foreignKeys.get(name) ?? [],
      })
      return broken === undefined ? table : { ...table, broken }
    }),
  }
}

interface Selection {
  readonly where: string
  readonly parameters: readonly string[]
}

function selection(schema: string, tables: readonly string[] | undefined): Selection {
  const where =
    `l.schema = ? collate nocase and l.type in ('table', 'view', 'virtual') ` +
    `and l.name not like 'sqlite\\_%' escape '\\'`
  if (tables === undefined) return { where, parameters: [schema] }
  return {
    where: `${where} and l.name collate nocase in (select value from json_each(?))`,
    parameters: [schema, JSON.stringify(tables)],
  }
}

function columnsOf({ where }: Selection, which: string): string {
  return `select l.name as tbl, x.name, x.type, x."notnull", x.dflt_value as dflt, x.pk, x.hidden
    from pragma_table_list l cross join pragma_table_xinfo(l.name, l.schema) x
    where ${where} and ${which} and x.hidden <> 1
    order by l.name, x.cid`
}

/** One view that no longer compiles fails the statement for all of them; then each is asked for by itself. */
function* readViewColumns(
  query: CatalogueSteppedQuery,
  listed: Selection,
  views: readonly CatalogueRow[],
): Steps<{ rows: readonly CatalogueRow[]; broken: ReadonlyMap<string, string> }> {
  const broken = new Map<string, string>()
  if (views.length === 0) return { rows: [], broken }
  try {
    const rows = yield* wait(query(columnsOf(listed, `l.type = 'view'`), listed.parameters))
    return { rows, broken }
  } catch (error) {
    if (!isCompileError(error)) throw error
  }
  const rows: CatalogueRow[] = []
  for (const view of views) {
    const name = textOf(view['name'])
    try {
      const found = query(columnsOf(listed, 'l.name = ?'), [...listed.parameters, name])
      rows.push(...(yield* wait(found)))
    } catch (error) {
      if (!isCompileError(error)) throw error
      broken.set(name, describeError(error).message)
    }
  }
  return { rows, broken }
}

function isCompileError(error: unknown): boolean {
  return describeError(error).code === 'SQLITE_ERROR'
}
