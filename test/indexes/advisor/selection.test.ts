import {
  adviceAsDrizzleIndexes,
  adviceAsKyselyMigration,
  adviceTable,
  newFullScans,
  scanBaseline,
  type SqliteClient,
} from '@keelson/indexes'
import { applyAdvice } from '@keelson/indexes/kysely'
import { writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { CompiledQuery, type Kysely } from 'kysely'
import { expect, test } from 'vitest'
import { runs, seed } from '../../support/runs.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { keysOf, ShopOnSqlite } from './shop.ts'

const kyselyUrl = import.meta.resolve('kysely')

/** One index is best for the first query, and makes SQLite skip over its first key for the second. */
async function askBothSides(shop: ShopOnSqlite): Promise<void> {
  const { db } = shop
  await shop.ask(
    db
      .selectFrom('orders')
      .selectAll()
      .where('shop_id', '=', 7)
      .where('status', '=', 'open')
      .orderBy('created_at', 'desc')
      .limit(20),
    1_000,
  )
  await shop.ask(
    db
      .selectFrom('orders')
      .select((eb) => eb.fn.sum('total').as('total'))
      .where('status', '=', 'closed'),
    1,
  )
}

test('refuses an index that would make another query slower', async () => {
  const shop = await ShopOnSqlite.open()
  await askBothSides(shop)
  const advice = await shop.advise({ minGain: 0.0001 })
  const regressions = advice.refused.filter(({ code }) => code === 'REGRESSION')
  expect(regressions.map(({ index }) => index)).toContain('orders (status)')
  expect(regressions[0]!.why).toMatch(/^It would make slower: [0-9a-f]{10}/)
  expect(advice.workload.worstRegression).toBeLessThanOrEqual(1.2)
})

test('takes what makes a query slower when it is told that it may', async () => {
  const shop = await ShopOnSqlite.open()
  await askBothSides(shop)
  const guarded = await shop.advise({ minGain: 0.0001, maxKeys: 2 })
  const free = await shop.advise({ minGain: 0.0001, maxKeys: 2, maxRegression: 1_000 })
  expect(guarded.refused.some(({ code }) => code === 'REGRESSION')).toBe(true)
  expect(free.refused.some(({ code }) => code === 'REGRESSION')).toBe(false)
})

test('stays within its budget, and within the number for each table', async () => {
  const shop = await ShopOnSqlite.open()
  const { db } = shop
  for (const column of ['email', 'customer_id', 'total', 'created_at'] as const)
    await shop.ask(
      db
        .selectFrom('orders')
        .selectAll()
        .where(column, '=', '7' as never),
    )
  const whole = await shop.advise()
  expect(whole.proposals).toHaveLength(4)
  const budgetMb = (whole.workload.bytes / 1e6) * 0.6
  const small = await shop.advise({ budgetMb })
  expect(small.workload.bytes).toBeLessThanOrEqual(budgetMb * 1e6)
  expect(small.proposals.length).toBeGreaterThan(0)
  expect(small.refused.map(({ code }) => code)).toContain('BUDGET')
  const few = await shop.advise({ maxPerTable: 2 })
  expect(few.proposals).toHaveLength(2)
  expect(few.refused.map(({ code }) => code)).toContain('TABLE_LIMIT')
})

test('leaves out an index that takes more to keep than it saves', async () => {
  const shop = await ShopOnSqlite.open()
  const { db } = shop
  await shop.ask(db.selectFrom('orders').selectAll().where('email', '=', 'u5@example.com'), 2)
  expect((await shop.advise()).proposals).toHaveLength(1)
  await shop.ask(db.updateTable('orders').set({ email: 'x' }).where('id', '=', 1), 20_000)
  const written = await shop.advise()
  expect(written.proposals).toEqual([])
  expect(written.refused.map(({ code }) => code)).toContain('WRITE_COST')
  shop.advisor.clear()
  // Of another column nothing has to be kept.
  await shop.ask(db.selectFrom('orders').selectAll().where('email', '=', 'u5@example.com'), 2)
  await shop.ask(db.updateTable('orders').set({ total: 1 }).where('id', '=', 1), 20_000)
  expect((await shop.advise({ minGain: 0.00001 })).proposals).toHaveLength(1)
})

test('says which indexes are redundant or not used, and never names one that enforces something', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.run('create index short on orders (customer_id)')
  await shop.run('create index long on orders (customer_id, created_at)')
  await shop.run('create index idle on orders (total)')
  await shop.run('create unique index enforced on customers (email)')
  await shop.ask(
    shop.db.selectFrom('orders').selectAll().where('customer_id', '=', 5).orderBy('created_at'),
  )
  await shop.ask(shop.db.selectFrom('customers').selectAll().where('id', '=', 5))
  const { drops } = await shop.advise()
  expect(drops.map(({ index, code }) => [index, code])).toEqual([
    ['idle', 'UNUSED'],
    ['short', 'REDUNDANT'],
  ])
})

test('calls no index unused as long as there are statements that it does not understand', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.run('create index idle on orders (total)')
  await shop.ask(shop.db.selectFrom('orders').selectAll().where('id', '=', 5))
  expect((await shop.advise()).drops).toHaveLength(1)
  shop.advisor.record({ sql: 'select * from orders indexed by idle where total > 5 %% %%' })
  const { drops, workload } = await shop.advise()
  expect(workload.unread).toEqual({ queries: 1, calls: 1 })
  expect(drops).toEqual([])
})

test('changes nothing in the database', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(shop.db.selectFrom('orders').selectAll().where('email', '=', 'u5@example.com'))
  const schema = CompiledQuery.raw('select name, sql from sqlite_schema order by name')
  const before = (await shop.db.executeQuery(schema)).rows
  await shop.advise()
  expect((await shop.db.executeQuery(schema)).rows).toEqual(before)
})

test('advises the same whatever the order of the queries', async () => {
  const shop = await ShopOnSqlite.open(5_000)
  const { db } = shop
  const orders = db.selectFrom('orders').selectAll()
  const queries = [
    orders.where('email', '=', 'u5@example.com'),
    orders.where('shop_id', '=', 7).orderBy('created_at').limit(5),
    orders.where('shop_id', '=', 7).where('status', '=', 'open').orderBy('created_at').limit(5),
    orders.where('customer_id', '=', 7).where('total', '>', 900),
    orders.where((eb) => eb.or([eb('customer_id', '=', 5), eb('email', '=', 'u5@example.com')])),
    db.selectFrom('customers').selectAll().where('country', '=', 'c3').orderBy('email').limit(3),
  ]
  const order = fc.shuffledSubarray(
    queries.map((_, at) => at),
    { minLength: queries.length },
  )
  let first: readonly string[] | undefined
  await fc.assert(
    fc.asyncProperty(order, async (places) => {
      shop.advisor.clear()
      for (const at of places) await shop.ask(queries[at]!, 10 + at)
      const { sql } = await shop.advise()
      first ??= sql
      expect(sql).toEqual(first)
    }),
    { numRuns: runs(4, 100), seed },
  )
})

/** Without an index, with one that is nearly as good as a better one, and with values of both kinds. */
async function askOften(shop: ShopOnSqlite): Promise<void> {
  const { db } = shop
  const orders = db.selectFrom('orders').selectAll()
  await shop.ask(orders.where('email', '=', 'u5@example.com'), 1_000)
  await shop.ask(orders.where('customer_id', '=', 7), 1_000)
  await shop.ask(orders.where('customer_id', '=', 7).orderBy('created_at'), 1_000)
  await shop.ask(orders.where('customer_id', '=', 7).where('total', '>', 900), 1_000)
  await shop.ask(orders.where('shop_id', '=', 7).orderBy('created_at', 'desc').limit(5), 500)
  await shop.ask(orders.where('shop_id', '=', 7).where('status', '=', 'open'), 500)
  await shop.ask(orders.orderBy('total', 'desc').limit(10), 10)
}

test('has nothing more to propose once its advice was taken', async () => {
  const shop = await ShopOnSqlite.open()
  await askOften(shop)
  for (const minGain of [0.01, 0.0001]) {
    const first = await shop.advise({ minGain })
    expect(first.proposals.length).toBeGreaterThan(0)
    await applyAdvice(shop.db, first)
    expect((await shop.advise({ minGain })).sql).toEqual([])
  }
  // Nobody notices microseconds, but who counts them gets them.
  const { refused } = await shop.advise({ minGain: 0.0001 })
  expect(refused.map(({ code }) => code)).toContain('SMALL_CALL_GAIN')
  const counted = await shop.advise({ minGain: 0.0001, minCallGainUs: 0 })
  expect(counted.proposals.length).toBeGreaterThan(0)
})

test('prepares each query once, and plans it only for candidates that it could use', async () => {
  const shop = await ShopOnSqlite.open(5_000)
  const orders = shop.db.selectFrom('orders').selectAll()
  const columns = ['email', 'customer_id', 'shop_id', 'total', 'created_at', 'shipped_at'] as const
  for (const column of columns) await shop.ask(orders.where(column, '=', '7' as never))
  let prepared = 0
  let planned = 0
  const openSqlite = (): SqliteClient => {
    const client = new Database(':memory:')
    const prepare = (sql: string): ReturnType<SqliteClient['prepare']> => {
      const statement = client.prepare(sql)
      if (!sql.startsWith('explain')) return statement
      prepared++
      return {
        all: (...values) => {
          planned++
          return statement.all(...values)
        },
        run: (...values) => statement.run(...values),
      }
    }
    return { exec: (sql) => client.exec(sql), prepare, close: () => client.close() }
  }
  const { proposals } = await shop.advise({ openSqlite })
  expect(proposals.length).toBeGreaterThan(3)
  expect(prepared).toBe(columns.length)
  // Three instances, each with its index and without, and with the estimates in doubt: 2 x 3 x 3 for each query.
  expect(planned).toBeLessThanOrEqual(columns.length * 18)
})

test('tells of full scans that a baseline does not have', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(shop.db.selectFrom('orders').selectAll().where('email', '=', 'u5@example.com'))
  const baseline = scanBaseline(await shop.advise())
  expect(baseline.scans.map(({ table }) => table)).toEqual(['orders'])
  await shop.ask(shop.db.selectFrom('orders').selectAll().where('id', '=', 5))
  expect(newFullScans(await shop.advise(), baseline)).toEqual([])
  await shop.ask(shop.db.selectFrom('orders').selectAll().where('total', '=', 5))
  expect(newFullScans(await shop.advise(), baseline)).toEqual([
    expect.objectContaining({ table: 'orders', text: expect.stringContaining('"total" = ?') }),
  ])
})

test('prints its advice as a table, and as JSON without a value in it', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(shop.db.selectFrom('orders').selectAll().where('email', '=', 'u4711@secret.com'))
  const advice = await shop.advise()
  const table = adviceTable(advice)
  expect(table).toContain(advice.proposals[0]!.sql)
  expect(table).toContain('- SCAN orders')
  expect(table).toContain('+ SEARCH orders USING INDEX ix_orders_email')
  expect(table + JSON.stringify(advice)).not.toContain('4711')
  expect(JSON.parse(JSON.stringify(advice))).toEqual(advice)
})

test('finds its way through plans whatever stands in a name', async () => {
  const shop = await ShopOnSqlite.open(10)
  const names = [
    'line\nend',
    'a AND b',
    'c) (d',
    'e=f',
    'g>h',
    `i"j'k`,
    '( l',
    'x\u2028y',
    '<expr>',
    'ANY(m)',
  ]
  const quoted = names.map((name) => `"${name.replaceAll('"', '""')}"`)
  await shop.run(`create table odd (id integer primary key, ${quoted.join(' integer, ')} integer)`)
  await shop.run(
    `with recursive n (i) as (select 1 union all select i + 1 from n where i < 5000)
     insert into odd select i, ${names.map((_, at) => `i * ${7919 + at} % 3000`).join(', ')} from n`,
  )
  const db = shop.db as unknown as Kysely<{ odd: Record<string, number> }>
  for (const name of names) await shop.ask(db.selectFrom('odd').selectAll().where(name, '=', 77))
  await shop.ask(db.selectFrom('odd').selectAll().where('c) (d', '=', 77).where('a AND b', '>', 7))
  const { proposals, queries } = await shop.advise()
  expect(queries.flatMap(({ scansAfter }) => scansAfter)).toEqual([])
  expect(
    proposals
      .map(({ index: { keys } }) => (keys[0]!.expression as { name: string }).name)
      .toSorted(),
  ).toEqual(names.toSorted())
})

test('writes its advice as a migration for Kysely, which can be undone', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(
    shop.db
      .selectFrom('orders')
      .select('id')
      .where((eb) => eb(eb.ref('data', '->>').key('kind' as never), '=', 77 as never)),
  )
  const advice = await shop.advise()
  const file = temporaryFile('advised_indexes.ts')
  writeFileSync(file, adviceAsKyselyMigration(advice).replace(`'kysely'`, `'${kyselyUrl}'`))
  const migration = (await import(/* @vite-ignore */ file)) as {
    up(db: unknown): Promise<void>
    down(db: unknown): Promise<void>
  }
  const indexes = CompiledQuery.raw(`select name from sqlite_schema where type = 'index'`)
  await migration.up(shop.db)
  expect((await shop.db.executeQuery(indexes)).rows).toEqual([
    { name: advice.proposals[0]!.index.name },
  ])
  await migration.down(shop.db)
  expect((await shop.db.executeQuery(indexes)).rows).toEqual([])
})

test('writes its advice as indexes of Drizzle tables', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(
    shop.db
      .selectFrom('orders')
      .selectAll()
      .where('is_flagged', '=', 1)
      .orderBy('created_at')
      .orderBy('total', 'desc')
      .limit(10),
  )
  const advice = await shop.advise()
  const { name } = advice.proposals[0]!.index
  expect([...adviceAsDrizzleIndexes(advice)]).toEqual([
    [
      'orders',
      `() => [\n  index("${name}").on(sql\`"created_at"\`, sql\`"total" desc\`).where(sql\`"is_flagged" = 1\`),\n]\n`,
    ],
  ])
})

test('makes queries as much faster as it says', async () => {
  const shop = await ShopOnSqlite.open()
  await shop.ask(shop.db.selectFrom('orders').selectAll().where('email', '=', 'u5@example.com'))
  const advice = await shop.advise()
  expect(advice.workload.afterMs).toBeLessThan(advice.workload.beforeMs / 20)
  for (const sql of advice.sql) await shop.run(sql)
  await shop.ask(shop.db.selectFrom('orders').selectAll().where('email', '=', 'u5@example.com'))
  const applied = await shop.advise()
  expect(keysOf(applied)).toEqual([])
  expect(applied.queries[0]!.planBefore).toEqual(advice.queries[0]!.planAfter)
})

test('refuses options that it does not know', async () => {
  const shop = await ShopOnSqlite.open(10)
  await expect(shop.advise({ budget: 5 } as never)).rejects.toMatchObject({
    code: 'UNKNOWN_OPTION',
    message: expect.stringContaining('Did you mean `budgetMb`?'),
  })
  await expect(shop.advise({ maxRegression: 0.5 })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
  })
})
