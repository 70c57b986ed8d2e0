import { quoteIdentifier, type Steps, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import { textSql } from '../sql/literal.ts'

/** As one transaction sees it: a copy of the file could be taken in the middle of a checkpoint. */
export function* copyDuckDB(session: HostSession, path: string): Steps<string | undefined> {
  const [current] = yield* wait(session.query('select current_database() as name'))
  const name = String(current!['name'])
  yield* wait(session.run(`attach ${textSql(path, 'duckdb')} as keelson_backup`))
  try {
    const before = yield* contents(session, name)
    yield* wait(
      session.run(`copy from database ${quoteIdentifier(name, 'duckdb')} to keelson_backup`),
    )
    const copied = yield* contents(session, 'keelson_backup')
    // Others may have written in between.
    const after = yield* contents(session, name)
    if (copied === before || copied === after) return undefined
    return `it has ${copied}, and the database has ${before}. Copy the file while no process has it open.`
  } finally {
    yield* wait(session.run('detach keelson_backup'))
  }
}

/** Everything by its kind and name, tables with the number of their rows. */
function* contents(session: HostSession, database: string): Steps<string> {
  const of = textSql(database, 'duckdb')
  const objects = yield* wait(
    session.query(
      `select 'table' as kind, schema_name as schema, table_name as name from duckdb_tables() where database_name = ${of} and not temporary
union all select 'view', schema_name, view_name from duckdb_views() where database_name = ${of} and not internal and not temporary
union all select 'index', schema_name, index_name from duckdb_indexes() where database_name = ${of}
union all select 'sequence', schema_name, sequence_name from duckdb_sequences() where database_name = ${of} and not temporary
order by all`,
    ),
  )
  const parts: string[] = []
  for (const { kind, schema, name } of objects as readonly Record<string, string>[]) {
    const path = [schema!, name!].map((part) => quoteIdentifier(part, 'duckdb')).join('.')
    if (kind !== 'table') {
      parts.push(`${kind} ${path}`)
      continue
    }
    const [row] = yield* wait(
      session.query(
        `select count(*)::varchar as n from ${quoteIdentifier(database, 'duckdb')}.${path}`,
      ),
    )
    parts.push(`table ${path} of ${String(row!['n'])} rows`)
  }
  return parts.join(', ')
}
