/**
 * A program: keeps a connection to an SQLite file, and runs the statements that it is sent. Started by `sqlite.ts`.
 *
 * It is a process of its own because libsql brings another SQLite than better-sqlite3. Two of them in one process do not
 * see each other's locks, and undo them: https://sqlite.org/howtocorrupt.html#_multiple_copies_of_sqlite_linked_into_the_same_application
 */
import BetterSqlite3 from 'better-sqlite3'

const db = new BetterSqlite3(process.argv[2])
process.on('disconnect', () => process.exit())
process.on('message', (sql: string) => {
  try {
    if (!sql.startsWith('select')) db.exec(sql)
    process.send!({ rows: sql.startsWith('select') ? db.prepare(sql).all() : [] })
  } catch (error) {
    process.send!({ failure: String(error) })
  }
})
