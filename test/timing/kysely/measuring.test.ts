import { setTimeout as delay } from 'node:timers/promises'
import { watchConnections } from '@keelson/core/kysely'
import { queryContext } from '@keelson/timing'
import { attach, withTiming } from '@keelson/timing/kysely'
import { createTiming } from '@keelson/timing'
import { withTransactions } from '@keelson/transactions/kysely'
import { Kysely, sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import {
  describeOn,
  duckdb,
  engines,
  postgresql,
  sqliteKysely,
  sqliteOurs,
} from '../../transactions/kysely/engines.ts'
import { arrangements, type Arrangement, openTimed } from './engines.ts'

const all = Object.keys(arrangements) as Arrangement[]

describeOn(engines, 'measuring', (engine) => {
  test.for(all)('tells of each statement once, with its rows: %s', async (arrangement) => {
    const { db, queries, timing } = await openTimed(engine, arrangement)
    await db
      .insertInto('item')
      .values([
        { id: 1, name: 'a' },
        { id: 2, name: 'b' },
      ])
      .execute()
    const rows = await db.selectFrom('item').selectAll().orderBy('id').execute()
    expect(rows.map(({ name }) => name)).toEqual(['a', 'b'])
    const [insert, select, ...others] = queries()
    expect(others).toEqual([])
    expect(insert).toMatchObject({
      v: 1,
      kind: 'query',
      source: 'kysely',
      system: engine.kind,
      db: engine.kind,
      paramCount: 4,
      affectedRows: 2,
      outcome: 'ok',
      fp: { operation: 'INSERT', single: 'item' },
    })
    expect(select).toMatchObject({ rows: 2, outcome: 'ok', fp: { summary: 'SELECT item' } })
    expect(insert!.params).toBeUndefined()
    const { waitMs, executeMs, decodeMs = 0, totalMs } = select!
    expect(waitMs + executeMs + decodeMs).toBeCloseTo(totalMs, 6)
    expect(executeMs).toBeGreaterThan(0)
    expect(timing.report().totals).toMatchObject({ calls: 2, rows: 2, errors: 0 })
  })

  test.for(all)(
    'leaves the error as it is, and puts what is known of the query on it: %s',
    async (arrangement) => {
      const { db, queries } = await openTimed(engine, arrangement)
      const plain = await rejection(sql`insert into nowhere values (${1})`.execute(db))
      const context = queryContext(plain)!
      expect(context).toMatchObject({
        sql: expect.stringContaining('insert into nowhere values'),
        summary: 'INSERT nowhere',
        paramCount: 1,
        transaction: undefined,
      })
      expect(Object.keys(plain)).not.toContain('keelson.queryContext')
      expect(JSON.stringify(plain)).not.toContain('INSERT nowhere')
      const [event] = queries()
      expect(event!.error).toBe(plain)
      expect(event).toMatchObject({ outcome: 'error', fp: { id: context.fingerprint } })
      expect(context.executeMs).toBeCloseTo(event!.executeMs, 6)
    },
  )

  test.for(all)('tells of a transaction, and of what ran in it: %s', async (arrangement) => {
    // PGlite's dialect sends no statement that begins one.
    if (engine.name === 'PGlite' && arrangement === 'attach(db)') return
    const { db, queries, transactions } = await openTimed(engine, arrangement)
    await db.transaction().execute(async (trx) => {
      await trx.insertInto('item').values({ id: 1, name: 'a' }).execute()
      await delay(30)
      await trx.selectFrom('item').selectAll().execute()
    })
    const [event, ...others] = transactions()
    expect(others).toEqual([])
    expect(event).toMatchObject({ v: 1, depth: 0, outcome: 'committed', queries: 2 })
    expect(event!.openMs).toBeGreaterThanOrEqual(29)
    expect(event!.idleInTxMs).toBeGreaterThanOrEqual(29)
    expect(event!.idleInTxMs).toBeLessThanOrEqual(event!.openMs)
    const inside = queries().filter(({ tx }) => tx !== undefined)
    // Control statements are the transaction's, and no queries.
    expect(inside.map(({ fp, tx }) => [fp!.operation, tx!.id, tx!.depth])).toEqual([
      ['INSERT', event!.id, 0],
      ['SELECT', event!.id, 0],
    ])
    const error = await rejection(
      db.transaction().execute(async (trx) => {
        await trx.deleteFrom('item').execute()
        throw new Error('no')
      }),
    )
    expect(error.message).toBe('no')
    expect(transactions()).toMatchObject([{ outcome: 'rolled_back', queries: 1 }])
  })

  test.for(all)('tells of each savepoint: %s', async (arrangement) => {
    if (!engine.hasSavepoints) return
    if (engine.name === 'PGlite' && arrangement === 'attach(db)') return
    const { db, transactions } = await openTimed(engine, arrangement)
    const trx = await db.startTransaction().execute()
    const one = await trx.savepoint('one').execute()
    await one.insertInto('item').values({ id: 1, name: 'a' }).execute()
    await one.rollbackToSavepoint('one').execute()
    await one.releaseSavepoint('one').execute()
    const two = await trx.savepoint('two').execute()
    await two.insertInto('item').values({ id: 2, name: 'b' }).execute()
    await two.releaseSavepoint('two').execute()
    await trx.commit().execute()
    const events = transactions()
    const root = events.find(({ depth }) => depth === 0)!
    expect(root).toMatchObject({ outcome: 'committed', queries: 2 })
    const outcomes = events.filter(({ depth }) => depth > 0).map(({ outcome }) => String(outcome))
    expect(outcomes.toSorted()).toEqual(['committed', 'rolled_back'])
  })
})

describeOn(
  engines.filter(({ hasPool, kind }) => !hasPool && kind === 'sqlite'),
  'one connection',
  (engine) => {
    test.for(all)(
      'tells waiting from executing within 5 ms of the truth: %s',
      async (arrangement) => {
        const { db, queries, timing } = await openTimed(engine, arrangement)
        let asked = 0
        let free = 0
        let released = 0
        const transaction = db.transaction().execute(async (trx) => {
          await trx.insertInto('item').values({ name: 'a' }).execute()
          await delay(100)
          free = performance.now()
        })
        void transaction.then(() => (released = performance.now()))
        await delay(20)
        asked = performance.now()
        // A write: a read may not have to wait.
        await Promise.all([transaction, db.insertInto('item').values({ name: 'b' }).execute()])
        const event = queries().find(({ tx, waitMs }) => tx === undefined && waitMs > 1)!
        expect(event.waitMs).toBeGreaterThan(free - asked - 5)
        // The commit is waited for, too.
        expect(event.waitMs).toBeLessThan(released - asked + 5)
        expect(event.executeMs).toBeLessThan(event.totalMs - (free - asked) + 5)
        expect(timing.report().databases[0]!.wait.maxMs).toBeGreaterThan(free - asked - 5)
      },
    )
  },
)

describeOn(
  engines.filter(({ name }) => name !== 'PGlite'),
  'streams',
  (engine) => {
    test.for(all)(
      'count the time of the database and not that of their reader: %s',
      async (arrangement) => {
        const { db, queries } = await openTimed(engine, arrangement)
        const names = ['a', 'b', 'c', 'd', 'e']
        await db
          .insertInto('item')
          .values(names.map((name, id) => ({ id: id + 1, name })))
          .execute()
        queries()
        const seen: string[] = []
        for await (const { name } of db.selectFrom('item').selectAll().orderBy('id').stream(1)) {
          seen.push(name)
          await delay(20)
        }
        expect(seen).toEqual(names)
        const [event] = queries()
        expect(event).toMatchObject({ kind: 'stream', rows: 5, outcome: 'ok' })
        expect(event!.totalMs).toBeGreaterThan(95)
        // It has slept for 100 ms; a timer may fire a millisecond early.
        expect(event!.totalMs - event!.dbMs!).toBeGreaterThan(94)
        expect(event!.firstRowMs).toBeLessThan(event!.totalMs - 75)
        expect(event!.executeMs).toBeLessThanOrEqual(event!.dbMs!)
      },
    )

    test.for(all)('say that their reader has left: %s', async (arrangement) => {
      const { db, queries } = await openTimed(engine, arrangement)
      await db
        .insertInto('item')
        .values([
          { id: 1, name: 'a' },
          { id: 2, name: 'b' },
        ])
        .execute()
      queries()
      for await (const row of db.selectFrom('item').selectAll().stream(1)) if (row.id > 0) break
      expect(queries()).toMatchObject([{ kind: 'stream', rows: 1, outcome: 'early' }])
      const failing = async (): Promise<void> => {
        for await (const row of db
          .selectFrom('item')
          .select(sql`nope`.as('x'))
          .stream())
          void row
      }
      const error = await rejection(failing)
      const [event] = queries()
      expect(event).toMatchObject({ kind: 'stream', rows: 0, outcome: 'error' })
      expect(event!.error).toBe(error)
      expect(queryContext(error)?.summary).toBe('SELECT item')
    })
  },
)

describeOn([sqliteKysely, sqliteOurs, postgresql, duckdb], 'a transaction', (engine) => {
  test.for(all)('goes on after a stream in it: %s', async (arrangement) => {
    const { db, transactions, queries } = await openTimed(engine, arrangement)
    await db.transaction().execute(async (trx) => {
      await trx.insertInto('item').values({ id: 1, name: 'a' }).execute()
      for await (const row of trx.selectFrom('item').selectAll().stream(1)) void row
      await trx.insertInto('item').values({ id: 2, name: 'b' }).execute()
    })
    expect(transactions()).toMatchObject([{ outcome: 'committed', queries: 3 }])
    expect(queries().map(({ kind, tx }) => `${kind} ${tx?.depth}`)).toEqual([
      'query 0',
      'stream 0',
      'query 0',
    ])
  })
})

test('a transaction whose connection is given back open is told of as that', async () => {
  const { db, transactions } = await openTimed(postgresql, 'withTiming(dialect)')
  await db.connection().execute(async (held) => {
    await sql`begin`.execute(held)
    await sql`select 1`.execute(held)
  })
  await db.connection().execute(async (held) => {
    await sql`select 1`.execute(held)
    await sql`begin`.execute(held)
    await sql`select 1`.execute(held)
    await delay(5)
    await sql`select 2`.execute(held)
  })
  expect(transactions()).toMatchObject([
    { outcome: 'released_unfinished', queries: 1 },
    { outcome: 'released_unfinished', queries: 2 },
  ])
})

test('statements that wait for each other on one handle are told how long', async () => {
  const { db, queries } = await openTimed(postgresql, 'withTiming(withTransactions(dialect))')
  await db.transaction().execute(async (trx) => {
    await Promise.all([
      sql`select pg_sleep(0.05)`.execute(trx),
      sql`select 1`.execute(trx),
      sql`select 2`.execute(db),
    ])
  })
  const waits = queries().map(({ sql: text, waitMs }) => [text, waitMs >= 45] as const)
  expect(new Map(waits)).toEqual(
    new Map([
      ['select pg_sleep(0.05)', false],
      ['select 1', true],
      ['select 2', true],
    ]),
  )
})

test('the first statement of a held connection tells how long that was waited for', async () => {
  const { db, queries } = await openTimed(sqliteKysely, 'withTiming(dialect)')
  const holding = db.connection().execute(async (held) => {
    await sql`select 0`.execute(held)
    await delay(100)
  })
  await db.connection().execute(async (held) => {
    await delay(100)
    await sql`select 1`.execute(held)
    await sql`select 2`.execute(held)
  })
  await holding
  const [, first, second] = queries()
  expect(first!.waitMs).toBeGreaterThan(90)
  expect(first!.waitMs).toBeLessThan(180)
  expect(second!.waitMs).toBeLessThan(50)
})

describeOn([sqliteKysely, postgresql], 'a transaction', (engine) => {
  test('that is open when everything is switched off is told of to its end', async () => {
    const { db, timing, transactions, queries } = await openTimed(engine, 'withTiming(dialect)')
    await db.transaction().execute(async (trx) => {
      await sql`select 1`.execute(trx)
      timing.isEnabled = false
      await sql`select 2`.execute(trx)
    })
    expect(transactions()).toMatchObject([{ outcome: 'committed', queries: 1 }])
    expect(queries()).toHaveLength(1)
    expect(timing.report().databases[0]!.transactions.open).toBe(0)
  })
})

test('measures a database once, however often it is asked to', async () => {
  const timing = createTiming()
  const db = new Kysely<unknown>({
    dialect: withTiming(withTiming(await sqliteKysely.dialect(), timing), timing),
  })
  onTestFinished(() => db.destroy())
  expect(attach(db, timing)).toBe(db)
  await sql`select 1`.execute(db)
  const { totals, databases } = timing.report()
  expect(totals.calls).toBe(1)
  expect(databases).toHaveLength(1)
})

test('refuses a database that another timing measures, and what is no timing', async () => {
  const db = attach(new Kysely<unknown>({ dialect: await sqliteKysely.dialect() }), createTiming())
  onTestFinished(() => db.destroy())
  expect((await rejection(() => attach(db, createTiming())))['code']).toBe('TIMED_ALREADY')
  // As another installed copy has it.
  const foreign = new Kysely<unknown>({ dialect: await sqliteKysely.dialect() })
  onTestFinished(() => foreign.destroy())
  watchConnections(foreign.getExecutor().adapter, { asked: (consumer) => consumer })
  expect((await rejection(() => attach(foreign, createTiming())))['code']).toBe('TIMED_ALREADY')
  const dialect = await sqliteKysely.dialect()
  const timed = withTransactions(withTiming(dialect, createTiming()))
  expect((await rejection(() => withTiming(timed, createTiming())))['code']).toBe('TIMED_ALREADY')
  expect((await rejection(() => withTiming(dialect, {} as never)))['code']).toBe('NOT_A_TIMING')
  expect(
    (await rejection(() => withTiming(dialect, createTiming(), { pol: 1 } as never)))['code'],
  ).toBe('UNKNOWN_OPTION')
  expect((await rejection(() => withTiming(dialect, createTiming(), { pool: {} })))['code']).toBe(
    'INVALID_OPTION',
  )
})

test('keeps two databases apart', async () => {
  const timing = createTiming()
  const open = async (name: string): Promise<Kysely<unknown>> => {
    const db = new Kysely<unknown>({
      dialect: withTiming(await sqliteKysely.dialect(), timing, { name }),
    })
    onTestFinished(() => db.destroy())
    return db
  }
  const [one, other] = [await open('one'), await open('other')]
  const seen: string[] = []
  timing.addSink({ query: ({ db, sql: text }) => void seen.push(`${db}: ${text}`) })
  await sql`select 1`.execute(one)
  await one.transaction().execute(async () => {
    await sql`select 2`.execute(other)
  })
  expect(seen).toEqual(['one: select 1', 'other: select 2'])
  expect(timing.report().databases).toMatchObject([
    { name: 'one', transactions: { outcomes: { committed: 1 } } },
    { name: 'other', transactions: { outcomes: {} } },
  ])
})
