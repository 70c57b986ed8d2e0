// Many writers at once until it is killed; says what has been kept as soon as it knows:
//   row <id>              a single row
//   group <id>            a transaction of five rows
//   version <key> <n>     an upsert
//   gone <id>             a row that was deleted
import { writeSync } from 'node:fs'
import { openSqlite } from '@keelson/sqlite'

const [path, synchronous, mode] = process.argv.slice(2) as [
  string,
  'normal' | 'full',
  'inline' | 'threads',
]
const database = openSqlite({ path, synchronous, mode })
await database.execute(
  'create table if not exists single (id integer primary key autoincrement, filling text)',
)
await database.execute('create table if not exists member (id integer primary key, grp integer)')
await database.execute(
  'create table if not exists total (id integer primary key check (id = 1), members integer)',
)
await database.execute('insert into total values (1, 0) on conflict do nothing')
await database.execute('create table if not exists version (key text primary key, n integer)')

const say = (line: string): void => void writeSync(1, `${line}\n`)
const { rows } = await database.execute<{ id: number }>(
  'select coalesce(max(grp), 0) as id from member',
)
let group = rows[0]!.id + 1
const filling = 'x'.repeat(100)

async function writeRows(): Promise<never> {
  for (;;) {
    const { insertId } = await database.execute('insert into single (filling) values (?)', [
      filling,
    ])
    say(`row ${insertId}`)
  }
}

async function writeAndDelete(): Promise<never> {
  for (;;) {
    const { insertId } = await database.execute('insert into single (filling) values (?)', [
      filling,
    ])
    const { rows: deleted } = await database.execute<{ id: number }>(
      'delete from single where id = ? returning id',
      [insertId],
    )
    say(`gone ${deleted[0]!.id}`)
  }
}

async function writeVersions(key: string): Promise<never> {
  const sql =
    'insert into version values (?, 1) on conflict (key) do update set n = n + 1 returning n'
  for (;;) {
    const { rows: written } = await database.execute<{ n: number }>(sql, [key])
    say(`version ${key} ${written[0]!.n}`)
  }
}

async function writeGroups(): Promise<never> {
  for (;;) {
    const mine = group++
    await database.transaction(async (tx) => {
      for (let n = 0; n < 5; n++) await tx.execute('insert into member (grp) values (?)', [mine])
      await tx.execute('update total set members = members + 5')
    })
    say(`group ${mine}`)
  }
}

// A statement that fails makes its group be done again.
async function fail(): Promise<never> {
  for (;;) {
    await database.execute("insert or rollback into total values (2, 'not one')").catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

say('ready')
await Promise.all([
  ...Array.from({ length: 40 }, writeRows),
  ...Array.from({ length: 8 }, writeAndDelete),
  ...Array.from({ length: 8 }, (_, index) => writeVersions(`key ${index}`)),
  writeGroups(),
  writeGroups(),
  fail(),
])
