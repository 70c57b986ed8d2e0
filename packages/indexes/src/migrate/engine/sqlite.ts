import { quoteIdentifier, type Steps, wait } from '@keelson/core'
import type { HostSession } from '../../host/host.ts'
import type { MigrationEngine, TableState } from './engine.ts'
import { SqliteSettings } from './sqlite-settings.ts'

/** SQLite's own write lock on the file keeps others out, so that nothing else is needed. */
export const sqliteMigrations: MigrationEngine = {
  fileQuery: "select file from pragma_database_list where name = 'main'",
  longText: 'text',
  createsSchemas: false,
  isolationLevel: undefined,
  keepsOutByMark: true,
  withSettings: (line, fn) => SqliteSettings.during(line, fn),
  *hasTable(session, _name, schema, table) {
    const from =
      schema === undefined ? 'sqlite_schema' : `${quoteIdentifier(schema, 'sqlite')}.sqlite_schema`
    const sql = `select 1 as found from ${from} where type = 'table' and lower(name) = lower(?)`
    return (yield* wait(session.query(sql, [table]))).length > 0
  },
  *tryLock(session, lock) {
    // A driver may begin with a plain BEGIN, which locks nothing before the first write.
    for (const sql of lock.claim) yield* wait(session.run(sql))
    return true
  },
  sessionLock: undefined,
  holder: () => wait(undefined),
  tableStates,
}

/** Tables whose rows one statement counts: of many small ones sending it is what takes the time. Some builds allow 100 columns. */
const countedAtOnce = 64

function* tableStates(session: HostSession): Steps<readonly TableState[]> {
  // Virtual tables and what they keep their contents in have rows of another kind.
  const tables = yield* wait(
    session.query(
      "select name from pragma_table_list where schema = 'main' and type = 'table' and name not like 'sqlite\\_%' escape '\\'",
    ),
  )
  const names = (tables as readonly { name: string }[]).map(({ name }) => name)
  const states: TableState[] = []
  for (let at = 0; at < names.length; at += countedAtOnce) {
    const some = names.slice(at, at + countedAtOnce)
    const counts = some.map(
      (name, index) =>
        `(select count(*) from main.${quoteIdentifier(name, 'sqlite')}) as n${index}`,
    )
    const [row] = yield* wait(session.query(`select ${counts.join(', ')}`))
    for (const [index, name] of some.entries())
      states.push({ id: name, name, parents: [], rows: Number(row![`n${index}`]) })
  }
  return states
}
