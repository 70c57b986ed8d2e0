// SQLite on the calling thread, beside those who do the same: point select, 1,000 and 100,000 rows, single inserts,
// streaming. All in WAL mode with synchronous = normal. Run alone with `pnpm bench sqlite`.
import { DatabaseSync } from 'node:sqlite'
import { openSqlite } from '@keelson/sqlite'
import { drizzle as keelsonDrizzle } from '@keelson/sqlite/drizzle'
import { SqliteDialect as KeelsonDialect } from '@keelson/sqlite/kysely'
import { createClient } from '@libsql/client'
import Database from 'better-sqlite3'
import { eq, lte } from 'drizzle-orm'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import { drizzle as libsqlDrizzle } from 'drizzle-orm/libsql'
import { Kysely, SqliteDialect } from 'kysely'
import { GenericSqliteDialect } from 'kysely-generic-sqlite'
import {
  type People,
  PeopleFiles,
  person,
  personCount,
  personValues,
  scatteredIds,
} from './support/people.ts'
import { printStandings, writeResults } from './support/results.ts'
import { type Contender, longestGap, sideBySide, type Standing } from './support/side-by-side.ts'

const files = new PeopleFiles()
const quick = process.argv.includes('--quick')
const rounds = (full: number): number => (quick ? 3 : full)

function tuned(file: string): Database.Database {
  const database = new Database(file)
  database.pragma('journal_mode = wal')
  database.pragma('synchronous = normal')
  return database
}

const raw = tuned(files.file('raw'))
const nodeSqlite = new DatabaseSync(files.file('node-sqlite'))
nodeSqlite.exec('pragma journal_mode = wal; pragma synchronous = normal')
const libsql = createClient({ url: `file:${files.file('libsql')}` })
await libsql.execute('pragma synchronous = normal')
const libsqlForDrizzle = createClient({ url: `file:${files.file('libsql-drizzle')}` })
const keelson = openSqlite(files.file('keelson'))

const kysely = new Kysely<People>({
  dialect: new KeelsonDialect({ path: files.file('keelson-kysely') }),
})
const builtIn = new Kysely<People>({
  dialect: new SqliteDialect({ database: tuned(files.file('kysely')) }),
})
const generic = new Kysely<People>({
  dialect: new GenericSqliteDialect(() => {
    const db = tuned(files.file('kysely-generic'))
    return {
      db,
      query: async (_isSelect, text, parameters) => {
        const statement = db.prepare(text)
        if (statement.reader) return { rows: statement.all(parameters) as never[] }
        const { changes, lastInsertRowid } = statement.run(parameters)
        return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
      },
      iterator: (_isSelect, text, parameters) =>
        db.prepare(text).iterate(parameters ?? []) as never,
      close: () => void db.close(),
    }
  }),
})
const drizzled = keelsonDrizzle(files.file('keelson-drizzle'))
const drizzleBuiltIn = betterSqlite3Drizzle(tuned(files.file('drizzle')))
const drizzleLibsql = libsqlDrizzle(libsqlForDrizzle)

type AnyKysely = Kysely<People>
type AnyDrizzle = typeof drizzled | typeof drizzleBuiltIn | typeof drizzleLibsql

/** Repeats a job that tells how many rows it saw. */
function repeat(job: (id: number) => number | Promise<number>): Contender['run'] {
  return async (times) => {
    let rows = 0
    for (const id of scatteredIds(times)) rows += await job(id)
    return rows
  }
}

/** As `repeat`, without an await between: what a synchronous client costs by itself. */
function repeatSync(job: (id: number) => number): Contender['run'] {
  return (times) => {
    let rows = 0
    for (const id of scatteredIds(times)) rows += job(id)
    return rows
  }
}

const results: Record<string, Standing[]> = {}

async function compare(
  title: string,
  baseline: string,
  times: number,
  count: number,
  contenders: Contender[],
): Promise<void> {
  const standings = await sideBySide({ title, baseline, times, rounds: rounds(count), contenders })
  printStandings(title, baseline, standings)
  results[title] = standings
}

const rawGet = raw.prepare('select * from person where id = ?')
const nodeGet = nodeSqlite.prepare('select * from person where id = ?')
const byId = 'select * from person where id = ?'
const kyselyGet = (db: AnyKysely) =>
  repeat(async (id) =>
    (await db.selectFrom('person').selectAll().where('id', '=', id).executeTakeFirst()) ? 1 : 0,
  )
const drizzleGet = (db: AnyDrizzle) =>
  repeat(async (id) => ((await db.select().from(person).where(eq(person.id, id)).get()) ? 1 : 0))

await compare('point select by key', 'raw better-sqlite3, prepared', 1000, 31, [
  { name: 'raw better-sqlite3, prepared', run: repeatSync((id) => (rawGet.get(id) ? 1 : 0)) },
  { name: 'node:sqlite, prepared', run: repeatSync((id) => (nodeGet.get(id) ? 1 : 0)) },
  {
    name: 'libsql client',
    run: repeat(async (id) => (await libsql.execute({ sql: byId, args: [id] })).rows.length),
  },
  {
    name: 'Keelson, no ORM',
    run: repeat(async (id) => (await keelson.execute(byId, [id])).rows.length),
  },
  { name: 'Kysely: Keelson', run: kyselyGet(kysely) },
  { name: 'Kysely: SqliteDialect', run: kyselyGet(builtIn) },
  { name: 'Kysely: kysely-generic-sqlite', run: kyselyGet(generic) },
  { name: 'Drizzle: Keelson', run: drizzleGet(drizzled) },
  { name: 'Drizzle: better-sqlite3', run: drizzleGet(drizzleBuiltIn) },
  { name: 'Drizzle: libsql', run: drizzleGet(drizzleLibsql) },
])

for (const [limit, times, count] of [
  [1000, 20, 31],
  [100_000, 1, 11],
] as const) {
  const many = 'select * from person where id <= ?'
  const rawMany = raw.prepare(many)
  const nodeMany = nodeSqlite.prepare(many)
  const kyselyMany = (db: AnyKysely) =>
    repeat(
      async () =>
        (await db.selectFrom('person').selectAll().where('id', '<=', limit).execute()).length,
    )
  const drizzleMany = (db: AnyDrizzle) =>
    repeat(async () => (await db.select().from(person).where(lte(person.id, limit)).all()).length)
  await compare(
    `${limit.toLocaleString('en')}-row select`,
    'raw better-sqlite3, prepared',
    times,
    count,
    [
      { name: 'raw better-sqlite3, prepared', run: repeatSync(() => rawMany.all(limit).length) },
      { name: 'node:sqlite, prepared', run: repeatSync(() => nodeMany.all(limit).length) },
      {
        name: 'libsql client',
        run: repeat(async () => (await libsql.execute({ sql: many, args: [limit] })).rows.length),
      },
      {
        name: 'Keelson, no ORM',
        run: repeat(async () => (await keelson.execute(many, [limit])).rows.length),
      },
      { name: 'Kysely: Keelson', run: kyselyMany(kysely) },
      { name: 'Kysely: SqliteDialect', run: kyselyMany(builtIn) },
      { name: 'Kysely: kysely-generic-sqlite', run: kyselyMany(generic) },
      { name: 'Drizzle: Keelson', run: drizzleMany(drizzled) },
      { name: 'Drizzle: better-sqlite3', run: drizzleMany(drizzleBuiltIn) },
      { name: 'Drizzle: libsql', run: drizzleMany(drizzleLibsql) },
    ],
  )
}

const insertText = 'insert into person (name, email, age, score, created_at) values (?, ?, ?, ?, ?)'
const rawInsert = raw.prepare(insertText)
const nodeInsert = nodeSqlite.prepare(insertText)
const values = (id: number) => {
  const [name, email, age, score, created_at] = personValues(id)
  return { name, email, age, score, created_at }
}
const kyselyInsert = (db: AnyKysely) =>
  repeat(async (id) =>
    Number(
      (await db.insertInto('person').values(values(id)).executeTakeFirstOrThrow())
        .numInsertedOrUpdatedRows,
    ),
  )
const drizzleInsert = (db: AnyDrizzle) =>
  repeat(async (id) => (await db.insert(person).values(values(id)).run(), 1))

await compare('single inserts in autocommit', 'raw better-sqlite3, prepared', 300, 21, [
  {
    name: 'raw better-sqlite3, prepared',
    run: repeatSync((id) => rawInsert.run(...personValues(id)).changes),
  },
  {
    name: 'node:sqlite, prepared',
    run: repeatSync((id) => Number(nodeInsert.run(...personValues(id)).changes)),
  },
  {
    name: 'libsql client',
    run: repeat(
      async (id) =>
        (await libsql.execute({ sql: insertText, args: personValues(id) })).rowsAffected,
    ),
  },
  {
    name: 'Keelson, no ORM',
    run: repeat(async (id) => (await keelson.execute(insertText, personValues(id))).changes!),
  },
  { name: 'Kysely: Keelson', run: kyselyInsert(kysely) },
  { name: 'Kysely: SqliteDialect', run: kyselyInsert(builtIn) },
  { name: 'Kysely: kysely-generic-sqlite', run: kyselyInsert(generic) },
  { name: 'Drizzle: Keelson', run: drizzleInsert(drizzled) },
  { name: 'Drizzle: better-sqlite3', run: drizzleInsert(drizzleBuiltIn) },
  { name: 'Drizzle: libsql', run: drizzleInsert(drizzleLibsql) },
])

const kyselyStream = (db: AnyKysely) => async () => {
  let rows = 0
  for await (const row of db
    .selectFrom('person')
    .selectAll()
    .where('id', '<=', personCount)
    .stream())
    rows += row.id > 0 ? 1 : 0
  return rows
}
const streams = {
  'raw better-sqlite3 iterate()': () => {
    let rows = 0
    for (const row of raw.prepare('select * from person where id <= ?').iterate(personCount))
      rows += (row as { id: number }).id > 0 ? 1 : 0
    return rows
  },
  'Keelson, no ORM': async () => {
    let rows = 0
    for await (const chunk of keelson.stream<{ id: number }>('select * from person where id <= ?', [
      personCount,
    ])) {
      for (const row of chunk) rows += row.id > 0 ? 1 : 0
    }
    return rows
  },
  'Kysely: Keelson': kyselyStream(kysely),
  'Kysely: SqliteDialect': kyselyStream(builtIn),
  'Kysely: kysely-generic-sqlite': kyselyStream(generic),
}
await compare(
  'stream of 100,000 rows',
  'raw better-sqlite3 iterate()',
  1,
  15,
  Object.entries(streams).map(([name, run]) => ({ name, run })),
)

const gaps: Record<string, number> = {}
for (const [name, run] of Object.entries(streams))
  gaps[name] = Math.round((await longestGap(async () => run())) * 10) / 10
console.log('Longest time the event loop stood still during that stream, in ms:', gaps)

const ratio = (title: string, a: string, b: string): number => {
  const find = (name: string): Standing =>
    results[title]!.find((standing) => standing.name === name)!
  return Math.round((find(a).timesBaseline / find(b).timesBaseline) * 100) / 100
}
const targets = {
  'Kysely point select, times as fast as SqliteDialect (target >= 3.5)': ratio(
    'point select by key',
    'Kysely: SqliteDialect',
    'Kysely: Keelson',
  ),
  'Kysely point select, times raw prepared (target <= 1.7)': ratio(
    'point select by key',
    'Kysely: Keelson',
    'raw better-sqlite3, prepared',
  ),
  'Drizzle point select, times as fast as its better-sqlite3 (target >= 1.4)': ratio(
    'point select by key',
    'Drizzle: better-sqlite3',
    'Drizzle: Keelson',
  ),
  'Drizzle 1,000 rows, times as fast as its better-sqlite3 (target >= 2)': ratio(
    '1,000-row select',
    'Drizzle: better-sqlite3',
    'Drizzle: Keelson',
  ),
  'Kysely stream, times as fast as SqliteDialect (target >= 1.8)': ratio(
    'stream of 100,000 rows',
    'Kysely: SqliteDialect',
    'Kysely: Keelson',
  ),
  'Kysely stream, longest event-loop gap in ms (target <= 10)': gaps['Kysely: Keelson']!,
}
console.log(targets)

if (!quick) {
  writeResults(
    new URL('results/sqlite.json', import.meta.url),
    ['better-sqlite3', 'kysely', 'drizzle-orm', 'kysely-generic-sqlite', '@libsql/client'],
    { targets, eventLoopGapMs: gaps, results },
  )
}

await Promise.all([
  kysely.destroy(),
  builtIn.destroy(),
  generic.destroy(),
  drizzled.$client.close(),
  keelson.close(),
])
libsql.close()
libsqlForDrizzle.close()
raw.close()
nodeSqlite.close()
files.remove()
