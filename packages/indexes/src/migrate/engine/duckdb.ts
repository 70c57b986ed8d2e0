import { quoteIdentifier, type Steps, wait } from '@keelson/core'
import type { HostSession } from '../../host/host.ts'
import type { MigrationLine } from '../migration-host.ts'
import { backupError, intoNewFile, literal } from './backup-file.ts'
import type { MigrationEngine, TableState } from './engine.ts'

/** One process at a time has a database open for writing, so that one at a time in this process is enough. */
export const duckdbMigrations: MigrationEngine = {
  engine: 'duckdb',
  fileQuery: 'select path as file from duckdb_databases() where database_name = current_database()',
  longText: 'varchar',
  createsSchemas: true,
  isolationLevel: undefined,
  keepsOutByMark: false,
  withSettings: undefined,
  *hasTable(session, _name, schema, table) {
    const where =
      schema === undefined
        ? 'list_contains(current_schemas(true), schema_name)'
        : 'schema_name = $2'
    const sql = `select 1 as found from duckdb_tables() where database_name = current_database() and table_name = $1 and ${where}`
    return (
      (yield* wait(session.query(sql, schema === undefined ? [table] : [table, schema]))).length > 0
    )
  },
  tryLock: () => wait(true),
  sessionLock: undefined,
  holder: () => wait(undefined),
  tableStates,
  async backup(line, path) {
    await intoNewFile(path, () => copyDatabase(line, path))
  },
}

function* tableStates(session: HostSession): Steps<readonly TableState[]> {
  const tables = yield* wait(
    session.query(
      'select schema_name as schema, table_name as name from duckdb_tables() where database_name = current_database() and not internal and not temporary',
    ),
  )
  const states: TableState[] = []
  for (const { schema, name } of tables as readonly { schema: string; name: string }[]) {
    const id = `${quoteIdentifier(schema, 'duckdb')}.${quoteIdentifier(name, 'duckdb')}`
    const [row] = yield* wait(session.query(`select count(*)::integer as n from ${id}`))
    states.push({ id, name, parents: [], rows: Number(row!['n']) })
  }
  return states
}

/** As one transaction sees it: a copy of the file could be taken in the middle of a checkpoint. */
async function copyDatabase(line: MigrationLine, path: string): Promise<void> {
  const [current] = await line.query('select current_database() as name')
  const name = String(current!['name'])
  await line.run(`attach ${literal(path)} as keelson_backup`)
  try {
    const before = await contents(line, name)
    await line.run(`copy from database ${quoteIdentifier(name, 'duckdb')} to keelson_backup`)
    const copied = await contents(line, 'keelson_backup')
    const after = await contents(line, name)
    if (copied !== before && copied !== after) {
      throw backupError(
        `The backup to ${path} is not like the database: it has ${copied}, the database has ${before}. Nothing was ` +
          'migrated. Copy the file while no process has it open.',
      )
    }
  } finally {
    await line.run('detach keelson_backup')
  }
}

/** Everything by its kind and name, tables with the number of their rows. */
async function contents(line: MigrationLine, database: string): Promise<string> {
  const of = literal(database)
  const objects = await line.query(
    `select 'table' as kind, schema_name as schema, table_name as name from duckdb_tables() where database_name = ${of} and not temporary
union all select 'view', schema_name, view_name from duckdb_views() where database_name = ${of} and not internal and not temporary
union all select 'index', schema_name, index_name from duckdb_indexes() where database_name = ${of}
union all select 'sequence', schema_name, sequence_name from duckdb_sequences() where database_name = ${of} and not temporary
order by all`,
  )
  const parts: string[] = []
  for (const { kind, schema, name } of objects as readonly Record<string, string>[]) {
    const path = [schema!, name!].map((part) => quoteIdentifier(part, 'duckdb')).join('.')
    if (kind !== 'table') {
      parts.push(`${kind} ${path}`)
      continue
    }
    const [row] = await line.query(
      `select count(*)::varchar as n from ${quoteIdentifier(database, 'duckdb')}.${path}`,
    )
    parts.push(`table ${path} of ${String(row!['n'])} rows`)
  }
  return parts.join(', ')
}
