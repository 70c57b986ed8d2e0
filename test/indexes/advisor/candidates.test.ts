import { expect, test } from 'vitest'
import { keysOf, ShopOnSqlite } from './shop.ts'

test('puts equality before the sort, and the sort before a range', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(
    shop.db
      .selectFrom('orders')
      .selectAll()
      .where('shop_id', '=', 7)
      .orderBy('created_at', 'desc')
      .limit(20),
  )
  await shop.ask(
    shop.db.selectFrom('orders').selectAll().where('status', '=', 'open').where('total', '>', 990),
  )
  const advice = await shop.advise()
  expect(keysOf(advice)).toEqual([
    '"orders" ("shop_id", "created_at")',
    '"orders" ("status", "total")',
  ])
  expect(advice.proposals.every(({ confidence }) => confidence === 'high')).toBe(true)
})

test('has one index begin for several queries', async () => {
  const shop = await ShopOnSqlite.open()
  const { db } = shop
  await shop.ask(db.selectFrom('orders').selectAll().where('shop_id', '=', 7), 100)
  await shop.ask(
    db.selectFrom('orders').selectAll().where('shop_id', '=', 7).orderBy('created_at').limit(3),
    100,
  )
  expect(keysOf(await shop.advise())).toEqual(['"orders" ("shop_id", "created_at")'])
})

test('keeps the directions of a sort that goes both ways, and no others', async () => {
  const shop = await ShopOnSqlite.open()
  const { db } = shop
  await shop.ask(
    db.selectFrom('orders').selectAll().orderBy('shop_id').orderBy('total', 'desc').limit(20),
  )
  expect(keysOf(await shop.advise())).toEqual(['"orders" ("shop_id", "total" desc)'])
  shop.advisor.clear()
  await shop.ask(
    db
      .selectFrom('orders')
      .selectAll()
      .orderBy('shop_id', 'desc')
      .orderBy('total', 'desc')
      .limit(20),
  )
  expect(keysOf(await shop.advise())).toEqual(['"orders" ("shop_id", "total")'])
})

test('thinks of a list both before and after the sort', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(
    shop.db
      .selectFrom('orders')
      .selectAll()
      .where('customer_id', 'in', [3, 5])
      .orderBy('created_at')
      .limit(10),
  )
  const { proposals, refused } = await shop.advise()
  const considered = refused.map(({ index }) => index)
  expect(considered).toContain('orders (created_at, customer_id)')
  expect(proposals).toHaveLength(1)
  expect(proposals[0]!.index.keys[0]!.expression).toEqual({ kind: 'column', name: 'customer_id' })
})

test('advises the branches of an OR together', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(
    shop.db
      .selectFrom('orders')
      .selectAll()
      .where((eb) => eb.or([eb('customer_id', '=', 5), eb('email', '=', 'u5@example.com')])),
  )
  const advice = await shop.advise()
  expect(keysOf(advice)).toEqual(['"orders" ("customer_id")', '"orders" ("email")'])
  expect(advice.queries[0]!.planAfter[0]).toBe('MULTI-INDEX OR')
})

test('advises an index for the inner side of a join', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(
    shop.db
      .selectFrom('customers')
      .innerJoin('orders', 'orders.customer_id', 'customers.id')
      .selectAll('orders')
      .where('customers.id', '=', 12),
  )
  expect(keysOf(await shop.advise())).toEqual(['"orders" ("customer_id")'])
})

test('advises an index for a query inside EXISTS', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(
    shop.db
      .selectFrom('customers')
      .select('customers.id')
      .where('customers.id', '<', 100)
      .where((eb) =>
        eb.exists(
          eb
            .selectFrom('orders')
            .select('orders.id')
            .whereRef('orders.customer_id', '=', 'customers.id'),
        ),
      ),
  )
  expect(keysOf(await shop.advise())).toEqual(['"orders" ("customer_id")'])
})

test('indexes a value inside JSON, spelled as Kysely spells it', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(
    shop.db
      .selectFrom('orders')
      .select('id')
      .where((eb) => eb(eb.ref('data', '->>').key('kind' as never), '=', 77 as never)),
  )
  const advice = await shop.advise()
  expect(keysOf(advice)).toEqual([`"orders" ("data"->>'kind')`])
  for (const sql of advice.sql) await shop.run(sql)
  const plan = `explain query plan select "id" from "orders" where "data"->>'kind' = 77`
  const { CompiledQuery } = await import('kysely')
  const { rows } = await shop.db.executeQuery<{ detail: string }>(CompiledQuery.raw(plan))
  expect(rows[0]!.detail).toContain(advice.proposals[0]!.index.name)
})

test('advises a partial index for a column that is mostly NULL', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(
    shop.db
      .selectFrom('orders')
      .selectAll()
      .where('shipped_at', 'is not', null)
      .where('shipped_at', '<', '2023-11-15')
      .orderBy('shipped_at')
      .limit(20),
  )
  expect(keysOf(await shop.advise())).toEqual([
    '"orders" ("shipped_at") where "shipped_at" is not null',
  ])
})

test('advises a partial index for a rare value of a flag, and not for one of a column that is open', async () => {
  const shop = await ShopOnSqlite.open()
  const { db } = shop
  await shop.ask(
    db
      .selectFrom('orders')
      .selectAll()
      .where('is_flagged', '=', 1)
      .orderBy('created_at', 'desc')
      .limit(10),
  )
  expect(keysOf(await shop.advise())).toEqual(['"orders" ("created_at") where "is_flagged" = 1'])
  shop.advisor.clear()
  await shop.ask(
    db
      .selectFrom('orders')
      .selectAll()
      .where('status', '=', 'open')
      .orderBy('created_at')
      .limit(10),
  )
  expect(keysOf(await shop.advise()).join()).not.toContain('where')
})

test('proposes nothing for a small table, and says so', async () => {
  const shop = await ShopOnSqlite.open(500)
  await shop.ask(shop.db.selectFrom('orders').selectAll().where('email', '=', 'u5@example.com'))
  const { proposals, refused } = await shop.advise()
  expect(proposals).toEqual([])
  expect(refused.map(({ code }) => code)).toContain('SMALL_TABLE')
})

test('proposes nothing that an index or the primary key does already', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.run('create index by_email on orders (email, total)')
  await shop.ask(shop.db.selectFrom('orders').selectAll().where('email', '=', 'u5@example.com'))
  await shop.ask(shop.db.selectFrom('orders').selectAll().where('id', '=', 5))
  const { proposals, drops } = await shop.advise()
  expect(proposals).toEqual([])
  expect(drops).toEqual([])
})
