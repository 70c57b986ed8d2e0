import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import {
  createTiming,
  fingerprint,
  type QueryPlan,
  type Signal,
  type TimingOptions,
} from '@keelson/timing'
import { withTiming } from '@keelson/timing/kysely'
import { failOnScan } from '@keelson/timing/testing'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Pool } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { postgres } from '../support/postgres.ts'
import { rejection } from '../support/rejection.ts'
import {
  duckdb,
  type KyselyEngine,
  postgresql,
  sqliteKysely,
  sqliteOurs,
  type Tables,
} from '../transactions/kysely/engines.ts'

interface Opened {
  readonly db: Kysely<Tables>
  readonly timing: ReturnType<typeof createTiming>
  readonly signals: Signal[]
}

async function open(engine: KyselyEngine, options: TimingOptions = {}): Promise<Opened> {
  const signals: Signal[] = []
  const timing = createTiming({ ...options, sinks: [{ signal: (signal) => signals.push(signal) }] })
  const db = new Kysely<Tables>({ dialect: withTiming(await engine.dialect(), timing) })
  onTestFinished(() => db.destroy())
  await sql`create table item (id integer primary key, name varchar(700) unique)`.execute(db)
  signals.length = 0
  return { db, timing, signals }
}

const byId = (db: Kysely<Tables>, id: number): Promise<unknown> =>
  db.selectFrom('item').select('name').where('id', '=', id).execute()

describe('repeated queries', () => {
  test('of one place in a scope are N+1, and the signal says what to write instead', async () => {
    const { db, timing, signals } = await open(sqliteKysely)
    await timing.scope('GET /items', async () => {
      for (let id = 0; id < 20; id++) await byId(db, id)
    })
    expect(signals).toHaveLength(1)
    expect(signals[0]).toMatchObject({
      v: 1,
      type: 'nplusone',
      level: 'warn',
      evidence: { summary: 'SELECT item', count: 5, scope: 'GET /items' },
    })
    expect(signals[0]!.evidence['site']).toMatch(/signals\.test\.ts:\d+:\d+$/)
    expect(signals[0]!.fix).toContain('where ... in (...)')
    expect(timing.report().findings[0]).toMatch(
      /^⚠ N\+1: SELECT item ran 5 times in "GET \/items" at /,
    )
  })

  test('with the same values are duplicates', async () => {
    const { db, timing, signals } = await open(sqliteKysely)
    await timing.scope('page', async () => {
      for (let times = 0; times < 6; times++) await byId(db, 1)
    })
    expect(signals).toMatchObject([{ type: 'duplicate' }])
    expect(signals[0]!.fix).toContain('keep its result')
  })

  test('that write are no duplicates, whatever their values: they cannot be sent once', async () => {
    const { db, timing, signals } = await open(sqliteKysely)
    await sql`create table entry (name text)`.execute(db)
    await timing.scope('page', async () => {
      for (let times = 0; times < 6; times++) await sql`update item set id = id + 1`.execute(db)
      for (let times = 0; times < 6; times++)
        await sql`insert into entry values (${'a'})`.execute(db)
      for (let times = 0; times < 6; times++)
        await sql`with one as (select ${1} as id) delete from item where id in (select id from one)`.execute(
          db,
        )
    })
    expect(signals.map(({ type, fix }) => `${type}: ${fix}`)).toEqual([
      expect.stringMatching(/^nplusone: Send one UPDATE item for all rows/),
      expect.stringMatching(/^nplusone: Insert all rows with one statement/),
      expect.stringMatching(/^nplusone: Send one DELETE item for all rows/),
    ])
  })

  test('of several places, of several scopes, or outside of any are none', async () => {
    const { db, timing, signals } = await open(sqliteKysely)
    await timing.scope('one', async () => {
      await byId(db, 1)
      await db.selectFrom('item').select('name').where('id', '=', 2).execute()
      await byId(db, 3)
      await db.selectFrom('item').select('name').where('id', '=', 4).execute()
      await byId(db, 5)
      await db.selectFrom('item').select('name').where('id', '=', 6).execute()
    })
    for (let id = 0; id < 20; id++) await timing.scope('two', () => byId(db, id))
    for (let id = 0; id < 20; id++) await byId(db, id)
    expect(signals).toEqual([])
  })

  test('of two lines that take turns are N+1, once, and each database counts for itself', async () => {
    const { db, timing, signals } = await open(sqliteKysely)
    await timing.scope('turns', async () => {
      for (let id = 0; id < 20; id++) {
        await byId(db, id)
        await db.selectFrom('item').select('name').where('id', '=', id).execute()
      }
    })
    expect(signals).toMatchObject([{ type: 'nplusone' }])
    const others = createTiming({ sinks: [{ signal: (signal) => signals.push(signal) }] })
    const shards: Kysely<Tables>[] = []
    for (let shard = 0; shard < 6; shard++) {
      const each = new Kysely<Tables>({
        dialect: withTiming(await sqliteKysely.dialect(), others),
      })
      onTestFinished(() => each.destroy())
      await sql`create table item (id integer primary key, name text)`.execute(each)
      shards.push(each)
    }
    await others.scope('shards', async () => {
      for (const shard of shards) await byId(shard, 1)
    })
    expect(signals).toHaveLength(1)
  })

  test('with long values are never taken for the same', async () => {
    const { db, timing, signals } = await open(sqliteKysely)
    await timing.scope('page', async () => {
      for (let times = 0; times < 8; times++)
        await db.selectFrom('item').where('name', '=', 'x'.repeat(300)).selectAll().execute()
    })
    expect(signals).toMatchObject([{ type: 'nplusone' }])
  })

  test('are looked for as often as the option says, or never', async () => {
    for (const [repeats, count] of [
      [2, 1],
      [10, 0],
      [false, 0],
    ] as const) {
      const { db, timing, signals } = await open(sqliteKysely, { repeats })
      await timing.scope('page', async () => {
        for (let id = 0; id < 5; id++) await byId(db, id)
      })
      expect(signals).toHaveLength(count)
    }
  })
})

describe('slow queries', () => {
  const slowly = (ms: number) => sql<unknown>`select pg_sleep(${ms / 1000})`

  test('are told by the absolute limits, once within the cooldown', async () => {
    const { db, signals } = await open(postgresql, { slowMs: 200, criticalMs: 500 })
    await slowly(1).execute(db)
    expect(signals).toEqual([])
    await slowly(220).execute(db)
    await slowly(220).execute(db)
    await slowly(550).execute(db)
    expect(signals).toMatchObject([
      { type: 'slow', level: 'warn', evidence: { summary: 'SELECT', database: 'postgresql' } },
      { type: 'slow', level: 'critical' },
    ])
    expect(signals[0]!.evidence['ms']).toBeGreaterThan(219)
  })

  test('are told again after the cooldown', async () => {
    const { db, signals } = await open(postgresql, { slowMs: 20, cooldownMs: 0 })
    for (let times = 0; times < 3; times++) await slowly(25).execute(db)
    expect(signals).toHaveLength(3)
  })

  test('are told by what is usual for them', async () => {
    const { db, signals } = await open(postgresql, {
      slowMs: 10_000,
      // Less than the sleep, and more than a busy machine makes of a millisecond.
      relativeSlow: { factor: 3, minCalls: 20, minMs: 200 },
    })
    for (let times = 0; times < 30; times++) await slowly(1).execute(db)
    expect(signals).toEqual([])
    await slowly(400).execute(db)
    expect(signals).toMatchObject([{ type: 'slow', level: 'warn' }])
    const { limitMs, ms } = signals[0]!.evidence
    expect(limitMs).toBeLessThan(ms as number)
  })
})

test('a slow query without a place among the fingerprints is told of as what it is', async () => {
  const { db, timing, signals } = await open(sqliteKysely, {
    slowMs: 10_000,
    maxFingerprints: 1,
    relativeSlow: { factor: 2, minCalls: 20, minMs: 0 },
  })
  const shapes = Array.from({ length: 200 }, (_, shape) => `c${shape}`)
  for (const shape of shapes) await sql`select id as ${sql.id(shape)} from item`.execute(db)
  await sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000) select count(*) from n`.execute(
    db,
  )
  // Nothing is usual for those that have no place, taken together.
  expect(signals).toEqual([])
  const told: Signal[] = []
  const absolute = createTiming({
    slowMs: 0.000_1,
    maxFingerprints: 1,
    sinks: [{ signal: (signal) => told.push(signal) }],
  })
  const other = new Kysely<Tables>({ dialect: withTiming(await sqliteKysely.dialect(), absolute) })
  onTestFinished(() => other.destroy())
  await sql`create table item (id integer primary key, name text)`.execute(other)
  await sql`select id as a from item`.execute(other)
  await sql`select name as b from item`.execute(other)
  expect(told.map(({ evidence }) => evidence['sql'])).toEqual([
    'create table item (id integer primary key, name text)',
    'select id as a from item',
    'select name as b from item',
  ])
  expect(told[1]!.fp).toBe(fingerprint('select id as a from item').id)
  expect(absolute.report().findings.join()).not.toContain('NaN')
  expect(timing.report().findings.join()).not.toContain('<other> took')
})

describe('plans', () => {
  const plans = { minCalls: 3, minTotalMs: 1e9, scanMs: 0.000_1 }
  const planOf = (opened: Opened, part: string): QueryPlan | undefined =>
    opened.timing.report().queries.find(({ text }) => text.includes(part))?.plan

  for (const engine of [sqliteKysely, sqliteOurs, postgresql, duckdb]) {
    test(`tell scans from index searches on ${engine.name}, once for each hot query`, async () => {
      const opened = await open(engine, { plans, slowMs: 60_000 })
      const { db, timing, signals } = opened
      const sent: string[] = []
      timing.addSink({ query: ({ sql: text }) => void sent.push(text) })
      const values = Array.from({ length: 3_000 }, (_, id) => ({ id, name: `name ${id}` }))
      for (let at = 0; at < values.length; at += 100)
        await db
          .insertInto('item')
          .values(values.slice(at, at + 100))
          .execute()
      if (engine.kind === 'postgresql') await sql`analyze item`.execute(db)
      for (let times = 0; times < 6; times++) {
        await db
          .selectFrom('item')
          .selectAll()
          .where(sql`lower(name)`, '=', 'name 7')
          .execute()
        await byId(db, 7)
      }
      await timing.settled()
      // Once it is known, it is judged with the next call.
      await db
        .selectFrom('item')
        .selectAll()
        .where(sql`lower(name)`, '=', 'name 7')
        .execute()
      expect(planOf(opened, 'lower(')).toMatchObject({ scans: ['item'], indexes: [] })
      const search = planOf(opened, 'where "id" = ?')!
      // DuckDB's optimizer scans by the key, too, where that is quicker.
      if (engine.kind !== 'duckdb') expect(search.scans).toEqual([])
      const scan = signals.filter(
        ({ type, evidence }) => type === 'scan' && String(evidence['sql']).includes('lower('),
      )
      expect(scan).toHaveLength(1)
      expect(scan[0]).toMatchObject({ evidence: { tables: ['item'] } })
      expect(scan[0]!.fix).toContain('index')
      // Nobody is told of the timing's own statements.
      expect(sent.filter((text) => text.startsWith('explain'))).toEqual([])
    })
  }

  test('are asked for again once an index was created, also past the timing', async () => {
    const opened = await open(sqliteKysely, { plans, slowMs: 60_000, cooldownMs: 1 })
    const { db, timing, signals } = opened
    const values = Array.from({ length: 3_000 }, (_, id) => ({ id, name: `name ${id}` }))
    for (let at = 0; at < values.length; at += 100)
      await db
        .insertInto('item')
        .values(values.slice(at, at + 100))
        .execute()
    const byName = async (): Promise<void> => {
      for (let times = 0; times < 5; times++)
        await db
          .selectFrom('item')
          .selectAll()
          .where(sql`lower(name)`, '=', 'name 7')
          .execute()
      await timing.settled()
    }
    await byName()
    expect(planOf(opened, 'where lower(')!.scans).toEqual(['item'])
    await sql`create index item_lower on item (lower(name))`.execute(db)
    expect(planOf(opened, 'where lower(')).toBeUndefined()
    await byName()
    expect(planOf(opened, 'where lower(')).toMatchObject({ scans: [], indexes: ['item_lower'] })
    await sql`drop index item_lower`.execute(db)
    await byName()
    expect(planOf(opened, 'where lower(')!.scans).toEqual(['item'])
    timing.isEnabled = false
    await sql`create index item_lower on item (lower(name))`.execute(db)
    timing.isEnabled = true
    signals.length = 0
    await delay(1_100)
    await byName()
    expect(signals.filter(({ type }) => type === 'scan')).toEqual([])
    expect(planOf(opened, 'where lower(')!.scans).toEqual([])
  })

  test('are asked for outside of the transaction that is open, and never by running the query', async () => {
    const opened = await open(postgresql, { plans })
    const { db, timing } = opened
    await db.insertInto('item').values({ id: 1, name: 'a' }).execute()
    await db.transaction().execute(async (trx) => {
      for (let times = 0; times < 5; times++)
        await trx.updateTable('item').set({ name: 'b' }).where('id', '=', 1).execute()
      await timing.settled()
      const { rows } = await sql<{
        n: number
      }>`select count(*)::int as n from pg_stat_activity where query like 'explain%' and backend_xid is not null`.execute(
        trx,
      )
      expect(rows[0]!.n).toBe(0)
    })
    expect(planOf(opened, 'update')?.lines.join()).toMatch(/Update on item/)
  })

  test('are never asked for of a text with several statements, of which the others would run', async () => {
    const opened = await open(postgresql, { plans })
    const { db, timing } = opened
    await sql`create table log (n integer)`.execute(db)
    const text = 'update item set name = name; insert into log values (1)'
    for (let times = 0; times < 5; times++) await sql.raw(text).execute(db)
    await timing.settled()
    await failOnScan(timing, () => sql.raw(text).execute(db))
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from log`.execute(db)
    expect(rows).toEqual([{ n: 6 }])
  })

  test('are not asked for in a transaction that was begun without holding the connection', async () => {
    const opened = await open(sqliteKysely, { plans })
    const { db, timing } = opened
    await sql`begin`.execute(db)
    for (let id = 0; id < 10; id++) await byId(db, id)
    await timing.settled()
    expect(planOf(opened, 'select')).toBeUndefined()
    await sql`commit`.execute(db)
    await byId(db, 1)
    await timing.settled()
    expect(planOf(opened, 'select')).toBeDefined()
  })

  test('that cannot be had cost nothing but themselves', async () => {
    const opened = await open(sqliteKysely, { plans })
    for (let times = 0; times < 5; times++)
      await rejection(sql`select * from nowhere where a = ${1}`.execute(opened.db))
    await opened.timing.settled()
    expect(planOf(opened, 'nowhere')).toBeUndefined()
    expect(opened.timing.report().totals.calls).toBe(6)
    expect(opened.timing.report().findings.join()).toMatch(/1 plans could not be had.*SQLITE_ERROR/)
  })
})

describe('a transaction', () => {
  test('that is open for long is told of while it is open, once', async () => {
    const { db, signals } = await open(sqliteKysely, { longTransactionMs: 40 })
    await db.transaction().execute(async (trx) => {
      await trx.selectFrom('item').selectAll().execute()
      await delay(150)
      expect(signals).toMatchObject([{ type: 'long_tx', evidence: { queries: 1 } }])
    })
    await db.transaction().execute(async (trx) => {
      await trx.selectFrom('item').selectAll().execute()
    })
    await delay(60)
    expect(signals).toHaveLength(1)
  })
})

test('a transaction is open for as long as it has its connection', async () => {
  const { db, timing, signals } = await open(sqliteKysely, { longTransactionMs: 150 })
  const holding = db.connection().execute(() => delay(120))
  const waiting = db.transaction().execute(async (trx) => {
    await trx.selectFrom('item').selectAll().execute()
    await delay(60)
    expect(timing.report().databases[0]!.transactions.oldestMs).toBeLessThan(115)
  })
  await Promise.all([holding, waiting])
  expect(signals).toEqual([])
})

describe('errors', () => {
  test('are told at the share that was given, also where that is all', async () => {
    const all = await open(sqliteKysely, { errorRate: 1, slowMs: false })
    all.timing.reset()
    const fresh = new Kysely<unknown>({
      dialect: withTiming(await sqliteKysely.dialect(), all.timing),
    })
    onTestFinished(() => fresh.destroy())
    for (let times = 0; times < 30; times++) await rejection(sql`select nope`.execute(fresh))
    await delay(1_100)
    await rejection(sql`select nope`.execute(fresh))
    expect(all.signals).toMatchObject([{ type: 'error_rate', evidence: { rate: 1 } }])
  })

  test('are told when they are many, broken constraints apart', async () => {
    const { db, signals } = await open(sqliteKysely, { errorRate: 0.2 })
    await db.insertInto('item').values({ id: 1, name: 'a' }).execute()
    for (let times = 0; times < 30; times++)
      await rejection(db.insertInto('item').values({ id: 1, name: 'a' }).execute())
    await delay(1_100)
    await byId(db, 1)
    expect(signals).toEqual([])
    for (let times = 0; times < 30; times++) await rejection(sql`select nope`.execute(db))
    await delay(1_100)
    await byId(db, 1)
    expect(signals).toMatchObject([{ type: 'error_rate', evidence: { database: 'sqlite' } }])
  })
})

describe('a pool', () => {
  test('that stays nearly used up is told of', async () => {
    const { createDatabase } = await postgres()
    const pool = new Pool({ connectionString: await createDatabase(), max: 2 })
    const signals: Signal[] = []
    const acquired: (number | undefined)[] = []
    const timing = createTiming({
      sinks: [
        { signal: (signal) => signals.push(signal), pool: ({ waitMs }) => acquired.push(waitMs) },
      ],
    })
    const db = new Kysely<unknown>({
      dialect: withTiming(new PostgresDialect({ pool }), timing, { pool }),
    })
    onTestFinished(() => db.destroy())
    const stop = new AbortController()
    const held = db.transaction().execute(async (trx) => {
      while (!stop.signal.aborted) await sql`select pg_sleep(0.2)`.execute(trx)
    })
    const other = db.transaction().execute(async (trx) => {
      await sql`select 1`.execute(trx)
      await once(stop.signal, 'abort')
    })
    const waiting = sql`select 1`.execute(db)
    await delay(4_500)
    expect(timing.report().databases[0]!.pool).toEqual({ max: 2, size: 2, idle: 0, pending: 1 })
    stop.abort()
    await Promise.all([held, other, waiting])
    expect(signals.filter(({ type }) => type === 'pool_saturated')).toMatchObject([
      { level: 'critical', evidence: { share: 1, max: 2, pending: 1 } },
    ])
    expect(timing.report().databases[0]!.wait.maxMs).toBeGreaterThan(4_000)
    // Two transactions, and the one that waited for them.
    expect(acquired).toHaveLength(3)
    expect(Math.max(...acquired.map(Number))).toBeGreaterThan(4_000)
  })

  test('that is stuck is told of while no query comes back, until the timing is closed', async () => {
    const { createDatabase } = await postgres()
    const pool = new Pool({ connectionString: await createDatabase(), max: 1 })
    const signals: Signal[] = []
    const timing = createTiming({
      sinks: [{ signal: (signal) => signals.push(signal) }],
      cooldownMs: 0,
    })
    const db = new Kysely<unknown>({
      dialect: withTiming(new PostgresDialect({ pool }), timing, { pool }),
    })
    onTestFinished(() => db.destroy())
    let looks = 0
    Object.defineProperty(pool, 'totalCount', {
      get: () => {
        looks++
        return Reflect.get(Object.getPrototypeOf(pool) as Pool, 'totalCount', pool) as number
      },
    })
    const stuck = new AbortController()
    onTestFinished(() => stuck.abort())
    const holding = db.connection().execute(() => once(stuck.signal, 'abort'))
    const waiting = sql`select 1`.execute(db)
    for (let waited = 0; signals.length === 0 && waited < 100; waited++) await delay(100)
    expect(signals).toMatchObject([
      { type: 'pool_saturated', level: 'critical', evidence: { share: 1, max: 1, pending: 1 } },
    ])
    timing.close()
    expect(timing.isEnabled).toBe(false)
    const looked = looks
    await delay(1_300)
    expect(looks).toBe(looked)
    stuck.abort()
    await Promise.all([holding, waiting])
  })
})

describe('the size of a file', () => {
  test('is looked at now and then after a query, and not inside a transaction', async () => {
    const signals: Signal[] = []
    const timing = createTiming({
      sizes: { everyMs: 10, warnBytes: 1, walBytes: 1 },
      sinks: [{ signal: (signal) => signals.push(signal) }],
    })
    const db = new Kysely<Tables>({
      dialect: withTiming(await sqliteOurs.dialect(), timing),
    })
    onTestFinished(() => db.destroy())
    await sql`create table item (id integer primary key, name text)`.execute(db)
    await delay(1_100)
    await timing.settled()
    // A program that runs no query is asked nothing.
    expect(signals).toEqual([])
    await byId(db, 1)
    await timing.settled()
    expect(signals).toMatchObject([
      { type: 'db_size', level: 'warn', evidence: { database: 'sqlite' } },
      { type: 'wal_size', level: 'warn' },
    ])
    expect(timing.report().totals.calls).toBe(2)
    expect(timing.report().findings.join()).toContain('Delete or archive what is old')
  })

  test('is looked at never where the rule is off', async () => {
    const { db, timing, signals } = await open(sqliteOurs, { sizes: false })
    await delay(1_100)
    await byId(db, 1)
    await timing.settled()
    expect(signals).toEqual([])
  })
})
