// Has two buffers, of which one has to wait for a lock, tells itself to end, and says what was written.
import { createWriteBuffer, type WriteBuffer } from '@keelson/bulk-insert/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import BetterSqlite3 from 'better-sqlite3'
import { Kysely, sql } from 'kysely'

const [path] = process.argv.slice(2)

async function open(file: string): Promise<WriteBuffer<{ id: number; body: string }>> {
  const db = new Kysely<{ event: { id: number; body: string } }>({
    dialect: new SqliteDialect({ path: file, busyTimeoutMs: 0 }),
  })
  await sql`create table event (place integer primary key, id integer not null unique, body text not null)`.execute(
    db,
  )
  const buffer = createWriteBuffer(db, 'event', { lingerMs: 60_000 })
  buffer.handleSignals({ deadlineMs: 5_000 })
  return buffer
}

const one = await open(`${path!}-one`)
const other = await open(path!)
const lock = new BetterSqlite3(path!)
lock.exec('begin immediate')
void one.add({ id: 1, body: 'kept' }).then(() => console.log('one is written'))
void other.add({ id: 1, body: 'kept' }).then(() => console.log('the other is written'))
console.log('added')
process.stdin.once('data', () => {
  process.kill(process.pid, 'SIGTERM')
  setTimeout(() => lock.exec('rollback'), 300)
})
