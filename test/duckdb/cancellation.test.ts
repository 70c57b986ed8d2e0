import { setTimeout as sleep } from 'node:timers/promises'
import {
  type DuckDBDatabase,
  type DuckDBOptions,
  type ExecuteOptions,
  QueryTimeoutError,
} from '@keelson/duckdb'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextTurn } from '../support/event-loop.ts'
import { rejection } from '../support/rejection.ts'
import { runs, seed } from '../support/runs.ts'
import { column, open, run, value } from './fixture.ts'

async function withTable(options: DuckDBOptions = {}): Promise<DuckDBDatabase> {
  const database = await open({ path: ':memory:', ...options })
  await run(database, 'create table t (a integer)')
  return database
}

/** Takes a minute. */
const heavy = 'select sum(hash(x.range + y.range)) from range(60000) x, range(60000) y'

const reason = new Error('enough')

/** The error of a statement that is aborted after some time, or at once. */
async function aborted(
  execute: (options: ExecuteOptions) => Promise<unknown>,
  afterMs?: number,
): Promise<Error> {
  const controller = new AbortController()
  const failing = rejection(execute({ signal: controller.signal }))
  if (afterMs !== undefined) await sleep(afterMs)
  controller.abort(reason)
  return failing
}

async function expectUsable(database: DuckDBDatabase): Promise<void> {
  expect(database.poolStats).toMatchObject({ inUse: 0, waiting: 0, closedBroken: 0 })
  expect(await value(database, 'select 42')).toBe(42)
}

describe('a signal', () => {
  test('that is aborted already lets nothing run', async () => {
    const database = await withTable()
    const signal = AbortSignal.abort(reason)
    expect(await rejection(database.execute('insert into t values (1)', [], { signal }))).toBe(
      reason,
    )
    expect(await column(database, 'from t')).toEqual([])
  })

  test('that is aborted right after the call ends it', async () => {
    const database = await withTable()
    for (let again = 0; again < 20; again++) {
      expect(await aborted((options) => database.execute(heavy, [], options))).toBe(reason)
      const slow = `${heavy} where x.range > $1`
      expect(await aborted((options) => database.execute(slow, [again], options))).toBe(reason)
    }
    await expectUsable(database)
  })

  test('ends the wait for a connection, for a thread, and for the turn on a session', async () => {
    const database = await withTable({ pool: { max: 1 } })
    const session = await database.reserve()
    expect(await aborted((options) => database.execute('select 1', [], options), 5)).toBe(reason)
    const busy = rejection(session.execute(heavy))
    await nextTurn()
    const waiting = aborted(
      (options) => session.execute('insert into t values (1)', [], options),
      5,
    )
    await sleep(20)
    session.cancel(reason)
    expect(await busy).toBe(reason)
    expect(await waiting).toBe(reason)
    expect(await column(session, 'from t')).toEqual([])
    await session.release()
    await expectUsable(database)
  })

  test('interrupts what runs', async () => {
    const database = await withTable({ pool: { max: 2 } })
    await run(database, 'create table big as select range as a from range(1000000)')
    const statements: [string, unknown[]][] = [
      [heavy, []],
      [`${heavy} where x.range > $1`, [5]],
      [`create table copied as ${heavy}`, []],
      [`insert into t ${heavy}`, []],
      [
        'update big set a = (select max(hash(x.a + y.a)) % 7 from big x, big y where x.a < 9000)',
        [],
      ],
      [`copy (${heavy}) to '/dev/null' (format csv)`, []],
      [`explain analyze ${heavy}`, []],
      [
        `pivot (select hash(x.range + y.range) % 3 as h from range(60000) x, range(60000) y) on h using count(*)`,
        [],
      ],
    ]
    for (const [sql, parameters] of statements) {
      const error = await aborted((options) => database.execute(sql, parameters, options), 60)
      expect(error, sql).toBe(reason)
    }
    expect(await column(database, 'from t')).toEqual([])
    expect((await rejection(database.execute('from copied'))).message).toMatch(/does not exist/)
    expect(database.poolStats).toMatchObject({ inUse: 0, waiting: 0 })
  })

  test('may have any reason', async () => {
    const database = await withTable()
    for (const given of ['text', 0, null, Object.freeze({ frozen: true })]) {
      const controller = new AbortController()
      const outcome = database
        .execute(heavy, [], { signal: controller.signal })
        .catch((error: unknown) => ({ error }))
      await sleep(10)
      controller.abort(given)
      expect(await outcome).toEqual({ error: given })
    }
    expect(
      await rejection(database.execute(heavy, [], { signal: AbortSignal.timeout(20) })),
    ).toMatchObject({
      name: 'TimeoutError',
    })
    await expectUsable(database)
  })

  test('of one statement does not concern others on the same connection', async () => {
    const database = await withTable({ pool: { max: 1 } })
    const results = Array.from({ length: 30 }, async (_, index) => {
      if (index % 3 === 0) return aborted((options) => database.execute(heavy, [], options), index)
      return value(database, 'select $1::integer', [index])
    })
    const expected = Array.from({ length: 30 }, (_, index) => (index % 3 === 0 ? reason : index))
    expect(await Promise.all(results)).toEqual(expected)
    await expectUsable(database)
  })

  test('that is aborted afterwards changes nothing, and is not listened to any more', async () => {
    const database = await withTable()
    const controller = new AbortController()
    let listeners = 0
    const { signal } = controller
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...parameters: Parameters<typeof add>) => {
      listeners++
      add(...parameters)
    }
    signal.removeEventListener = (...parameters: Parameters<typeof remove>) => {
      listeners--
      remove(...parameters)
    }
    await database.execute('insert into t values (1)', [], { signal })
    await rejection(database.execute('selec', [], { signal }))
    for await (const _ of database.stream('from range(10)', [], { signal })) void _
    for await (const _ of database.stream('from range(10)', [], { signal })) break
    await database.transaction(async (tx) => void (await tx.execute('select 1', [], { signal })), {
      signal,
    })
    const session = await database.reserve({ signal })
    await session.release()
    expect(listeners).toBe(0)
    controller.abort(reason)
    expect(await column(database, 'from t')).toEqual([1])
  })
})

describe('a write', () => {
  test('is either undone or reported as done, whenever it is aborted', async () => {
    const database = await withTable({ pool: { max: 4 } })
    await run(database, 'create table log (n integer, m integer)')
    const moments = fc.array(fc.record({ microseconds: fc.nat(6_000), kind: fc.nat(3) }), {
      minLength: 20,
      maxLength: 20,
    })
    let next = 0
    const check = async (
      writes: readonly { microseconds: number; kind: number }[],
    ): Promise<void> => {
      const outcomes = await Promise.all(
        writes.map(async ({ microseconds, kind }) => {
          const n = ++next
          const sql = [
            `insert into log select ${n}, range from range(20000)`,
            'insert into log select $1::integer, range from range(20000)',
            `insert into log select ${n}, range from range(2000) returning m`,
            'insert into log values ($1, 0)',
          ][kind]!
          const parameters = sql.includes('$1') ? [n] : []
          const controller = new AbortController()
          const writing = database.execute(sql, parameters, { signal: controller.signal }).then(
            ({ changes }) => changes,
            (error: unknown) => (error === reason ? 0 : Promise.reject(error)),
          )
          const until = performance.now() + microseconds / 1_000
          while (performance.now() < until) await nextTurn()
          controller.abort(reason)
          return [n, await writing] as const
        }),
      )
      for (const [n, changes] of outcomes)
        expect(await value(database, 'select count(*) from log where n = $1', [n])).toBe(changes)
      await expectUsable(database)
    }
    await fc.assert(fc.asyncProperty(moments, check), { seed, numRuns: runs(10, 1_000) })
  })
})

describe('cancel()', () => {
  test('ends what runs in the session and what waits, and nothing else', async () => {
    const database = await withTable({ pool: { max: 3 } })
    const session = database.connect()
    const other = database.connect()
    const mine = [
      rejection(session.execute(heavy)),
      rejection(session.execute(heavy)),
      rejection(session.execute(heavy)),
      rejection(session.execute('select 1')),
    ]
    const others = value(other, 'select 42')
    await sleep(30)
    session.cancel(reason)
    expect(await Promise.all(mine)).toEqual([reason, reason, reason, reason])
    expect(await others).toBe(42)
    expect(await value(session, 'select 1')).toBe(1)
    session.cancel(reason)
    expect(await value(session, 'select 1')).toBe(1)
    await expectUsable(database)
  })
})

describe('queryTimeoutMs', () => {
  test('interrupts a statement that runs for longer, by an error that names it', async () => {
    const database = await withTable({ queryTimeoutMs: 200 })
    for (let again = 0; again < 2; again++) {
      const error = await rejection(database.execute(heavy))
      expect(error).toBeInstanceOf(QueryTimeoutError)
      expect(error.code).toBe('QUERY_TIMEOUT')
      expect(error.message).toBe(
        `The statement ran for longer than 200 ms (queryTimeoutMs) and was interrupted: \`${heavy}\`. ` +
          'Make it faster, or allow it more time.',
      )
      await expectUsable(database)
    }
  })

  test('in a transaction fails it', async () => {
    const database = await withTable({ queryTimeoutMs: 200 })
    const session = database.connect()
    await session.begin()
    await run(session, 'insert into t values (1)')
    const error = await rejection(session.execute(heavy))
    expect(error).toBeInstanceOf(QueryTimeoutError)
    expect(await rejection(session.commit())).toMatchObject({ cause: error })
    expect(await column(database, 'from t')).toEqual([])
    await expectUsable(database)
  })

  test('counts neither the wait for a connection nor that for a thread', async () => {
    const database = await withTable({ queryTimeoutMs: 1_000, pool: { max: 4 } })
    const busy = Array.from({ length: 3 }, () => rejection(database.execute(heavy)))
    // One of them has a connection, and waits for a thread.
    const waiting = Array.from({ length: 10 }, () => value(database, 'select 42'))
    for (const error of await Promise.all(busy)) expect(error).toBeInstanceOf(QueryTimeoutError)
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 10 }, () => 42))
    await expectUsable(database)
  })

  test('does not count the time in which rows are converted', async () => {
    const database = await withTable({ queryTimeoutMs: 3_000 })
    const sql = "select range as a, 'row ' || range as b, range * 1.5 as c from range(1000000)"
    expect((await database.execute(sql)).rows).toHaveLength(1_000_000)
  })

  test('leaves no timer behind that would keep the process', async () => {
    const database = await withTable({ queryTimeoutMs: 2_000_000_000 })
    const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    await value(database, 'select 42')
    await rejection(database.execute('selec'))
    for await (const _ of database.stream('from range(10000)')) break
    const after = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    expect(after).toBeLessThanOrEqual(before)
  })
})
