import { type Steps, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import type { Target } from '../host/target.ts'
import { byColumnName } from './column-names.ts'
import { columns, type Row } from './columns.ts'
import type { Found } from './table-info.ts'

/** What DuckDB's catalogue says of a table, wherever it is. */
export function* readDuckDB(
  session: HostSession,
  { table, schema }: Target,
  needsKeys: boolean,
): Steps<Found> {
  const found = yield* wait(
    session.query(
      `select column_name as name, data_type as type, not is_nullable and column_default is null as required,
       column_default is not null as has_default, database_name, schema_name, table_name
     from duckdb_columns()
     where lower(table_name) = lower($1) and ${placesOf(schema)}
     order by case database_name when 'temp' then 0 when current_database() then 1 else 2 end, column_index`,
      schema === undefined ? [table] : [table, schema],
    ),
  )
  const place = ({ database_name, schema_name, table_name }: Row): unknown[] => [
    database_name,
    schema_name,
    table_name,
  ]
  const [first] = found
  const rows = found.filter((row) => String(place(row)) === String(place(first!)))
  const keys = first !== undefined && needsKeys ? yield* readKeys(session, place(first)) : []
  // Within an index they may be written otherwise than in the table.
  const nameOf = byColumnName(
    'duckdb',
    rows.map(({ name }) => [String(name), String(name)] as const),
  )
  return {
    columns: columns(rows, (row) => ({
      type: String(row['type']),
      isRequired: row['required'] === true,
      // Which it is DuckDB's catalogue does not tell; it refuses a value itself.
      isGenerated: false,
      hasDefault: row['has_default'] === true,
    })),
    isView: false,
    isPartitioned: false,
    triggers: [],
    failsOtherwise: false,
    // An index on an expression is one of no column.
    uniqueKeys: keys
      .map(({ key }) => columnsIn(key).map((name) => nameOf(name)))
      .filter((key) => key.every((name) => name !== undefined)),
  }
}

/** @param place database, schema and table */
function* readKeys(session: HostSession, place: readonly unknown[]): Steps<readonly Row[]> {
  return yield* wait(
    session.query(
      `select to_json(constraint_column_names)::varchar as key from duckdb_constraints()
     where database_name = $1 and schema_name = $2 and table_name = $3
       and constraint_type in ('PRIMARY KEY', 'UNIQUE')
     union all select expressions from duckdb_indexes()
     where database_name = $1 and schema_name = $2 and table_name = $3 and is_unique`,
      place,
    ),
  )
}

/**
 * Where DuckDB looks for a table. A temporary one is in the schema `main` of the database `temp`, which comes first; what
 * stands before the name of a table is a schema, or an attached database, whose schema is `main` then.
 */
function placesOf(schema: string | undefined): string {
  const isNear = `database_name in ('temp', current_database())`
  return schema === undefined
    ? `(database_name = 'temp' or (database_name = current_database() and schema_name = current_schema()))`
    : `((${isNear} and lower(schema_name) = lower($2)) or (lower(database_name) = lower($2) and schema_name = 'main'))`
}

/** Of a list as DuckDB writes it: `["a","b"]` for a constraint, `[a, '"b c"']` for an index. */
function columnsIn(list: unknown): string[] {
  const text = typeof list === 'string' ? list : JSON.stringify(list)
  return text
    .slice(1, -1)
    .split(/,\s*(?=(?:[^"]*"[^"]*")*[^"]*$)/)
    .map((part) =>
      part
        .trim()
        .replace(/^'(.*)'$/, '$1')
        .replace(/^"(.*)"$/, '$1')
        .replaceAll('""', '"'),
    )
}
