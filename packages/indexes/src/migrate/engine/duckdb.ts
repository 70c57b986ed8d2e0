import { quoteIdentifier, type Steps, wait } from '@keelson/core'
import type { HostSession } from '../../host/host.ts'
import type { MigrationEngine, TableState } from './engine.ts'

/** One process at a time has a database open for writing, so that one at a time in this process is enough. */
export const duckdbMigrations: MigrationEngine = {
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
    const [row] = yield* wait(session.query(`select count(*) as n from ${id}`))
    states.push({ id, name, parents: [], rows: Number(row!['n']) })
  }
  return states
}
