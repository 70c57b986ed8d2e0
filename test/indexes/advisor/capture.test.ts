import { createAdvisor as createDrizzleAdvisor } from '@keelson/indexes/drizzle'
import { createAdvisor } from '@keelson/indexes/kysely'
import { drizzle } from '@keelson/sqlite/drizzle'
import { createTiming } from '@keelson/timing'
import { withTiming } from '@keelson/timing/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { and, desc, eq, gt, inArray, or } from 'drizzle-orm'
import { integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { Kysely, sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { keysOf, type Shop, ShopOnSqlite } from './shop.ts'

test('counts the calls and the time of each query', async () => {
  const shop = await ShopOnSqlite.open(10)
  const query = shop.db.selectFrom('orders').selectAll().where('shop_id', '=', 5)
  await shop.ask(query, 3)
  await shop.ask(query.where('total', '>', 7), 2)
  const { queries } = shop.advisor.workload()
  expect(queries.map(({ text: of, calls }) => [of, calls])).toEqual([
    ['select * from "orders" where "shop_id" = ?', 3],
    ['select * from "orders" where "shop_id" = ? and "total" > ?', 2],
  ])
  expect(queries.every(({ totalMs }) => totalMs! > 0)).toBe(true)
})

test('lets no value leave the process', async () => {
  const shop = await ShopOnSqlite.open(10)
  await shop.ask(
    shop.db
      .selectFrom('orders')
      .selectAll()
      .where('email', '=', 'secret4711')
      .where((eb) => eb('shop_id', '=', eb.lit(4711)))
      .where('total', 'in', [4711, 47_110])
      .where('shipped_at', 'is not', null)
      .limit(4711),
  )
  shop.advisor.record({ sql: `select * from orders where email = 'secret4711' and total > 4711` })
  const workload = JSON.stringify(shop.advisor.workload())
  expect(workload).not.toContain('4711')
  // What is structure stays.
  expect(workload).toContain('is not null')
})

test('advises on a workload that was kept without values', async () => {
  const shop = await ShopOnSqlite.open()
  const { db } = shop
  await shop.ask(db.selectFrom('orders').selectAll().where('email', '=', 'u5@example.com'))
  await shop.ask(
    db
      .selectFrom('orders')
      .select('id')
      .where((eb) => eb(eb.ref('data', '->>').key('kind' as never), 'in', [77, 78] as never)),
  )
  const kept = JSON.parse(JSON.stringify(shop.advisor.workload()))
  const advice = await shop.adviseOn(kept)
  expect(keysOf(advice)).toEqual([`"orders" ("data"->>'kind')`, '"orders" ("email")'])
  expect(advice.proposals.map(({ confidence }) => confidence)).toEqual(['medium', 'medium'])
})

test('advises on the workload that timing has seen', async () => {
  const timing = createTiming({ slowMs: 1_000 })
  const path = temporaryFile()
  const db = new Kysely<Shop>({ dialect: withTiming(new SqliteDialect({ path }), timing) })
  onTestFinished(() => db.destroy())
  const shop = await ShopOnSqlite.open()
  await sql`create table orders (id integer primary key, email text, total real)`.execute(db)
  await db.selectFrom('orders').selectAll().where('email', '=', 'u5@example.com').execute()
  const seen = JSON.parse(JSON.stringify(timing.workload()))
  expect(keysOf(await shop.adviseOn(seen))).toEqual(['"orders" ("email")'])
})

test('remembers so many queries, and counts the calls of others', () => {
  const advisor = createAdvisor({ maxQueries: 2 })
  for (const column of ['a', 'b', 'c', 'c', 'a'])
    advisor.record({ sql: `select * from t where ${column} = ?`, parameters: [1] })
  expect([advisor.size, advisor.droppedCalls]).toEqual([2, 2])
  advisor.clear()
  expect([advisor.size, advisor.droppedCalls]).toEqual([0, 0])
})

test('counts what it does not understand, and never fails for it', async () => {
  const shop = await ShopOnSqlite.open()
  shop.advisor.record({ sql: 'selekt * fromm orders' })
  shop.advisor.record({ sql: 'selekt * fromm orders' })
  shop.advisor.record({ sql: 'pragma user_version' })
  shop.advisor.record({ sql: 'select * from orders where email = ?', parameters: ['u5'] })
  const { workload, proposals } = await shop.advise()
  expect(workload.unread).toEqual({ queries: 2, calls: 3 })
  expect(proposals).toHaveLength(1)
})

test('says what of a query it did not understand', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(
    shop.db
      .selectFrom('orders')
      .selectAll()
      .where('email', '=', 'u5@example.com')
      .where(sql<boolean>`total % 7 = 3`),
  )
  const { queries, proposals } = await shop.advise()
  expect(queries[0]!.problems).toEqual(['raw SQL'])
  expect(proposals[0]!.confidence).toBe('medium')
})

test('notes no query that failed', async () => {
  const shop = await ShopOnSqlite.open(10)
  await expect(
    shop.db
      .selectFrom('missing' as 'orders')
      .selectAll()
      .execute(),
  ).rejects.toThrow('no such table')
  expect(shop.advisor.size).toBe(0)
})

const orders = sqliteTable('orders', {
  id: integer().primaryKey(),
  customerId: integer('customer_id').notNull(),
  total: real().notNull(),
  email: text().notNull(),
  createdAt: text('created_at').notNull(),
})

test("reads the text of Drizzle's queries", async () => {
  const advisor = createDrizzleAdvisor()
  const db = drizzle(':memory:', { logger: advisor.logger })
  onTestFinished(async () => {
    await db.$client.close()
  })
  await db.run(
    `create table orders (id integer primary key, customer_id integer not null, total real not null, email text not null, created_at text not null)`,
  )
  await db.run(
    `with recursive n (i) as (select 1 union all select i + 1 from n where i < 8000)
     insert into orders select i, (i * 7919) % 2000, i % 97, 'u' || ((i * 31) % 3000), datetime(i * 1000, 'unixepoch') from n`,
  )
  advisor.clear()
  const recent = db
    .select()
    .from(orders)
    .where(and(eq(orders.customerId, 7), gt(orders.total, 1)))
    .orderBy(desc(orders.createdAt))
    .limit(5)
  const either = db
    .select({ id: orders.id })
    .from(orders)
    .where(or(eq(orders.email, 'u5'), inArray(orders.customerId, [7, 8])))
  for (let call = 0; call < 20; call++) {
    await recent
    await either
  }
  const advice = await advisor.advise(db)
  expect(advice.workload.unread).toEqual({ queries: 0, calls: 0 })
  expect(keysOf(advice).join()).toMatch(/"orders" \("customer_id".*"orders" \("email"/)
  expect(advice.queries.flatMap(({ scansAfter }) => scansAfter)).toEqual([])
})
