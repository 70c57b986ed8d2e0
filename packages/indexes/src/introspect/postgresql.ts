import { quoteIdentifier, type ReferentialAction, type Steps, wait } from '@keelson/core'
import type { HostSession, Row } from '../host/host.ts'
import type { IntrospectOptions } from './introspect.ts'
import type { NotEnforced } from '../ir/table-definition.ts'
import {
  deferrableKey,
  type LiveColumn,
  type LiveIndex,
  type LiveKey,
  type LiveTable,
} from './live-table.ts'

/**
 * The tables of PostgreSQL, in the order in which they were created: four statements, however many tables there are.
 * Partitions are left out, and so is an index that `CREATE INDEX CONCURRENTLY` has left invalid.
 */
export function* postgresqlTables(
  session: HostSession,
  { schema, tables: wanted }: IntrospectOptions,
): Steps<readonly LiveTable[]> {
  const parameters = [schema ?? null, wanted === undefined ? null : JSON.stringify(wanted)]
  const tables = yield* wait(
    session.query(`select t.relname as name from ${chosenTables} order by t.oid`, parameters),
  )
  const columns = yield* wait(session.query(columnQuery, parameters))
  const constraints = yield* wait(session.query(constraintQuery, parameters))
  const indexes = yield* wait(session.query(indexQuery, parameters))
  const by = {
    columns: rowsByTable(columns),
    constraints: rowsByTable(constraints),
    indexes: rowsByTable(indexes),
  }
  return tables.map((row) => {
    const name = textOf(row['name'])
    return readRows(
      name,
      by.columns.get(name) ?? [],
      by.constraints.get(name) ?? [],
      by.indexes.get(name) ?? [],
    )
  })
}

const chosenTables = `pg_catalog.pg_class t
  join pg_catalog.pg_namespace n on n.oid = t.relnamespace
    and n.nspname = coalesce($1::text, current_schema())
    and t.relkind in ('r', 'p') and not t.relispartition
    and ($2::json is null or t.relname in (select json_array_elements_text($2::json)))`

const columnQuery = `
  select t.relname as tbl, a.attname as name, a.attnotnull as notnull,
    pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
    (select c.collname from pg_catalog.pg_collation c, pg_catalog.pg_type y
      where y.oid = a.atttypid and c.oid = a.attcollation and a.attcollation <> y.typcollation) as coll,
    a.attidentity::text as identity, a.attgenerated::text as generated,
    pg_catalog.pg_get_expr(d.adbin, d.adrelid) as dflt
  from ${chosenTables}
  join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  order by t.oid, a.attnum`

const constraintQuery = `
  select t.relname as tbl, k.conname as name, k.contype::text as kind,
    ${columnNames('k.conrelid', 'k.conkey')} as cols,
    p.relname as parent, ${columnNames('k.confrelid', 'k.confkey')} as referenced,
    k.confdeltype::text as del, k.confupdtype::text as upd,
    pg_catalog.pg_get_expr(k.conbin, k.conrelid) as expression,
    k.condeferrable as deferrable, k.condeferred as deferred,
    case when k.contype = 'x' then pg_catalog.pg_get_constraintdef(k.oid) end as exclusion
  from ${chosenTables}
  join pg_catalog.pg_constraint k on k.conrelid = t.oid and k.contype in ('p', 'f', 'c', 'u', 'x')
  left join pg_catalog.pg_class p on p.oid = k.confrelid
  order by t.oid, k.oid`

const indexQuery = `
  select t.relname as tbl, x.relname as idx, i.indisunique as uniq, m.amname as method,
    pg_catalog.pg_get_expr(i.indpred, i.indrelid) as pred,
    exists (
      select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.contype = 'u'
    ) as of_constraint,
    coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) as not_distinct,
    at < i.indnkeyatts as is_key, i.indoption[at] as opt,
    pg_catalog.pg_get_indexdef(i.indexrelid, at + 1, false) as def, a.attname as col,
    case when not o.opcdefault then o.opcname end as opclass,
    case when l.oid <> coalesce(a.attcollation, 100) then l.collname end as coll
  from ${chosenTables}
  join pg_catalog.pg_index i on i.indrelid = t.oid and i.indisvalid and not i.indisprimary
  join pg_catalog.pg_class x on x.oid = i.indexrelid
  join pg_catalog.pg_am m on m.oid = x.relam
  cross join lateral generate_series(0, i.indnatts - 1) at
  left join pg_catalog.pg_attribute a
    on a.attrelid = i.indrelid and a.attnum = i.indkey[at] and i.indkey[at] <> 0
  left join pg_catalog.pg_opclass o on o.oid = i.indclass[at]
  left join pg_catalog.pg_collation l on l.oid = i.indcollation[at]
  order by t.oid, x.oid, at`

/** The names behind an array of attribute numbers, as JSON: not every driver reads arrays of names. */
function columnNames(table: string, numbers: string): string {
  return `(select json_agg(a.attname order by u.place)::text
    from unnest(${numbers}) with ordinality u(number, place)
    join pg_catalog.pg_attribute a on a.attrelid = ${table} and a.attnum = u.number)`
}

function readRows(
  name: string,
  columns: readonly Row[],
  constraints: readonly Row[],
  indexRows: readonly Row[],
): LiveTable {
  const ofKind = (kind: string): readonly Row[] =>
    constraints.filter((constraint) => constraint['kind'] === kind)
  return {
    name,
    columns: columns.map((column) => readColumn(column)),
    primaryKey: ofKind('p').flatMap((key) => namesOf(key['cols'])),
    foreignKeys: ofKind('f').map((key) => ({
      name: textOf(key['name']),
      columns: namesOf(key['cols']),
      referencedTable: textOf(key['parent']),
      referencedColumns: namesOf(key['referenced']),
      onDelete: actions[textOf(key['del'])] ?? 'no action',
      onUpdate: actions[textOf(key['upd'])] ?? 'no action',
    })),
    checks: ofKind('c').map((check) => ({
      name: textOf(check['name']),
      expression: textOf(check['expression']),
    })),
    indexes: Array.from(groupBy(indexRows, 'idx'), ([index, keys]) => readIndex(index, keys)),
    unsaid: [
      ...columns
        .filter((column) => column['identity'] === 'a')
        .map((column) => alwaysNumbered(textOf(column['name']))),
      ...constraints.flatMap((constraint) => unsaidOf(constraint)),
    ],
  }
}

function alwaysNumbered(column: string): NotEnforced {
  return {
    column,
    what: 'generated always as identity',
    why: 'a column that a definition numbers takes a number that is given to it, too',
  }
}

function unsaidOf(constraint: Row): readonly NotEnforced[] {
  const { cols, deferrable, deferred, exclusion } = constraint
  const columns = namesOf(cols)
  const why = 'definitions have no constraints of this kind'
  return [
    ...(typeof exclusion === 'string'
      ? [{ column: columns.join(', '), what: exclusion, why }]
      : []),
    ...(deferrable === true
      ? [deferrableKey(columns, deferred === true ? 'deferred' : 'immediate')]
      : []),
  ]
}

const actions: Readonly<Record<string, ReferentialAction>> = {
  a: 'no action',
  r: 'restrict',
  c: 'cascade',
  n: 'set null',
  d: 'set default',
}

function readColumn(row: Row): LiveColumn {
  const collation = row['coll']
  const generated = textOf(row['generated'])
  const fallback = row['dflt']
  const type = textOf(row['type'])
  return {
    name: textOf(row['name']),
    native:
      typeof collation === 'string'
        ? `${type} collate ${quoteIdentifier(collation, 'postgresql')}`
        : type,
    nullable: row['notnull'] !== true,
    ...(typeof fallback === 'string' && generated === '' && { default: fallback }),
    ...(typeof fallback === 'string' &&
      generated !== '' && { generated: { sql: fallback, stored: generated === 's' } }),
    identity: textOf(row['identity']) !== '',
  }
}

function readIndex(name: string, rows: readonly Row[]): LiveIndex {
  const [first = {}] = rows
  const where = first['pred']
  const included = rows.filter((row) => row['is_key'] !== true)
  return {
    name,
    unique: first['uniq'] === true,
    keys: rows.filter((row) => row['is_key'] === true).map((row) => readKey(row)),
    ...(typeof where === 'string' && { where }),
    method: textOf(first['method']),
    ...(included.length > 0 && { include: included.map((row) => textOf(row['col'])) }),
    ...(first['not_distinct'] === true && { nullsDistinct: false }),
    constraint: first['of_constraint'] === true,
  }
}

/** Bits of `indoption`. */
const isDescending = 1
const isNullsFirst = 2

function readKey(row: Row): LiveKey {
  const { col, coll, def, opclass } = row
  const options = Number(row['opt'] ?? 0)
  const descending = (options & isDescending) !== 0
  const nullsFirst = (options & isNullsFirst) !== 0
  if (typeof opclass !== 'string' && descending === nullsFirst) {
    return {
      ...(typeof col === 'string' ? { column: col } : { expression: textOf(def) }),
      descending,
      ...(typeof coll === 'string' && { collation: coll }),
    }
  }
  // No definition says a class of operators, nor where NULLs go: the key is kept as it is written.
  const words = [textOf(def)]
  if (typeof coll === 'string') words.push(`collate ${quoteIdentifier(coll, 'postgresql')}`)
  if (typeof opclass === 'string') words.push(quoteIdentifier(opclass, 'postgresql'))
  if (descending) words.push('desc')
  if (descending !== nullsFirst) words.push(nullsFirst ? 'nulls first' : 'nulls last')
  return { expression: words.join(' '), descending: false }
}

function rowsByTable(rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> {
  return groupBy(rows, 'tbl')
}

function groupBy(rows: readonly Row[], column: string): ReadonlyMap<string, readonly Row[]> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const group = groups.get(textOf(row[column]))
    if (group === undefined) groups.set(textOf(row[column]), [row])
    else group.push(row)
  }
  return groups
}

function namesOf(json: unknown): readonly string[] {
  return typeof json === 'string' ? (JSON.parse(json) as string[]) : []
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
