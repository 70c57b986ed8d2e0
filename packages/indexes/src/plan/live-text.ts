import { type Steps, wait } from '@keelson/core'
import type { HostSession, Row } from '../host/host.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { tableKey } from '../ir/table-key.ts'
import { namesBySchema } from './live-schema.ts'
import type { SchemaEngine } from './schema-engine.ts'

/** The statements by which a database shows what it has of a table: run again, they make exactly that. */
export interface LiveText {
  /** Undefined where the engine does not keep it. */
  readonly table: string | undefined
  /** Of each index that is not of a constraint, by its name. */
  readonly indexes: ReadonlyMap<string, string>
  readonly triggers: readonly string[]
  /** How many rows there are, about. */
  readonly rows: number
}

type LiveTextReader = (
  session: HostSession,
  tables: readonly string[],
  schema: string | undefined,
) => Steps<ReadonlyMap<string, LiveText>>

/** Reads the texts of tables, by their `tableKey()`. */
export function* readLiveTexts(
  session: HostSession,
  engine: SchemaEngine,
  tables: readonly Pick<TableDefinition, 'schema' | 'name'>[],
): Steps<ReadonlyMap<string, LiveText>> {
  const texts = new Map<string, LiveText>()
  for (const [schema, names] of namesBySchema(tables)) {
    const found = yield* readers[engine](session, names, schema)
    for (const [name, text] of found)
      texts.set(tableKey({ name, ...(schema !== undefined && { schema }) }), text)
  }
  return texts
}

const readers: Readonly<Record<SchemaEngine, LiveTextReader>> = {
  *sqlite(session, tables, schema = 'main') {
    const rows = yield* wait(
      session.query(
        `select type as kind, name, tbl_name as tbl, sql from ${quoted(schema)}.sqlite_schema
         where sql is not null and tbl_name in (select value from json_each(?)) order by rowid`,
        [JSON.stringify(tables)],
      ),
    )
    const texts = new Map<string, LiveText>()
    for (const name of tables) {
      const rowCount = yield* sqliteRows(session, schema, name)
      texts.set(name, textOf(name, rows, rowCount))
    }
    return texts
  },

  *duckdb(session, tables, schema) {
    const where = `database_name = current_database() and schema_name = ${schema === undefined ? 'current_schema()' : '$1'}`
    const parameters = schema === undefined ? [] : [schema]
    const indexes = yield* wait(
      session.query(
        `select 'index' as kind, index_name as name, table_name as tbl, sql from duckdb_indexes() where ${where}`,
        parameters,
      ),
    )
    const counts = yield* wait(
      session.query(
        `select table_name as name, estimated_size as n from duckdb_tables() where ${where}`,
        parameters,
      ),
    )
    const found = new Map(counts.map((row) => [String(row['name']), row]))
    return new Map(
      tables.map((name) => [name, textOf(name, indexes, Number(found.get(name)?.['n'] ?? 0))]),
    )
  },

  *postgresql(session, tables, schema) {
    const namespace = schema === undefined ? 'current_schema()' : '$2'
    const parameters = [JSON.stringify(tables), ...(schema === undefined ? [] : [schema])]
    const indexes = yield* wait(
      session.query(
        `select 'index' as kind, x.relname as name, t.relname as tbl, pg_get_indexdef(i.indexrelid) as sql
         from pg_index i join pg_class x on x.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
         join pg_namespace n on n.oid = t.relnamespace
         where n.nspname = ${namespace} and t.relname in (select json_array_elements_text($1::json))
         and not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x'))`,
        parameters,
      ),
    )
    const counts = yield* wait(
      session.query(
        `select t.relname as name, t.reltuples::float8 as n from pg_class t join pg_namespace n on n.oid = t.relnamespace
         where n.nspname = ${namespace} and t.relname in (select json_array_elements_text($1::json))`,
        parameters,
      ),
    )
    const texts = new Map<string, LiveText>()
    for (const row of counts) {
      const name = String(row['name'])
      const known = Number(row['n'])
      // -1: neither vacuum nor analyze has counted it yet.
      const rowCount = known >= 0 ? known : yield* countedRows(session, schema, name)
      texts.set(name, textOf(name, indexes, rowCount))
    }
    return texts
  },
}

function textOf(table: string, all: readonly Row[], rows: number): LiveText {
  const own = all.filter((row) => row['tbl'] === table)
  const of = (kind: string): readonly Row[] => own.filter((row) => row['kind'] === kind)
  return {
    table: of('table')[0]?.['sql'] as string | undefined,
    indexes: new Map(of('index').map((row) => [String(row['name']), String(row['sql'])])),
    triggers: of('trigger').map((row) => String(row['sql'])),
    rows,
  }
}

/** The greatest rowid is found at once, and is rarely far from how many rows there are; a table without one is counted. */
function* sqliteRows(session: HostSession, schema: string, table: string): Steps<number> {
  const name = `${quoted(schema)}.${quoted(table)}`
  const [kind] = yield* wait(
    session.query(
      `select wr, (select group_concat(lower(x.name)) from pragma_table_xinfo(l.name, l.schema) x
         where lower(x.name) in ('rowid', 'oid', '_rowid_')) as taken
       from pragma_table_list l where name = ? and schema = ?`,
      [table, schema],
    ),
  )
  if (kind === undefined) return 0
  const taken = (kind['taken'] as string | null)?.split(',') ?? []
  const rowid = ['rowid', 'oid', '_rowid_'].find((alias) => !taken.includes(alias))
  const count = `select count(*) as n from (select 1 from ${name} limit 1000000)`
  if (Number(kind['wr']) !== 0 || rowid === undefined) return yield* numberIn(session, count)
  // As a text: a driver may refuse to give a number that it could only round.
  const greatest = yield* numberIn(
    session,
    `select cast((select max(${rowid}) from ${name}) as text) as n`,
  )
  // Numbers that are no count, such as those that have a time in them.
  return greatest > 2 ** 32 ? yield* numberIn(session, count) : greatest
}

function* numberIn(session: HostSession, sql: string): Steps<number> {
  const [row] = yield* wait(session.query(sql))
  return Number(row?.['n'] ?? 0)
}

/** At most 100,000: more is a large table, however many more. */
function* countedRows(
  session: HostSession,
  schema: string | undefined,
  table: string,
): Steps<number> {
  const name = schema === undefined ? quoted(table) : `${quoted(schema)}.${quoted(table)}`
  const [row] = yield* wait(
    session.query(`select count(*) as n from (select from ${name} limit 100000) as sample`),
  )
  return Number(row?.['n'] ?? 0)
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
