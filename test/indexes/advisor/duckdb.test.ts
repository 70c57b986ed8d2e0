import { adviseIndexes, createAdvisor } from '@keelson/indexes/kysely'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { type Compilable, CompiledQuery, Kysely, type LogEvent } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { keysOf } from './shop.ts'

interface Events {
  events: {
    id: number
    user_id: number
    kind: string
    session: string
    nr: number
    amount: number
    data: string
  }
}

const rows = 200_000

test('proposes only what a scan uses: one column, one equality, few rows', async () => {
  const { db, advisor, ask } = await open()
  const events = db.selectFrom('events').selectAll()
  for (const query of [
    events.where('session', '=', 's77'),
    events.where('user_id', '=', 77),
    // A second condition, few values, a range, an order, the order of the rows: no scan uses an index for these.
    events.where('kind', '=', 'k1').where('amount', '=', 5),
    db.selectFrom('events').select('amount').where('kind', '=', 'k1').limit(5),
    events.where('amount', '>', 10_000),
    events.where('nr', '=', 77),
    events.orderBy('amount').limit(5),
    events.where((eb) => eb(eb.ref('data', '->>').key('k' as never), '=', '7' as never)).limit(5),
  ]) {
    await ask(query)
  }
  const advice = await advisor.advise(db, { verify: 'explainAnalyze' })
  expect(keysOf(advice)).toEqual(['"events" ("session")', '"events" ("user_id")'])
  expect(advice.proposals.map(({ verified }) => verified)).toEqual([true, true])
  expect(new Set(advice.refused.map(({ code }) => code))).toEqual(
    new Set(['DUCKDB_MULTI_COLUMN', 'DUCKDB_ZONEMAP', 'DUCKDB_EXPRESSION']),
  )

  for (const sql of advice.sql) await db.executeQuery(CompiledQuery.raw(sql))
  for (const query of [events.where('session', '=', 's77'), events.where('user_id', '=', 77)])
    expect(await explained(db, query.compile())).toMatch(/"Type":\s*"Index Scan"/)
})

test('leaves nothing behind when it tries a proposal', async () => {
  const { db, advisor, ask } = await open()
  await ask(db.selectFrom('events').selectAll().where('session', '=', 's77'))
  await advisor.advise(db, { verify: 'explainAnalyze' })
  const { rows: left } = await db.executeQuery(
    CompiledQuery.raw('select index_name from duckdb_indexes()'),
  )
  expect(left).toEqual([])
})

test('proposes nothing over a key that scans use already', async () => {
  const { db } = await open()
  const query = (text: string) => ({ text, calls: 20 })
  const { proposals, refused } = await adviseIndexes(db, {
    v: 1,
    queries: [query('select * from events where id = ?')],
  })
  expect([proposals, refused]).toEqual([[], []])
})

test('reckons with no index that was tried and that no scan used', async () => {
  const { db, advisor, ask } = await open()
  await db.executeQuery(CompiledQuery.raw('set global index_scan_max_count = 0'))
  await db.executeQuery(CompiledQuery.raw('set global index_scan_percentage = 0'))
  await ask(db.selectFrom('events').selectAll().where('user_id', '=', 77))
  expect((await advisor.advise(db)).proposals).toHaveLength(1)
  const { proposals, refused, workload } = await advisor.advise(db, { verify: 'explainAnalyze' })
  expect(proposals).toEqual([])
  expect(refused).toMatchObject([{ code: 'NOT_USED', why: 'It was tried, and no scan used it.' }])
  expect(workload.afterMs).toBe(workload.beforeMs)
})

async function open(): Promise<{
  db: Kysely<Events>
  advisor: ReturnType<typeof createAdvisor>
  /** Runs a query once, and has the advisor hear of it twenty times. */
  ask(query: Compilable): Promise<void>
}> {
  const advisor = createAdvisor()
  const heard: LogEvent[] = []
  const db = new Kysely<Events>({
    dialect: new DuckDBDialect({ path: ':memory:' }),
    log: (event) => {
      heard.push(event)
    },
  })
  onTestFinished(() => db.destroy())
  const run = (sql: string): Promise<unknown> => db.executeQuery(CompiledQuery.raw(sql))
  await run(
    `create table events (id integer primary key, user_id integer, kind varchar, session varchar, nr integer,
       amount integer, data json)`,
  )
  await run(
    `insert into events select i, (i * 7919) % 50021, 'k' || (i % 5), 's' || ((i * 104729) % 100019), i,
       (i * 31) % 10007, json_object('k', i % 100) from range(${rows}) t (i)`,
  )
  const ask = async (query: Compilable): Promise<void> => {
    await db.executeQuery(query.compile())
    for (let call = 0; call < 20; call++) advisor.log(heard.at(-1)!)
  }
  return { db, advisor, ask }
}

async function explained(db: Kysely<Events>, query: CompiledQuery): Promise<string> {
  const explain = CompiledQuery.raw(`explain (analyze, format json) ${query.sql}`, [
    ...query.parameters,
  ])
  const { rows: plan } = await db.executeQuery<{ explain_value: string }>(explain)
  return plan[0]!.explain_value
}
