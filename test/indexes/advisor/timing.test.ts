import { bulkInsert } from '@keelson/bulk-insert/drizzle'
import { adviceLines, type AdvisorWorkload, type IndexAdvice } from '@keelson/indexes'
import { adviseIndexes } from '@keelson/indexes/drizzle'
import { createTiming, timingHandler } from '@keelson/timing'
import { withTiming } from '@keelson/timing/drizzle'
import Database from 'better-sqlite3'
import { eq, sql } from 'drizzle-orm'
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
