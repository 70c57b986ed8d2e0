import { createTiming } from '@keelson/timing'
import { withTiming as withDrizzleTiming } from '@keelson/timing/drizzle'
import { withTiming } from '@keelson/timing/kysely'
import {
  expectQueryCount,
  failOnNPlusOne,
  failOnScan,
  TimingExpectationError,
} from '@keelson/timing/testing'
import { drizzle } from 'drizzle-orm/node-postgres'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { rejection } from '../support/rejection.ts'
import { sqliteKysely, type Tables } from '../transactions/kysely/engines.ts'

const timing = createTiming()

async function open(): Promise<Kysely<Tables>> {
  const db = new Kysely<Tables>({ dialect: withTiming(await sqliteKysely.dialect(), timing) })
  onTestFinished(() => db.destroy())
  await sql`create table item (id integer primary key, name text)`.execute(db)
  return db
}

const byId = (db: Kysely<Tables>, id: number): Promise<unknown> =>
  db.selectFrom('item').selectAll().where('id', '=', id).execute()

test('expectQueryCount() gives what was returned, or lists the queries', async () => {
  const db = await open()
  expect(
    await expectQueryCount(timing, 2, async () => [await byId(db, 1), await byId(db, 2)]),
  ).toEqual([[], []])
  const error = await rejection(
    expectQueryCount(timing, { max: 1 }, () => Promise.all([byId(db, 1), byId(db, 2)])),
  )
  expect(error).toBeInstanceOf(TimingExpectationError)
  expect(error['code']).toBe('QUERY_COUNT')
  expect(error.message).toMatch(
    /^0 to 1 queries were expected, and 2 were sent:\n {2}1\. `select \*/,
  )
})

test('expectQueryCount() counts nobody else, and what is in scopes inside', async () => {
  const db = await open()
  const others = byId(db, 1)
  await expectQueryCount(timing, 1, () => timing.scope('inside', () => byId(db, 2)))
  await others
  const failing = expectQueryCount(timing, 0, async () => {
    throw new Error('its own')
  })
  expect((await rejection(failing)).message).toBe('its own')
})

test('expectQueryCount() counts what nobody waits for, and takes whole numbers alone', async () => {
  const db = await open()
  let late: Promise<unknown> | undefined
  const error = await rejection(
    expectQueryCount(timing, 0, () => {
      late = byId(db, 1)
    }),
  )
  expect(error['code']).toBe('QUERY_COUNT')
  await late
  for (const expected of [1.5, -1, Number.NaN, { min: 2, max: 1 }, { max: '1' as never }]) {
    const refusal = await rejection(expectQueryCount(timing, expected, () => 1))
    expect(refusal.message).toContain('a whole number')
  }
})

test('expectQueryCount() counts a query of Drizzle that is returned, and sent when it is awaited', async () => {
  const { createDatabase } = await postgres()
  const pool = new Pool({ connectionString: await createDatabase(), max: 1 })
  onTestFinished(() => pool.end())
  const db = withDrizzleTiming(drizzle(pool), timing)
  await expectQueryCount(timing, 1, () => db.execute('select 1') as unknown as Promise<unknown>)
})

test('failOnScan() and failOnNPlusOne() see what has no place among the fingerprints', async () => {
  const full = createTiming({ maxFingerprints: 1 })
  const db = new Kysely<Tables>({ dialect: withTiming(await sqliteKysely.dialect(), full) })
  onTestFinished(() => db.destroy())
  await sql`create table item (id integer primary key, name text)`.execute(db)
  const scanning = (): Promise<unknown> =>
    db.selectFrom('item').select('id').where('name', '=', 'a').execute()
  expect((await rejection(failOnScan(full, scanning)))['code']).toBe('TABLE_SCAN')
  const looped = failOnNPlusOne(full, async () => {
    for (let id = 0; id < 2; id++) {
      await byId(db, id)
      await db.selectFrom('item').select('name').where('name', '=', `${id}`).execute()
    }
  })
  expect((await rejection(looped))['code']).toBe('N_PLUS_ONE')
})

test('failOnNPlusOne() fails with the first repetition, each time, and says what to write', async () => {
  const db = await open()
  const loop = async (): Promise<void> => {
    for (let id = 0; id < 2; id++) await byId(db, id)
  }
  for (let times = 0; times < 2; times++) {
    const error = await rejection(failOnNPlusOne(timing, loop))
    expect(error['code']).toBe('N_PLUS_ONE')
    expect(error.message).toContain('where ... in (...)')
    expect(error.message).toMatch(/testing\.test\.ts:\d+/)
  }
  await failOnNPlusOne(timing, loop, { repeats: 3 })
  await failOnNPlusOne(timing, () =>
    Promise.all([byId(db, 1), db.selectFrom('item').select('name').execute()]),
  )
})

test('failOnScan() fails for a query that reads a whole table, unless that is allowed', async () => {
  const db = await open()
  await failOnScan(timing, () => byId(db, 1))
  const scanning = (): Promise<unknown> =>
    db.selectFrom('item').selectAll().where('name', '=', 'a').execute()
  const error = await rejection(failOnScan(timing, scanning))
  expect(error['code']).toBe('TABLE_SCAN')
  expect(error.message).toContain('SELECT item scans item')
  await failOnScan(timing, scanning, { allow: ['item'] })
  await sql`create index by_name on item (name)`.execute(db)
  await failOnScan(timing, scanning)
})

test('failOnScan() names tables by their names, and neither aliases nor what the query itself makes', async () => {
  const db = await open()
  await sql`create table "my item" (id integer primary key, name text)`.execute(db)
  await sql`create view named as select name, count(*) as n from item group by name`.execute(db)
  const scanned = async (text: string): Promise<string | undefined> => {
    const scanning = failOnScan(timing, () => sql.raw(text).execute(db))
    const error = await scanning.then(
      () => undefined,
      (thrown: Error) => thrown,
    )
    return error === undefined ? undefined : /scans (.*?): /.exec(error.message)?.[1]
  }
  for (const [text, tables] of [
    [
      `with recent as materialized (select * from item) select * from recent where name = 'a'`,
      'item',
    ],
    [
      `with recent as materialized (select * from item) select * from recent as r join item as i on i.name = r.name`,
      'item',
    ],
    [
      'select * from (select name, count(*) as n from item group by name) as firsts where n > 1',
      'item',
    ],
    ['select * from named as n where n.n > 1', 'item'],
    [`select * from item as i where name = 'a'`, 'item'],
    [`select * from item i, "my item" m where i.name > m.name`, 'item, my item'],
    [`select * from "my item" as "a b" where name = 'a'`, 'my item'],
    [
      `delete from item where name in (select name from "my item" m where m.name > 'a')`,
      'item, my item',
    ],
    ['select * from (values (1), (2)) as v', undefined],
    [`select * from json_each('[1]') as j`, undefined],
    [
      'with recursive c(i) as (select 1 union all select i + 1 from c where i < 5) select * from c',
      undefined,
    ],
    // One alias for two tables is told as it stands there.
    [
      `select 1 from item x where name = 'a' union all select 1 from "my item" x where name = 'a'`,
      'x',
    ],
  ] as const)
    expect([text, await scanned(text)]).toEqual([text, tables])
  await failOnScan(timing, () => sql`select * from item as i where name = 'a'`.execute(db), {
    allow: ['item'],
  })
})

test.each([
  ['Kysely', 1],
  ['Kysely', 5],
  ['Drizzle', 5],
  ['Drizzle on a client', 1],
] as const)(
  'failOnScan() takes on PostgreSQL a small table for one that grows, with %s and %i connections',
  async (orm, max) => {
    const { createDatabase } = await postgres()
    const pool = new Pool({ connectionString: await createDatabase(), max })
    onTestFinished(() => pool.end())
    const client = await pool.connect()
    await client.query('create table "my item" (id integer primary key, name text)')
    await client.query(`insert into "my item" values (1, 'a'), (2, 'b')`)
    await client.query('analyze "my item"')
    const local = createTiming()
    let send: (text: string) => Promise<unknown>
    if (orm === 'Drizzle on a client') onTestFinished(() => client.release())
    else client.release()
    if (orm === 'Kysely') {
      const db = new Kysely<Tables>({ dialect: withTiming(new PostgresDialect({ pool }), local) })
      send = (text) => sql.raw(text).execute(db)
    } else {
      const db = withDrizzleTiming(drizzle(orm === 'Drizzle' ? pool : client), local)
      send = (text) => db.execute(text)
    }
    await failOnScan(local, () => send('select * from "my item" where id = 1'))
    const error = await rejection(
      failOnScan(local, () => send(`select * from "my item" where name = 'a'`)),
    )
    expect(error.message).toContain('SELECT my item scans my item: ')
    await failOnScan(local, () => send(`select * from "my item" where name = 'a'`), {
      allow: ['my item'],
    })
    // It is as it was for those that come next.
    const settings = await Promise.all(
      Array.from({ length: max }, () => send("select current_setting('enable_seqscan') as it")),
    )
    for (const given of settings)
      expect((given as { rows: unknown[] }).rows).toEqual([{ it: 'on' }])
  },
)

test('failOnScan() says so where the plan would wait for its caller', async () => {
  const db = await open()
  const error = await db
    .transaction()
    .execute((trx) => rejection(failOnScan(timing, () => byId(trx as never, 1))))
  expect(error['code']).toBe('NO_PLAN')
  expect(error.message).toContain('outside of the transaction')
})

test('a timing that sees nothing is refused', async () => {
  const off = createTiming({ enabled: false })
  expect((await rejection(expectQueryCount(off, 0, () => 1))).message).toContain('switched off')
  expect((await rejection(failOnNPlusOne(timing, () => 1, { repeat: 2 } as never)))['code']).toBe(
    'UNKNOWN_OPTION',
  )
  expect((await rejection(failOnScan(timing, () => 1, { allowed: [] } as never)))['code']).toBe(
    'UNKNOWN_OPTION',
  )
  const quiet = createTiming({ repeats: false })
  expect((await rejection(failOnNPlusOne(quiet, () => 1))).message).toContain('repeats: false')
})
