// Writes until it is killed, in every way there is to write, and says what has been kept as soon as it knows:
//   row <id>          a single row
//   group <id>        a transaction of five rows, counted in `total`
//   streamed <id>     three rows by a stream of INSERT ... RETURNING
//   batch <id>        a hundred rows in bulk
import { writeSync } from 'node:fs'
import { openDuckDB } from '@keelson/duckdb'

const database = await openDuckDB({
  path: process.argv[2]!,
  // Small, so that checkpoints are among what is interrupted.
  settings: { checkpoint_threshold: '256KB' },
})
const tables = [
  'single (id integer primary key, filling varchar)',
  'member (grp integer, n integer)',
  'total (line integer primary key, members integer)',
  'streamed (grp integer)',
  'batch (grp integer, n integer)',
]
for (const table of tables) await database.execute(`create table if not exists ${table}`)
await database.execute('insert into total values (0, 0), (1, 0) on conflict do nothing')

const say = (line: string): void => void writeSync(1, `${line}\n`)
const next = async (sql: string): Promise<number> => {
  const { rows } = await database.execute<{ id: number | null }>(sql)
  return (rows[0]!.id ?? 0) + 1
}
let row = await next('select max(id) as id from single')
let group = await next('select max(grp) as id from member')
let stream = await next('select max(grp) as id from streamed')
let batch = await next('select max(grp) as id from batch')
const filling = 'x'.repeat(200)

async function writeRows(): Promise<never> {
  for (;;) {
    const mine = row++
    await database.execute('insert into single values ($1, $2)', [mine, filling])
    say(`row ${mine}`)
  }
}

/** @param line the row of `total` that is its own: two transactions that change one row are in conflict */
async function writeGroups(line: number): Promise<never> {
  for (;;) {
    const mine = group++
    await database.transaction(async (session) => {
      for (let n = 0; n < 5; n++)
        await session.execute('insert into member values ($1, $2)', [mine, n])
      await session.execute('update total set members = members + 5 where line = $1', [line])
    })
    say(`group ${mine}`)
  }
}

async function writeStreams(): Promise<never> {
  for (;;) {
    const mine = stream++
    const sql = 'insert into streamed values ($1), ($2), ($3) returning grp'
    for await (const _ of database.stream(sql, [mine, mine, mine], { chunkRows: 1 }));
    say(`streamed ${mine}`)
  }
}

async function writeBatches(): Promise<never> {
  for (;;) {
    const mine = batch++
    await database.ingest({
      table: 'batch',
      columns: ['grp', 'n'],
      rows: Array.from({ length: 100 }, (_, n) => [mine, n]),
      statement: (source) => `insert into batch select * from ${source}`,
    })
    say(`batch ${mine}`)
  }
}

say('ready')
await Promise.all([
  writeRows(),
  writeRows(),
  writeGroups(0),
  writeGroups(1),
  writeStreams(),
  writeBatches(),
])
