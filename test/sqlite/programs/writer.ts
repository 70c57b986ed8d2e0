// Writes until it is killed, in every way there is to write, and says what has been kept as soon as it knows:
//   row <id>              a single row
//   group <id>            a transaction of five rows
//   version <key> <n>     an upsert
//   streamed <id>         three rows by a stream of INSERT ... RETURNING
import { writeSync } from 'node:fs'
import { openSqlite } from '@keelson/sqlite'

const [path, synchronous] = process.argv.slice(2) as [string, 'normal' | 'full']
const database = openSqlite({ path, synchronous })
await database.execute('create table if not exists single (id integer primary key, filling text)')
await database.execute(
  'create table if not exists member (id integer primary key, grp integer, n integer)',
)
await database.execute(
  'create table if not exists total (id integer primary key check (id = 1), members integer)',
)
await database.execute('insert into total values (1, 0) on conflict do nothing')
await database.execute('create table if not exists version (key text primary key, n integer)')
await database.execute('create table if not exists streamed (id integer primary key, grp integer)')

const say = (line: string): void => void writeSync(1, `${line}\n`)
const next = async (sql: string): Promise<number> => {
  const { rows } = await database.execute<{ id: number | null }>(sql)
  return (rows[0]!.id ?? 0) + 1
}
let group = await next('select max(grp) as id from member')
let stream = await next('select max(grp) as id from streamed')
const filling = 'x'.repeat(200)

async function writeRows(): Promise<never> {
  for (;;) {
    const { insertId } = await database.execute('insert into single (filling) values (?)', [
      filling,
    ])
    say(`row ${insertId}`)
  }
}

async function writeGroups(pause: boolean): Promise<never> {
  for (;;) {
    const mine = group++
    await database.transaction(async (tx) => {
      for (let n = 0; n < 5; n++) {
        await tx.execute('insert into member (grp, n) values (?, ?)', [mine, n])
        if (pause) await new Promise((resolve) => setImmediate(resolve))
      }
      await tx.execute('update total set members = members + 5')
    })
    say(`group ${mine}`)
  }
}

async function writeVersions(key: string): Promise<never> {
  const sql =
    'insert into version values (?, 1) on conflict (key) do update set n = n + 1 returning n'
  for (;;) {
    const { rows } = await database.execute<{ n: number }>(sql, [key])
    say(`version ${key} ${rows[0]!.n}`)
  }
}

async function writeStreams(): Promise<never> {
  for (;;) {
    const mine = stream++
    const sql = 'insert into streamed (grp) values (?), (?), (?) returning id'
    for await (const _ of database.stream(sql, [mine, mine, mine], { chunkRows: 1 }));
    say(`streamed ${mine}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

say('ready')
await Promise.all([
  writeRows(),
  writeRows(),
  writeGroups(false),
  writeGroups(true),
  writeVersions('a'),
  writeVersions('b'),
  writeStreams(),
])
