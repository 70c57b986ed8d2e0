import { setTimeout as sleep } from 'node:timers/promises'
import { INTEGER } from '@duckdb/node-api'
import {
  type DuckDBDatabase,
  type DuckDBOptions,
  OptionError,
  TransactionClosedError,
} from '@keelson/duckdb'
import { describe, expect, test } from 'vitest'
import { nextTurn } from '../support/event-loop.ts'
import { rejection } from '../support/rejection.ts'
import { column, open, run, signal, value } from './fixture.ts'

async function withTable(options: DuckDBOptions = {}): Promise<DuckDBDatabase> {
  const database = await open({ path: ':memory:', ...options })
  await run(database, 'create table t (a integer)')
  return database
}

/** Takes a minute. */
const heavy = 'select sum(hash(x.range + y.range)) from range(60000) x, range(60000) y'

/** What the next one to get a connection finds on it. */
async function expectUntouched(database: DuckDBDatabase): Promise<void> {
  await database.transaction(async (tx) => {
    expect(await column(tx, 'select table_name from duckdb_tables() where temporary')).toEqual([])
    expect(await value(tx, "select getvariable('mine')")).toBeNull()
    expect(await value(tx, 'select current_schema()')).toBe('main')
    expect(await value(tx, "select current_setting('integer_division')")).toBe(false)
    expect(await value(tx, 'select count(*) from duckdb_prepared_statements()')).toBe(0)
  })
}

const changes = [
  'create temp table mine as select 5 as a',
  "set variable mine = 'mine'",
  'create schema if not exists other',
  'use other',
  'set integer_division = true',
  'prepare mine as select 7 as n',
]

describe('a session of connect()', () => {
  test('owns no connection outside of transactions', async () => {
    const database = await withTable({ pool: { max: 1 } })
    const sessions = [database.connect(), database.connect({ source: 'kysely' })]
    for (const session of sessions) await run(session, 'insert into t values (1)')
    expect(database.poolStats).toMatchObject({ inUse: 0 })
    await sessions[0]!.begin()
    expect(database.poolStats).toMatchObject({ inUse: 1 })
    await sessions[0]!.commit()
    expect(database.poolStats).toMatchObject({ inUse: 0 })
    for (const session of sessions) await session.release()
    expect(await value(database, 'select count(*) from t')).toBe(2)
  })

  test('runs statements that nobody waits for side by side', async () => {
    const database = await withTable({ pool: { max: 4 } })
    const session = database.connect()
    const controller = new AbortController()
    const slow = rejection(session.execute(heavy, [], { signal: controller.signal }))
    expect(await value(session, 'select 42')).toBe(42)
    controller.abort()
    await slow
  })

  test('may change its connection in a transaction, which is replaced afterwards', async () => {
    const database = await withTable({ pool: { max: 1 } })
    for (const isCommitted of [true, false]) {
      const session = database.connect()
      await session.begin()
      await run(session, ...changes)
      expect(await value(session, 'select a from mine')).toBe(5)
      expect(await value(session, 'execute mine')).toBe(7)
      await (isCommitted ? session.commit() : session.rollback())
      await expectUntouched(database)
    }
  })

  test('refuses options that nobody reads', async () => {
    const database = await withTable()
    expect(() => database.connect({ sources: 'kysely' } as object)).toThrow(OptionError)
    expect(await rejection(database.reserve({ name: 'x' } as object))).toBeInstanceOf(OptionError)
    expect(await rejection(database.reserve({ signal: 1 } as object))).toBeInstanceOf(OptionError)
    const noFunction = 'x' as unknown as () => Promise<void>
    expect(await rejection(database.use(noFunction))).toBeInstanceOf(OptionError)
    expect(database.poolStats).toMatchObject({ inUse: 0 })
  })
})

describe('a session of reserve()', () => {
  test('has temporary tables, variables, a schema, settings and prepared statements of its own', async () => {
    const database = await withTable({ pool: { max: 2 } })
    const session = await database.reserve()
    await run(session, ...changes)
    expect(await value(session, 'select a from mine')).toBe(5)
    expect(await value(session, "select getvariable('mine')")).toBe('mine')
    expect(await value(session, 'select current_schema()')).toBe('other')
    expect(await value(session, 'select 7 / 2')).toBe(3)
    expect(await value(session, 'execute mine')).toBe(7)
    await expectUntouched(database)
    await session.begin()
    await run(session, 'insert into mine values (6)')
    await session.rollback()
    expect(await column(session, 'select a from mine')).toEqual([5])
    await session.release()
    for (let again = 0; again < 3; again++) await expectUntouched(database)
    await expect.poll(() => database.poolStats.closedBroken).toBe(1)
  })

  test('hands its connection on where nothing was changed', async () => {
    const database = await withTable({ pool: { max: 1 } })
    for (let again = 0; again < 3; again++) {
      const session = await database.reserve()
      await run(
        session,
        'insert into t values (1)',
        'set threads = 2',
        "set global TimeZone = 'UTC'",
      )
      await session.begin()
      await session.commit()
      await session.release()
    }
    expect(database.poolStats).toMatchObject({ size: 1, closedBroken: 0 })
  })

  test('replaces a connection that was changed by a statement which failed', async () => {
    const database = await withTable({ pool: { max: 1 } })
    const session = await database.reserve()
    await rejection(session.execute('create temp table mine as select error(1)'))
    await session.release()
    await expectUntouched(database)
  })

  test('runs its statements in the order of the calls', async () => {
    const database = await withTable()
    const session = await database.reserve()
    const inserts = Array.from({ length: 50 }, (_, index) =>
      session.execute(`insert into t select count(*) * 100 + $1 from t`, [index]),
    )
    await Promise.all(inserts)
    const expected = Array.from({ length: 50 }, (_, index) => index * 101)
    expect(await column(session, 'select a from t order by rowid')).toEqual(expected)
    const numbers = Array.from({ length: 50 }, (_, index) =>
      value(session, 'select $1::integer', [index]),
    )
    expect(await Promise.all(numbers)).toEqual(Array.from({ length: 50 }, (_, index) => index))
    await session.release()
  })

  test('keeps others waiting, who are told who has it', async () => {
    const database = await withTable({ pool: { max: 1, acquireTimeoutMs: 300 } })
    const session = await database.reserve()
    await run(session, 'select 7')
    const error = await rejection(database.execute('select 1'))
    expect(error).toMatchObject({
      code: 'POOL_ACQUIRE_TIMEOUT',
      holders: [{ purpose: 'session', sql: 'select 7' }],
    })
    await session.release()
    expect(await value(database, 'select 1')).toBe(1)
  })

  test('is not given when its signal is aborted first', async () => {
    const database = await withTable({ pool: { max: 1 } })
    const reason = new Error('enough')
    expect(await rejection(database.reserve({ signal: AbortSignal.abort(reason) }))).toBe(reason)
    const session = await database.reserve()
    const controller = new AbortController()
    const waiting = rejection(database.reserve({ signal: controller.signal }))
    await nextTurn()
    controller.abort(reason)
    expect(await waiting).toBe(reason)
    await session.release()
    const next = await database.reserve({ signal: controller.signal }).catch(() => undefined)
    expect(next).toBeUndefined()
    expect(database.poolStats).toMatchObject({ inUse: 0, waiting: 0 })
  })

  test('takes nothing more once it is released, and finishes what it was asked for', async () => {
    const database = await withTable({ pool: { max: 1 } })
    const session = await database.reserve()
    const last = session.execute('insert into t values (1)')
    const releasing = session.release()
    expect(await rejection(session.execute('select 1'))).toBeInstanceOf(TransactionClosedError)
    await Promise.all([last, releasing, session.release()])
    expect(await column(database, 'from t')).toEqual([1])
  })

  test('is named by close(), which ends it', async () => {
    const database = await withTable()
    const session = await database.reserve()
    await run(session, 'create temp table mine (a integer)')
    const { forced } = await database.close({ deadlineMs: 0 })
    expect(forced).toEqual([
      expect.stringMatching(
        /^a session, open for \d+ ms, begun at \S*sessions\.test\.ts:\d+:\d+, /,
      ),
    ])
    expect(await rejection(session.execute('select 1'))).toMatchObject({ code: 'DATABASE_CLOSED' })
    await session.release()
  })
})

describe('use()', () => {
  test("lends the client's own connection, and replaces it afterwards", async () => {
    const database = await withTable({ pool: { max: 1 } })
    const result = await database.use(async (connection) => {
      await connection.run('create temp table mine (a integer)')
      await connection.run("set variable mine = 'mine'")
      const appender = await connection.createAppender('t')
      for (let row = 0; row < 10; row++) {
        appender.appendInteger(row)
        appender.endRow()
      }
      appender.closeSync()
      const reader = await connection.runAndReadAll(
        'select count(*)::integer from t',
        [],
        [INTEGER],
      )
      return reader.getRowsJS()
    })
    expect(result).toEqual([[10]])
    await expectUntouched(database)
    expect(await value(database, 'select count(*) from t')).toBe(10)
  })

  test('throws what its callback throws', async () => {
    const database = await withTable({ pool: { max: 1 } })
    for (const thrown of [new Error('mine'), undefined, 'text']) {
      for (const fn of [
        () => {
          throw thrown
        },
        () => Promise.reject(thrown),
      ]) {
        const outcome = await database.use(fn).then(
          () => 'resolved',
          (error: unknown) => ({ error }),
        )
        expect(outcome).toEqual({ error: thrown })
      }
    }
    expect(database.poolStats).toMatchObject({ inUse: 0 })
    await expectUntouched(database)
  })

  test('leaves no transaction open that was begun and forgotten', async () => {
    const database = await withTable({ pool: { max: 1 } })
    await database.use(async (connection) => {
      await connection.run('begin')
      await connection.run('insert into t values (1)')
    })
    expect(await column(database, 'from t')).toEqual([])
    await run(database, 'alter table t add column b integer')
  })

  test('ends a statement that was forgotten, and does not hang', async () => {
    const database = await withTable({ pool: { max: 1 } })
    let forgotten: Promise<unknown> | undefined
    await database.use(async (connection) => {
      forgotten = connection.run(heavy).catch((error: unknown) => error)
      await sleep(30)
    })
    expect(await value(database, 'select 42')).toBe(42)
    expect(String(await forgotten)).toMatch(/INTERRUPT/)
    expect((await database.close({ deadlineMs: 30_000 })).forced).toEqual([])
  })

  test('does not keep others from working', async () => {
    const database = await withTable({ pool: { max: 2 } })
    const held = signal()
    const lent = database.use(() => held.wait)
    expect(await value(database, 'select 42')).toBe(42)
    expect(database.poolStats).toMatchObject({ inUse: 1 })
    held.go()
    await lent
  })
})
