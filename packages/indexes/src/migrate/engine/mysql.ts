import { type Steps, wait } from '@keelson/core'
import { sha256 } from '../checksum.ts'
import type { HostSession } from '../../host/host.ts'
import type { LockNames, MigrationEngine } from './engine.ts'

/** A named lock of the session, since MySQL commits before each `CREATE` and `ALTER`. */
export const mysqlMigrations: MigrationEngine = {
  fileQuery: undefined,
  longText: 'longtext',
  createsSchemas: false,
  isolationLevel: undefined,
  keepsOutByMark: false,
  withSettings: undefined,
  *hasTable(session, _name, schema, table) {
    const where = schema === undefined ? 'database()' : '?'
    const sql = `select 1 as found from information_schema.tables where table_name = ? and table_schema = ${where}`
    return (
      (yield* wait(session.query(sql, schema === undefined ? [table] : [table, schema]))).length > 0
    )
  },
  // The session has it already: every migration here runs under it.
  tryLock: () => wait(true),
  sessionLock: {
    *tryLock(session, lock) {
      const [row] = yield* wait(session.query(`select get_lock(${nameOf(lock)}, 0) as taken`))
      // 0: somebody else has it; null: an error, such as a connection that was killed.
      return Number(row!['taken']) === 1
    },
    *release(session, lock) {
      yield* wait(session.query(`select release_lock(${nameOf(lock)})`))
    },
  },
  holder,
  // Nothing could be undone if something was lost.
  tableStates: () => wait([]),
}

function* holder(session: HostSession, lock: LockNames): Steps<string | undefined> {
  const [row] = yield* wait(session.query(`select is_used_lock(${nameOf(lock)}) as id`))
  const id = row?.['id']
  return id === null || id === undefined ? undefined : `connection ${Number(id)}`
}

/** Locks are the server's, not the database's, and their names have at most 64 characters. */
function nameOf({ keys }: LockNames): string {
  return `concat('${sha256(keys[0]!).slice(0, 30)}', left(sha1(database()), 30))`
}
