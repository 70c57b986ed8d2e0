// Adds a row and waits for nothing: what is printed comes when the row is written, and then the process ends by itself.
import { createWriteBuffer } from '@keelson/bulk-insert/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { Kysely, sql } from 'kysely'

const db = new Kysely<{ event: { id: number } }>({
  dialect: new SqliteDialect({ path: ':memory:' }),
})
await sql`create table event (id integer)`.execute(db)
const buffer = createWriteBuffer(db, 'event', { lingerMs: 100 })
void buffer.add({ id: 1 }).then(() => {
  console.log(JSON.stringify({ written: buffer.stats.written }))
})
