import { createAdvisor } from '@keelson/indexes/kysely'
import { CompiledQuery, Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { postgres } from '../../support/postgres.ts'
import { keysOf, type Shop } from './shop.ts'

test("asks PostgreSQL's planner with indexes that are rolled back", async () => {
  const { db, advisor } = await open()
  const orders = db.selectFrom('orders').selectAll()
  for (let call = 0; call < 20; call++) {
    await orders.where('shop_id', '=', 7).orderBy('created_at', 'desc').limit(5).execute()
    await orders.where('email', '=', 'u5@example.com').execute()
  }
  const advice = await advisor.advise(db, { whatIf: 'createAndRollBack' })
  expect(advice.method).toBe('createAndRollBack')
  expect(keysOf(advice)).toEqual(['"orders" ("email")', '"orders" ("shop_id", "created_at")'])
  expect(advice.workload.afterMs).toBeLessThan(advice.workload.beforeMs / 5)
  const { rows } = await db.executeQuery(
    CompiledQuery.raw(`select indexname from pg_indexes where tablename = 'orders'`),
  )
  expect(rows).toEqual([{ indexname: 'orders_pkey' }])

  for (const sql of advice.sql) await db.executeQuery(CompiledQuery.raw(sql))
  advisor.clear()
  await orders.where('email', '=', 'u5@example.com').execute()
  const applied = await advisor.advise(db, { whatIf: 'createAndRollBack' })
  expect(applied.proposals).toEqual([])
  expect(applied.queries[0]!.planBefore.join('\n')).toContain(
    advice.proposals.find(({ index }) => index.name.includes('email'))!.index.name,
  )
})

test('goes by rules where hypopg is not installed and nothing may be created', async () => {
  const { db, advisor } = await open()
  for (let call = 0; call < 20; call++)
    await db
      .selectFrom('orders')
      .selectAll()
      .where('customer_id', '=', 7)
      .where('status', '=', 'open')
      .execute()
  const { method, proposals } = await advisor.advise(db)
  expect(method).toBe('rules')
  expect(proposals.map(({ confidence }) => confidence)).toEqual(['low'])
  expect(proposals[0]!.index.keys[0]!.expression).toEqual({ kind: 'column', name: 'customer_id' })
})

async function open(): Promise<{ db: Kysely<Shop>; advisor: ReturnType<typeof createAdvisor> }> {
  const { createDatabase } = await postgres()
  const advisor = createAdvisor()
  const pool = new Pool({ connectionString: await createDatabase(), max: 2 })
  const db = new Kysely<Shop>({ dialect: new PostgresDialect({ pool }), log: advisor.log })
  onTestFinished(() => db.destroy())
  const run = (sql: string): Promise<unknown> => db.executeQuery(CompiledQuery.raw(sql))
  await run(
    `create table orders (id integer primary key, customer_id integer not null, shop_id integer not null,
       status text not null, email text not null, shipped_at text, created_at text not null)`,
  )
  await run(
    `insert into orders select i, (i * 7919) % 4000, (i * 104729) % 100, case when i % 50 = 0 then 'open' else 'closed' end,
       'u' || ((i * 7919) % 9000) || '@example.com', case when i % 20 = 0 then (2000 + i % 40)::text end,
       (i::bigint * 104729 % 1000000)::text
     from generate_series(1, 20000) i`,
  )
  await run('analyze orders')
  advisor.clear()
  return { db, advisor }
}
