import { adviceLines, type IndexAdvice } from '@keelson/indexes'
import { adviseIndexes } from '@keelson/indexes/drizzle'
import { createTiming, timingHandler } from '@keelson/timing'
import { withTiming } from '@keelson/timing/drizzle'
import Database from 'better-sqlite3'
import { eq, lt, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { expect, onTestFinished, test } from 'vitest'
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
