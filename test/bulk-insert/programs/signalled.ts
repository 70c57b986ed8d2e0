// Adds rows, tells itself to end, and says what was written by then.
import { createWriteBuffer } from '@keelson/bulk-insert/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { Kysely, sql } from 'kysely'

const [path] = process.argv.slice(2)
const db = new Kysely<{ event: { id: number; body: string } }>({
  dialect: new SqliteDialect({ path: path! }),
})
await sql`create table event (place integer primary key, id integer not null unique, body text not null)`.execute(
  db,
)
const buffer = createWriteBuffer(db, 'event', { lingerMs: 60_000 })
buffer.handleSignals({ deadlineMs: 5_000 })
const all = [1, 2, 3].map((id) => buffer.add({ id, body: 'kept' }))
console.log('added')
process.stdin.once('data', () => process.kill(process.pid, 'SIGTERM'))
await Promise.all(all)
console.log(`closed with ${buffer.stats.written} written`)
