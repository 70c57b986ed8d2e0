import { type EngineName, KeelsonError, quoteIdentifier, type Steps, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import { qualifiedName } from '../host/qualified-name.ts'
import type { Target } from '../host/target.ts'
import { byColumnName } from './column-names.ts'
import { columns, type Row } from './columns.ts'
import { readDuckDB } from './duckdb-table.ts'

/** What has to be known of a table before rows are sent to it. */
export interface TableInfo {
  /** By their names in the database. */
  readonly columns: ReadonlyMap<string, ColumnInfo>
  /** The column that the engine means by a name, which may be written otherwise. */
  column(name: string): ColumnInfo | undefined
  /** Whether it is a view, whose triggers decide what becomes of a row. */
  readonly isView: boolean
  /** Whether the engine's own mark of a new row cannot be read from it. */
  readonly isPartitioned: boolean
  /** The text of its triggers, where the engine keeps it. */
  readonly triggers: readonly string[]
  /** Whether a statement on it that fails may undo more than itself, or less, so that nothing can be tried after it. */
  readonly failsOtherwise: boolean
  /** The columns of its unique keys, where they are needed. */
  readonly uniqueKeys: readonly (readonly string[])[]
}

export interface ColumnInfo {
  readonly name: string
  /** As the engine names it, quoted where it is to stand in SQL. */
  readonly type: string
  /** Not null, without a default, and not made by the engine. */
  readonly isRequired: boolean
  /** The engine makes its value, so that it can be read and not written. */
  readonly isGenerated: boolean
  /** Whether it has a default, where that is needed. */
  readonly hasDefault?: boolean
}

/** What an engine's catalogue says. */
export type Found = Omit<TableInfo, 'column'>
type Reader = (session: HostSession, target: Target, needsKeys: boolean) => Steps<Found>

const readers: Readonly<Record<EngineName, Reader>> = {
  sqlite: readSqlite,
  postgresql: readPostgresql,
  duckdb: readDuckDB,
  mysql: readMysql,
}

/**
 * Reads what the engine knows of the table, each time anew: whether it has changed no engine tells for less, and
 * for certain.
 *
 * @param needsKeys whether its unique keys are needed, which on some engines are read apart
 * @throws {KeelsonError} `NO_TABLE` when there is none of that name
 */
export function* readTableInfo(
  engine: EngineName,
  session: HostSession,
  target: Target,
  needsKeys: boolean,
): Steps<TableInfo> {
  const found = yield* readers[engine](session, target, needsKeys)
  if (found.columns.size > 0) return { ...found, column: byColumnName(engine, found.columns) }
  const name = target.schema === undefined ? target.table : `${target.schema}.${target.table}`
  throw new KeelsonError(
    'NO_TABLE',
    `There is no table ${JSON.stringify(name)} to insert into. Create it first, or correct its name. Nothing was written.`,
  )
}

function* readSqlite(session: HostSession, { table, schema }: Target): Steps<Found> {
  const quoted = (name: string): string => quoteIdentifier(name, 'sqlite')
  const [rows, objects, triggers] = [
    yield* wait(
      session.query(
        `select name, type, "notnull" as required, dflt_value as "default", pk, hidden from pragma_table_xinfo(?${schema === undefined ? '' : ', ?'})`,
        schema === undefined ? [table] : [table, schema],
      ),
    ),
    yield* wait(
      session.query(
        // A temporary one hides another of its name.
        schema === undefined
          ? `select type, sql from (select 0 as place, type, sql, name from sqlite_temp_schema union all select 1, type, sql, name from sqlite_schema) where name = ? collate nocase order by place`
          : `select type, sql from ${quoted(schema)}.sqlite_schema where name = ? collate nocase`,
        [table],
      ),
    ),
    yield* wait(
      session.query(
        `select sql from ${schema === undefined ? 'sqlite_schema' : `${quoted(schema)}.sqlite_schema`} where type = 'trigger' and tbl_name = ? collate nocase ` +
          `union all select sql from sqlite_temp_schema where type = 'trigger' and tbl_name = ? collate nocase`,
        [table, table],
      ),
    ),
  ]
  const isView = objects[0]?.['type'] === 'view'
  const keyColumns = rows.filter(({ pk }) => Number(pk) > 0)
  // A single INTEGER PRIMARY KEY is the rowid, which SQLite numbers: https://www.sqlite.org/lang_createtable.html#rowid
  const isRowid = (row: Row): boolean =>
    keyColumns.length === 1 && Number(row['pk']) === 1 && /^integer$/i.test(String(row['type']))
  return {
    columns: columns(
      // Generated columns are hidden 2 or 3; 1 is one of a virtual table's own.
      rows.filter(({ hidden }) => Number(hidden) !== 1),
      (row) => {
        const isGenerated = Number(row['hidden']) !== 0
        return {
          type: String(row['type']),
          isGenerated,
          isRequired:
            !isView &&
            !isGenerated &&
            Number(row['required']) === 1 &&
            row['default'] === null &&
            !isRowid(row),
        }
      },
    ),
    isView,
    isPartitioned: false,
    triggers: triggers.map(({ sql }) => String(sql)),
    // https://www.sqlite.org/lang_conflict.html
    failsOtherwise: [...objects, ...triggers].some(({ sql }) =>
      /raise\s*\(\s*(?:fail|rollback)|on\s+conflict\s+(?:fail|rollback)|or\s+(?:fail|rollback)/i.test(
        String(sql),
      ),
    ),
    uniqueKeys: [],
  }
}

function* readPostgresql(session: HostSession, target: Target): Steps<Found> {
  const name = qualifiedName(target, 'postgresql')
  const rows = yield* wait(
    session.query(
      `select a.attname::text as name, c.relkind::text as kind,
       quote_ident(n.nspname) || '.' || quote_ident(t.typname) as type,
       -- A trigger may still fill in what is missing.
       a.attnotnull and not a.atthasdef and a.attidentity = '' and t.typdefault is null and not c.relhastriggers as required,
       -- COPY would take a value for one that is always generated, and INSERT does not.
       a.attgenerated <> '' or a.attidentity = 'a' as generated
     from pg_attribute a
       join pg_class c on c.oid = a.attrelid
       join pg_type t on t.oid = a.atttypid
       join pg_namespace n on n.oid = t.typnamespace
     where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
     order by a.attnum`,
      [name],
    ),
  )
  return {
    columns: columns(rows, (row) => ({
      type: String(row['type']),
      isRequired: row['required'] === true,
      isGenerated: row['generated'] === true,
    })),
    isView: rows[0]?.['kind'] === 'v',
    isPartitioned: rows[0]?.['kind'] === 'p' || rows[0]?.['kind'] === 'f',
    triggers: [],
    failsOtherwise: false,
    uniqueKeys: [],
  }
}

function* readMysql(
  session: HostSession,
  { table, schema }: Target,
  needsKeys: boolean,
): Steps<Found> {
  const rows = yield* wait(
    session.query(
      `select column_name as name, data_type as type, extra
     from information_schema.columns
     where table_name = ? and table_schema = coalesce(?, database())
     order by ordinal_position`,
      [table, schema ?? null],
    ),
  )
  const keys = needsKeys
    ? yield* wait(
        session.query(
          `select index_name as name, column_name as part from information_schema.statistics
     where table_name = ? and table_schema = coalesce(?, database()) and non_unique = 0
     order by index_name, seq_in_index`,
          [table, schema ?? null],
        ),
      )
    : []
  const uniqueKeys = new Map<unknown, string[]>()
  for (const key of keys) {
    const parts = uniqueKeys.get(key['name']) ?? []
    uniqueKeys.set(key['name'], [...parts, String(key['part'])])
  }
  return {
    columns: columns(rows, ({ type, extra }) => ({
      type: String(type),
      // What is missing a trigger may fill in, or a server that is not strict.
      isRequired: false,
      isGenerated: /generated/i.test(String(extra).replace('DEFAULT_GENERATED', '')),
    })),
    isView: false,
    isPartitioned: false,
    triggers: [],
    failsOtherwise: false,
    uniqueKeys: [...uniqueKeys.values()],
  }
}
