// Adds rows without an end, and says of each that was acknowledged. What it is killed in the middle of, the next one writes.
// Without a spill nobody does.
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createWriteBuffer } from '@keelson/bulk-insert/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { Kysely, sql } from 'kysely'

const [path, spill, first] = process.argv.slice(2)
const db = new Kysely<{ event: { id: number; body: string } }>({
  dialect: new SqliteDialect({ path: path!, synchronous: 'full' }),
})
await sql`create table if not exists event (place integer primary key, id integer not null, body text not null)`.execute(
  db,
)
await sql`create unique index if not exists event_id on event (id)`.execute(db)
const buffer = createWriteBuffer(db, 'event', {
  idempotencyKey: 'id',
  ...(spill !== '' && { spill: { path: spill! } }),
  lingerMs: 3,
  flushRows: 40,
  maxRows: 500,
})
writeSync(1, 'ready\n')
// Ends with its parent, also when that did not come to killing it.
process.stdin.on('end', () => process.exit()).resume()
for (let id = Number(first); ;) {
  const group = Array.from({ length: 1 + (id % 9) }, () => id++)
  for (const each of group)
    void buffer
      .add({ id: each, body: `body ${each}`.padEnd((each * 37) % 400, '.') })
      .then(() => writeSync(1, `${each}\n`))
  if (id % 5 === 0) await sleep(1)
  else await buffer.ready()
  if (buffer.stats.pending + buffer.stats.spilled > 300) await sleep(2)
}
