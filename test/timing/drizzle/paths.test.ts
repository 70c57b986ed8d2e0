import { setTimeout as delay } from 'node:timers/promises'
import {
  type AuditEntry,
  auditSink,
  createTiming,
  queryContext,
  type QueryEvent,
} from '@keelson/timing'
import { withTiming } from '@keelson/timing/drizzle'
import { failOnScan } from '@keelson/timing/testing'
import { transaction } from '@keelson/transactions/drizzle'
import Database from 'better-sqlite3'
import { count, eq, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import {
  type Db,
  item,
  nodePostgresClient,
  nodePostgresPool,
  ourSqlite,
  pgItem,
  pglite,
  sqliteProxy,
} from '../../transactions/drizzle/drivers.ts'
import { arrangements, type Arrangement, betterSqlite3, drivers, openTimed } from './drivers.ts'

const all = Object.keys(arrangements) as Arrangement[]
const told = (events: readonly QueryEvent[]): string[] =>
  events.map(({ kind, fp, rows }) => `${kind} ${fp!.summary} ${rows}`)

for (const driver of drivers) {
  const isSync = driver === betterSqlite3
  describe.skipIf(driver.isMissing === true)(`every way to a query on ${driver.name}`, () => {
    test.for(all)('is told once: %s', async (arrangement) => {
      const { db, table, queries, timing } = await openTimed(driver, arrangement)
      await db.insert(table).values([{ name: 'a' }, { name: 'b' }])
      expect(told(queries())).toEqual(['query INSERT item 0'])
      await db.select().from(table)
      expect(told(queries())).toEqual(['query SELECT item 2'])
      expect(await db.query.item.findMany()).toHaveLength(2)
      expect(await db.query.item.findFirst()).toBeDefined()
      expect(queries().map(({ fp, outcome }) => `${fp!.operation} ${outcome}`)).toEqual([
        'SELECT ok',
        'SELECT ok',
      ])
      expect(await db.$count(table)).toBe(2)
      expect(queries().map(({ fp }) => fp!.summary)).toEqual(['SELECT item'])
      const prepared = db
        .select()
        .from(table)
        .where(eq(table.name, sql.placeholder('name')))
        .prepare('one')
      for (const name of ['a', 'b']) expect(await prepared.execute({ name })).toEqual([{ name }])
      expect(told(queries())).toEqual(['query SELECT item 1', 'query SELECT item 1'])
      await db.update(table).set({ name: 'c' }).where(eq(table.name, 'a'))
      await db.delete(table).where(eq(table.name, 'c'))
      expect(queries().map(({ fp }) => fp!.operation)).toEqual(['UPDATE', 'DELETE'])
      expect(await db.select({ n: count() }).from(table)).toEqual([{ n: 1 }])
      expect(timing.report().totals.calls).toBe(10)
    })

    test.for(all)('belongs to the scope that it is returned from: %s', async (arrangement) => {
      const entries: AuditEntry[] = []
      const { db, table, queries, timing } = await openTimed(driver, arrangement)
      timing.addSink(auditSink((told) => entries.push(...told)))
      const insert = (name: string): unknown => db.insert(table).values({ name })
      await timing.scope('job', { actor: 'ada' }, () => insert('a'))
      expect(await timing.scope('page', () => db.select().from(table))).toEqual([{ name: 'a' }])
      expect(await timing.scope('page', () => db.query.item.findFirst())).toEqual({ name: 'a' })
      expect(queries().map(({ scope }) => scope?.name)).toEqual(['job', 'page', 'page'])
      expect(entries).toMatchObject([{ operation: 'INSERT', scope: 'job', actor: 'ada' }])
      const error = await rejection(timing.scope('job', () => insert('a')) as Promise<unknown>)
      expect(queryContext(error)).toMatchObject({ summary: 'INSERT item' })
      // Sent when it is returned, also where nobody waits for it.
      void (timing.scope('job', () => insert('b')) as Promise<unknown>)
      await expect.poll(() => entries.at(-1)).toMatchObject({ scope: 'job', isKept: true })
      expect(await db.$count(table)).toBe(2)
    })

    test.for(all)(
      'keeps the error, and puts what is known of the query on it: %s',
      async (arrangement) => {
        const { db, table, queries } = await openTimed(driver, arrangement)
        await db.insert(table).values({ name: 'a' })
        const error = await rejection(async () => db.insert(table).values({ name: 'a' }))
        expect(queryContext(error)).toMatchObject({ summary: 'INSERT item', paramCount: 1 })
        const [, failed] = queries()
        expect(failed!.error).toBe(error)
        expect(failed).toMatchObject({ outcome: 'error', errorClass: 'constraint' })
        // The engine's own error has it too, behind Drizzle's wrapping.
        if (error.cause !== undefined) expect(queryContext(error.cause)).toBe(queryContext(error))
      },
    )

    test.for(all)('tells of transactions, and of what ran in them: %s', async (arrangement) => {
      const { db, table, queries, transactions } = await openTimed(driver, arrangement)
      if (isSync) {
        db.transaction((tx: Db) => {
          tx.insert(table).values({ name: 'a' }).run()
          tx.select().from(table).all()
        })
      } else {
        await db.transaction(async (tx: Db) => {
          await tx.insert(table).values({ name: 'a' })
          await delay(20)
          await tx.select().from(table)
        })
      }
      const [event, ...others] = transactions()
      expect(others).toEqual([])
      expect(event).toMatchObject({ depth: 0, outcome: 'committed', queries: 2 })
      if (!isSync) expect(event!.idleInTxMs).toBeGreaterThan(18)
      const inside = queries()
      expect(inside.map(({ fp, tx }) => `${fp!.operation} ${tx?.depth}`)).toEqual([
        'INSERT 0',
        'SELECT 0',
      ])
      expect(new Set(inside.map(({ tx }) => tx!.id))).toEqual(new Set([event!.id]))
      const error = await rejection(async () =>
        isSync
          ? db.transaction((tx: Db) => {
              tx.delete(table).run()
              throw new Error('no')
            })
          : db.transaction(async (tx: Db) => {
              await tx.delete(table)
              throw new Error('no')
            }),
      )
      expect(error.message).toBe('no')
      expect(transactions()).toMatchObject([{ outcome: 'rolled_back', queries: 1 }])
    })

    test.for(all)('tells of nested transactions: %s', async (arrangement) => {
      if (!driver.hasSavepoints) return
      const { db, table, transactions } = await openTimed(driver, arrangement)
      if (isSync) {
        db.transaction((tx: Db) => {
          tx.transaction((inner: Db) => inner.insert(table).values({ name: 'a' }).run())
          expect(() =>
            tx.transaction((inner: Db) => {
              inner.insert(table).values({ name: 'b' }).run()
              throw new Error('undo')
            }),
          ).toThrow('undo')
        })
      } else {
        await db.transaction(async (tx: Db) => {
          await tx.transaction((inner: Db) => inner.insert(table).values({ name: 'a' }))
          const undone = tx.transaction(async (inner: Db) => {
            await inner.insert(table).values({ name: 'b' })
            throw new Error('undo')
          })
          expect((await rejection(undone)).message).toBe('undo')
        })
      }
      const events = transactions()
      const [root] = events.filter(({ depth }) => depth === 0)
      expect(root).toMatchObject({ outcome: 'committed' })
      const inner = events.filter(({ depth }) => depth === 1)
      // Of postgres.js and PGlite it is the client that nests, unless `withTransactions()` does.
      const isSeen = arrangement !== 'timing' || !['postgres.js', 'PGlite'].includes(driver.name)
      if (isSeen) expect(inner.map(({ outcome }) => outcome)).toEqual(['committed', 'rolled_back'])
      expect(inner.every(({ parentId }) => parentId === root!.id)).toBe(true)
    })

    if (['libsql with a file', 'sqlite-proxy'].includes(driver.name)) {
      test.for(all)('counts a batch as one: %s', async (arrangement) => {
        const { db, table, queries } = await openTimed(driver, arrangement)
        await db.batch([
          db.insert(table).values({ name: 'a' }),
          db.insert(table).values({ name: 'b' }),
          db.select().from(table),
        ])
        const [batch, ...others] = queries()
        expect(others).toEqual([])
        expect(batch).toMatchObject({ kind: 'batch', batchSize: 3, outcome: 'ok' })
        expect(batch!.fp!.text).toMatch(/^insert .*; select .*$/)
        await db.batch([db.select().from(table)])
        expect(queries()[0]!.batchSize).toBeUndefined()
      })

      test.for(all)('audits each write of a batch: %s', async (arrangement) => {
        const entries: AuditEntry[] = []
        const sinks = [auditSink((told) => entries.push(...told))]
        const { db, table, execute, timing } = await openTimed(driver, arrangement, { sinks })
        await execute('create table other (name text)')
        entries.length = 0
        const batch = (name: string): Promise<unknown> =>
          timing.scope('job', { actor: 'ada' }, () =>
            db.batch([
              db.insert(table).values([{ name }, { name: `${name} too` }]),
              db.select().from(table),
              db.run(sql`insert into other values ('x')`),
              db.update(table).set({ name: 'c' }).where(eq(table.name, name)),
              db.delete(table).where(eq(table.name, 'nobody')).returning(),
            ] as never),
          )
        await batch('a')
        // The callback of sqlite-proxy is the user's, and says nothing of what has changed.
        const counted = (count: number): number | undefined =>
          driver.name === 'sqlite-proxy' ? undefined : count
        expect(
          entries.map(({ operation, tables, affectedRows, isKept, actor }) => [
            operation,
            ...tables,
            affectedRows,
            isKept,
            actor,
          ]),
        ).toEqual([
          ['INSERT', 'item', counted(2), true, 'ada'],
          ['INSERT', 'other', counted(1), true, 'ada'],
          ['UPDATE', 'item', counted(1), true, 'ada'],
          ['DELETE', 'item', undefined, true, 'ada'],
        ])
        entries.length = 0
        await rejection(batch('c'))
        expect(entries.map(({ isKept }) => isKept)).toEqual([false, false, false, false])
      })
    }
  })
}

describe('a synchronous database', () => {
  function open(timing = createTiming()): {
    db: Db
    timing: typeof timing
    client: Database.Database
  } {
    const client = new Database(':memory:')
    onTestFinished(() => void client.close())
    const db = withTiming(drizzle(client, { schema: { item } }), timing)
    client.exec('create table item (name text not null unique)')
    return { db, timing, client }
  }

  test('stays synchronous, down to execute().sync()', () => {
    const { db, timing } = open()
    expect(db.insert(item).values({ name: 'a' }).run().changes).toBe(1)
    expect(db.select().from(item).all()).toEqual([{ name: 'a' }])
    expect(db.select().from(item).get()).toEqual({ name: 'a' })
    expect(db.select().from(item).values()).toEqual([['a']])
    expect(db.run(sql`insert into item values ('b')`).changes).toBe(1)
    expect(db.all(sql`select * from item`)).toHaveLength(2)
    expect(db.get(sql`select 1 as one`)).toEqual({ one: 1 })
    expect(db.values(sql`select 1`)).toEqual([[1]])
    expect(db.query.item.findMany().sync()).toHaveLength(2)
    expect(db.select().from(item).prepare().execute().sync()).toHaveLength(2)
    const result = db.transaction((tx: Db) => tx.select().from(item).all().length)
    expect(result).toBe(2)
    expect(timing.report().totals.calls).toBe(11)
  })

  test('tells decoding from executing', () => {
    const { db, timing } = open()
    const decoded: (number | undefined)[] = []
    timing.addSink({ query: ({ decodeMs }) => void decoded.push(decodeMs) })
    db.insert(item)
      .values(Array.from({ length: 500 }, (_, index) => ({ name: String(index) })))
      .run()
    db.select().from(item).all()
    expect(decoded[0]).toBeUndefined()
    expect(decoded[1]).toBeGreaterThan(0)
    const { decodeMs, totalMs } = timing
      .report()
      .queries.find(({ operation }) => operation === 'SELECT')!
    expect(decodeMs).toBeGreaterThan(0)
    expect(decodeMs).toBeLessThan(totalMs)
  })

  test('refuses an async transaction with the words of its client, as without timing', () => {
    const { db } = open()
    expect(() => db.transaction(async () => {})).toThrow(/cannot return a promise/)
  })

  test('never asks for a plan inside a transaction, also one that was begun past Drizzle', async () => {
    const { db, client, timing } = open(createTiming({ plans: { minCalls: 3 } }))
    client.exec('begin')
    for (let index = 0; index < 10; index++) db.select().from(item).where(eq(item.name, 'a')).all()
    await timing.settled()
    const plan = (): unknown =>
      timing.report().queries.find(({ operation }) => operation === 'SELECT')!.plan
    expect(plan()).toBeUndefined()
    client.exec('commit')
    db.select().from(item).where(eq(item.name, 'a')).all()
    await timing.settled()
    expect(plan()).toMatchObject({ scans: [], indexes: ['sqlite_autoindex_item_1'] })
  })
})

test('an ambient transaction takes plain queries in, and they know it', async () => {
  const { db, table, queries, transactions } = await openTimed(
    drivers[1]!,
    'timing around transactions',
  )
  await transaction(db, async () => {
    await db.insert(table).values({ name: 'a' })
    await transaction(db, async () => {
      await db.insert(table).values({ name: 'b' })
    })
  })
  expect(queries().map(({ tx }) => tx?.depth)).toEqual([0, 1])
  expect(transactions().map(({ depth, outcome }) => `${depth} ${outcome}`)).toEqual([
    '1 committed',
    '0 committed',
  ])
})

test('the attempt of a transaction that is run again is on its errors', async () => {
  const { db, table } = await openTimed(drivers[1]!, 'transactions around timing')
  await db.insert(table).values({ name: 'a' })
  const attempts: (number | undefined)[] = []
  const retry = { attempts: 2, minDelayMs: 1, when: () => true }
  await rejection(
    transaction(
      db,
      async () => {
        const error = await rejection(db.insert(table).values({ name: 'a' }))
        attempts.push(queryContext(error)?.attempt)
        throw error
      },
      { retry },
    ),
  )
  expect(attempts).toEqual([1, 2])
})

for (const driver of [nodePostgresPool, nodePostgresClient, pglite]) {
  test.skipIf(driver.isMissing === true)(
    `a COMMIT that is answered with ROLLBACK has kept nothing on ${driver.name}`,
    async () => {
      const entries: boolean[] = []
      const { db, table, transactions, timing } = await openTimed(driver, 'timing')
      timing.addSink(auditSink((all) => entries.push(...all.map(({ isKept }) => isKept))))
      await db
        .transaction(async (tx: Db) => {
          await tx.insert(table).values({ name: 'a' })
          await tx.execute(sql`select nope`).catch(() => {})
        })
        // Some drivers tell.
        .catch(() => {})
      expect(transactions()).toMatchObject([
        { outcome: driver === pglite ? 'commit_failed' : 'rolled_back' },
      ])
      expect(entries).toEqual([false])
      await db.transaction(async (tx: Db) => {
        await tx.execute(sql`savepoint one`)
        await tx.execute(sql`select nope`).catch(() => {})
        await tx.execute(sql`rollback to savepoint one`)
      })
      expect(transactions().find(({ depth }) => depth === 0)).toMatchObject({
        outcome: 'committed',
      })
    },
  )
}

for (const driver of [nodePostgresClient, pglite, sqliteProxy]) {
  test.skipIf(driver.isMissing === true)(
    `no plan is asked for in a transaction that a text has begun on ${driver.name}`,
    async () => {
      const { db, table, timing, execute } = await openTimed(driver, 'timing', {
        plans: { minCalls: 3 },
      })
      const plan = (): unknown =>
        timing.report().queries.find(({ operation }) => operation === 'SELECT')!.plan
      const select = async (): Promise<void> => {
        for (let times = 0; times < 5; times++) await db.select().from(table)
        await timing.settled()
      }
      await execute('begin')
      await select()
      expect(plan()).toBeUndefined()
      await execute('commit')
      await select()
      expect(plan()).toBeDefined()
      await db.transaction(async (tx: Db) => tx.insert(table).values({ name: 'a' }))
      for (let times = 0; times < 5; times++) await db.delete(table)
      await timing.settled()
      const deletion = timing.report().queries.find(({ operation }) => operation === 'DELETE')
      expect(deletion!.plan).toBeDefined()
    },
  )
}

test('a prepared query is judged by the values of each call', async () => {
  const { db, table, timing, execute } = await openTimed(betterSqlite3, 'timing', {
    plans: { minCalls: 3 },
  })
  await execute(`insert into item values ('a')`)
  const prepared = db
    .select()
    .from(table)
    .where(eq(table.name, sql.placeholder('name')))
    .prepare('one')
  const each = (): void => {
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) prepared.all({ name })
  }
  timing.scope('page', each)
  await timing.settled()
  expect(timing.signals).toMatchObject([{ type: 'nplusone' }])
  expect(
    timing.report().queries.find(({ operation }) => operation === 'SELECT')!.plan,
  ).toBeDefined()
  expect(await failOnScan(timing, each)).toBeUndefined()
})

test('the columns of a row are not taken for what a driver says of its result', async () => {
  for (const driver of drivers) {
    if (driver.isMissing === true) continue
    const { db, queries } = await openTimed(driver, 'timing')
    await db.insert(driver.kind === 'sqlite' ? item : pgItem).values({ name: 'a' })
    queries()
    const extras = { changes: sql<number>`77`.as('changes') }
    const row = await db.query.item.findFirst({ extras })
    expect([driver.name, Number(row.changes)]).toEqual([driver.name, 77])
    expect(await db.query.item.findFirst({ where: sql`1 = 0` })).toBeUndefined()
    expect(queries().map(({ rows, affectedRows }) => [rows, affectedRows])).toEqual([
      [1, undefined],
      [0, undefined],
    ])
  }
})

test('a rejection that nobody handles stays one', async () => {
  const { db, table, execute } = await openTimed(ourSqlite, 'timing')
  await execute('drop table item')
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  const unhandled: unknown[] = []
  process.on('unhandledRejection', (error) => unhandled.push(error))
  onTestFinished(() => {
    process.removeAllListeners('unhandledRejection')
    for (const other of others) process.on('unhandledRejection', other)
  })
  void db.select().from(table).prepare().execute()
  await delay(50)
  expect(unhandled).toHaveLength(1)
})

test('refuses what is no Drizzle database, and one that another timing measures', async () => {
  const db = drizzle(new Database(':memory:'))
  expect(withTiming(db, createTiming())).toBe(db)
  expect((await rejection(() => withTiming(db, createTiming())))['code']).toBe('TIMED_ALREADY')
  expect((await rejection(() => withTiming({} as never, createTiming())))['code']).toBe(
    'INVALID_OPTION',
  )
})

test.for([sqliteProxy, pglite])(
  'a transaction that a text has begun is over when a text has ended it, also while everything is switched off: $name',
  async (driver) => {
    const { db, table, execute, timing } = await openTimed(driver, 'timing', {
      plans: { minCalls: 1, minTotalMs: 0, scanMs: 0 },
    })
    const plansOf = async (): Promise<number> => {
      await db.select().from(table)
      await timing.settled()
      return timing.report().queries.filter(({ plan }) => plan !== undefined).length
    }
    await execute('begin')
    expect(await plansOf()).toBe(0)
    timing.isEnabled = false
    await execute('select 1')
    timing.isEnabled = true
    // It is open still.
    expect(await plansOf()).toBe(0)
    timing.isEnabled = false
    await execute('commit')
    timing.isEnabled = true
    expect(await plansOf()).toBe(1)
    const counted = timing.report().queries.map(({ text }) => text)
    expect(counted.filter((text) => /^(begin|commit|select \?)/.test(text))).toEqual([])
  },
)
