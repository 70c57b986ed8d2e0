import { bulkInsert } from '@keelson/bulk-insert/drizzle'
import { adviceLines, type AdvisorWorkload, type IndexAdvice } from '@keelson/indexes'
import { adviseIndexes, applyAdvice } from '@keelson/indexes/drizzle'
import * as kyselyIndexes from '@keelson/indexes/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { createTiming, timingHandler } from '@keelson/timing'
import { withTiming } from '@keelson/timing/drizzle'
import { withTiming as withKyselyTiming } from '@keelson/timing/kysely'
import Database from 'better-sqlite3'
import { eq, lt, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { CompiledQuery, type Dialect, Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { postgres } from '../../support/postgres.ts'
import { keysOf } from './shop.ts'

const orders = sqliteTable('orders', {
  id: integer().primaryKey(),
  email: text().notNull(),
  kind: integer().notNull(),
})

test('advises on what timing has seen of Drizzle, and timing shows the advice', async () => {
  let advice: IndexAdvice | undefined
  const timing = createTiming({
    sampleParams: 3,
    advice: () => (advice === undefined ? [] : adviceLines(advice)),
  })
  const client = new Database(':memory:')
  onTestFinished(() => void client.close())
  client.exec(
    'create table orders (id integer primary key, email text not null, kind integer not null)',
  )
  client.exec(
    `with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000)
     insert into orders select i, 'u' || ((i * 7919) % 9000), (i * 48271) % 2000 from n`,
  )
  const db = withTiming(drizzle(client), timing)
  const asked = (): readonly string[] => timing.workload().queries.map((query) => query.text)
  for (let call = 0; call < 20; call++) {
    await db
      .select()
      .from(orders)
      .where(eq(orders.email, `u${call}`))
    await db
      .select()
      .from(orders)
      .where(sql`${orders.kind} in (${call}, ${call + 1})`)
  }

  advice = await adviseIndexes(db, timing.workload())
  expect(advice.workload.unread.queries).toBe(0)
  expect(keysOf(advice)).toEqual(['"orders" ("email")', '"orders" ("kind")'])
  for (const { sql: statement } of advice.proposals) {
    expect(timing.report().toString().replaceAll(/\s+/g, ' ')).toContain(statement)
    const served = await timingHandler(timing)(new Request('http://localhost/stats.json'))
    expect(((await served.json()) as { findings: string[] }).findings).toContainEqual(
      expect.stringContaining(statement),
    )
  }
  expect(asked()).toHaveLength(2)
  await applyAdvice(db, advice)
  expect(asked()).toHaveLength(2)
  // They took time, and so they are in the report, as what they are.
  const sent = timing
    .report()
    .queries.filter((query) => query.text.startsWith('/* keelson advisor */'))
  expect(sent.length).toBeGreaterThan(3)
  await expect(adviseIndexes(db, timing.workload())).resolves.toMatchObject({
    proposals: [],
    workload: { unread: { queries: 0 } },
  })
})

const dialects: Readonly<Record<string, () => Promise<Dialect>>> = {
  SQLite: async () => new SqliteDialect({ path: ':memory:' }),
  PostgreSQL: async () => {
    const connectionString = await (await postgres()).createDatabase()
    return new PostgresDialect({ pool: new Pool({ connectionString }) })
  },
}

describe.each(Object.entries(dialects))('on %s', (name, dialect) => {
  test("leaves the advisor's statements out of the workload", async () => {
    const timing = createTiming()
    const db = new Kysely<any>({ dialect: withKyselyTiming(await dialect(), timing) })
    onTestFinished(() => db.destroy())
    await db.executeQuery(
      CompiledQuery.raw('create table orders (id integer primary key, email text not null)'),
    )
    timing.reset()
    const query = db.selectFrom('orders').selectAll().where('email', '=', 'u')
    await query.execute()
    const whatIf = name === 'PostgreSQL' ? 'createAndRollBack' : 'auto'
    const options = { minRows: 0, whatIf } as const
    const found = await kyselyIndexes.adviseIndexes(db, timing.workload(), options)
    await kyselyIndexes.applyAdvice(db, found)
    expect(timing.workload().queries.map((each) => each.sql)).toEqual([query.compile().sql])
  })
})

test('counts the rows that timing saw written in the database that it advises', async () => {
  const timing = createTiming()
  const open = (name: string) => {
    const client = new Database(':memory:')
    onTestFinished(() => void client.close())
    client.exec(
      'create table orders (id integer primary key, email text not null, kind integer not null)',
    )
    client.exec(
      `with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000)
       insert into orders select i, 'u' || ((i * 7919) % 9000), (i * 48271) % 2000 from n`,
    )
    return withTiming(drizzle(client), timing, { name })
  }
  const [db, other] = [open('shop'), open('other')]
  const rows = (from: number) =>
    Array.from({ length: 500 }, (_, at) => ({ id: from + at, email: `u${at}`, kind: at }))
  await db.insert(orders).values(rows(30_000))
  await db.update(orders).set({ kind: 1 }).where(lt(orders.id, 101))
  for (let from = 30_000; from < 33_000; from += 500) await other.insert(orders).values(rows(from))
  for (let call = 0; call < 200; call++) {
    await db
      .select()
      .from(orders)
      .where(eq(orders.email, `u${call}`))
    await db.select().from(orders).where(eq(orders.kind, call))
  }
  const advice = await adviseIndexes(db, timing.workload(), { database: 'shop' })
  // What changes the kind does not touch an index on the address.
  for (const [column, rows] of [
    ['email', 500],
    ['kind', 600],
  ] as const)
    expect(advice.proposals.find(({ sql: text }) => text.includes(`("${column}")`))).toMatchObject({
      writes: { rows },
    })
})

test('counts the rows that timing has seen written to the database that it advises on', async () => {
  const timing = createTiming({ sampleParams: 3 })
  const client = new Database(':memory:')
  onTestFinished(() => void client.close())
  client.exec(
    'create table orders (id integer primary key, email text not null, kind integer not null)',
  )
  const db = withTiming(drizzle(client), timing)
  await bulkInsert(
    db,
    orders,
    Array.from({ length: 5_000 }, (_, id) => ({ id, email: `u${id}`, kind: id % 9 })),
  )
  for (let call = 0; call < 2_000; call++)
    db.select()
      .from(orders)
      .where(eq(orders.email, `u${call}`))
      .all()
  const workload = timing.workload()
  expect(workload.writes).toEqual({ sqlite: { orders: 5_000 } })
  const rows = async (writes: AdvisorWorkload['writes']): Promise<number[]> => {
    const { proposals } = await adviseIndexes(db, { ...workload, writes })
    return proposals.map((each) => each.writes.rows)
  }
  expect(await rows(workload.writes)).toEqual([5_000])
  expect(await rows({ ...workload.writes, elsewhere: { orders: 1e9 } })).toEqual([5_000])
  // As earlier versions have written it.
  expect(await rows({ orders: 5_000 })).toEqual([5_000])
})
