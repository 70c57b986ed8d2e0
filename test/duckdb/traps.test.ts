/**
 * What @duckdb/node-api gets wrong without saying so, each first with it alone, then with this package. What goes wrong
 * with opening and closing (T3 to T5) stands in closing.test.ts and opening.test.ts, what does with appenders and bulk
 * data (T6, T7, T10) in the tests of ingest().
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import {
  ConnectionBusyError,
  type DuckDBDatabase,
  StreamCutShortError,
  TransactionAbortedError,
} from '@keelson/duckdb'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { nextTurn, watchingLoop } from '../support/event-loop.ts'
import { rejection } from '../support/rejection.ts'
import { runs, seed } from '../support/runs.ts'
import { column, open, run, value } from './fixture.ts'

/** Connections of the client itself, to one database in memory. */
async function plain(count = 1): Promise<DuckDBConnection[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connections: DuckDBConnection[] = []
  for (let index = 0; index < count; index++) connections.push(await instance.connect())
  onTestFinished(() => {
    for (const connection of connections) connection.closeSync()
    instance.closeSync()
  })
  return connections
}

async function values(connection: DuckDBConnection, sql: string): Promise<unknown[]> {
  const reader = await connection.runAndReadAll(sql)
  return reader.getRowsJS().map(([first]) => first)
}

const million = 'select range as a from range(1000000)'

const failingMidway =
  "select case when range = 700000 then error('row 700000') else range end as a from range(1000000)"

const pairs = (count: number): string =>
  `select sum(hash(x.range + y.range)) from range(${count}) x, range(${count}) y`

/** Takes a minute. */
const heavy = pairs(60_000)

async function readRaw(
  connection: DuckDBConnection,
  sql: string,
  afterFirst: () => unknown = () => {},
): Promise<number> {
  let rows = 0
  for await (const chunk of await connection.stream(sql)) {
    if (rows === 0) await afterFirst()
    rows += chunk.rowCount
  }
  return rows
}

async function read(
  database: Pick<DuckDBDatabase, 'stream'>,
  sql: string,
  { afterFirst = () => {}, signal }: { afterFirst?: () => unknown; signal?: AbortSignal } = {},
): Promise<{ rows: number; error: unknown }> {
  let rows = 0
  try {
    for await (const chunk of database.stream(sql, [], signal && { signal })) {
      if (rows === 0) await afterFirst()
      rows += chunk.length
    }
    return { rows, error: undefined }
  } catch (error) {
    return { rows, error }
  }
}

async function collected<Row>(
  database: Pick<DuckDBDatabase, 'stream'>,
  sql: string,
): Promise<Row[]> {
  const rows: Row[] = []
  for await (const chunk of database.stream<Row>(sql)) rows.push(...chunk)
  return rows
}

describe('T1: a stream that fails midway throws, and does not look like its end', () => {
  test('when a row cannot be computed', async () => {
    const [connection] = await plain()
    const rowsOfClient = await readRaw(connection!, failingMidway)
    expect(rowsOfClient).toBeLessThan(1_000_000)

    const database = await open({ path: ':memory:' })
    const { rows, error } = await read(database, failingMidway)
    expect(rows).toBeLessThan(1_000_000)
    expect(error).toBeInstanceOf(StreamCutShortError)
    expect(error).toMatchObject({ code: 'STREAM_CUT_SHORT', rowsDelivered: rows })
    expect((error as Error).message).toContain('EXPLAIN ANALYZE')
    expect(await read(database, million)).toEqual({ rows: 1_000_000, error: undefined })
  })

  test('when it is interrupted', async () => {
    const [connection] = await plain()
    const rowsOfClient = await readRaw(connection!, million, () => connection!.interrupt())
    expect(rowsOfClient).toBeLessThan(1_000_000)

    const database = await open({ path: ':memory:' })
    const controller = new AbortController()
    const reason = new Error('enough')
    const { rows, error } = await read(database, million, {
      signal: controller.signal,
      afterFirst: () => controller.abort(reason),
    })
    expect(rows).toBeLessThan(1_000_000)
    expect(error).toBe(reason)
    expect(await read(database, million)).toEqual({ rows: 1_000_000, error: undefined })
  })

  test('when the same connection is used for something else, which is refused', async () => {
    const [connection] = await plain()
    const rowsOfClient = await readRaw(connection!, million, () => connection!.run('select 1'))
    expect(rowsOfClient).toBeLessThan(1_000_000)

    const database = await open({ path: ':memory:', pool: { max: 2 } })
    await database.transaction(async (tx) => {
      const afterFirst = async (): Promise<void> => {
        expect(await rejection(tx.execute('select 1'))).toBeInstanceOf(ConnectionBusyError)
      }
      expect(await read(tx, million, { afterFirst })).toEqual({ rows: 1_000_000, error: undefined })
    })
    const beside = { afterFirst: () => database.execute('select 1') }
    expect(await read(database, million, beside)).toEqual({ rows: 1_000_000, error: undefined })
  })
})

test('T2: the commit of a transaction that has failed throws, and does not look like a success', async () => {
  const [connection] = await plain()
  await connection!.run('create table t (a integer primary key)')
  await connection!.run('begin')
  await connection!.run('insert into t values (1)')
  await rejection(connection!.run('insert into t values (1)'))
  await connection!.run('commit')
  expect(await values(connection!, 'from t')).toEqual([])
  // What is sent in one go with a query is not run once the query has failed.
  await connection!.run('begin')
  await rejection(connection!.run("select error('x')"))
  expect((await rejection(connection!.run('select 1; commit'))).message).toMatch(/is aborted/)
  await connection!.run('rollback')

  const database = await open({ path: ':memory:' })
  await run(database, 'create table t (a integer primary key)')
  const session = database.connect()
  await session.begin()
  await session.execute('insert into t values (1)')
  const first = await rejection(session.execute('insert into t values (1)'))
  const error = await rejection(session.commit())
  expect(error).toBeInstanceOf(TransactionAbortedError)
  expect(error.cause).toBe(first)
  expect(await column(database, 'from t')).toEqual([])
})

test('T8: what is asked of a busy connection does not block the event loop', async () => {
  const [connection] = await plain()
  let blockedMs = 0
  // On a busy machine the query may be over before the question is put.
  for (let again = 0; again < 20 && blockedMs <= 100; again++) {
    const busy = connection!.run(pairs(8_000))
    await sleep(20)
    const start = performance.now()
    connection!.getTableNames('select 1', false)
    blockedMs = performance.now() - start
    await busy
  }
  expect(blockedMs).toBeGreaterThan(100)

  const database = await open({ path: ':memory:' })
  const session = await database.reserve()
  const { longestGapMs, workedMs } = await watchingLoop(async () => {
    const running = session.execute(heavy).catch((error: unknown) => error)
    const queued = session.execute('select 1').catch((error: unknown) => error)
    await sleep(400)
    session.cancel(new Error('enough'))
    await Promise.all([running, queued])
    await session.release()
  })
  expect(longestGapMs).toBeLessThan(workedMs / 2)
})

describe('T9: an abort is never lost', () => {
  test('where the client forgets one that comes while the statement waits for a thread', async () => {
    const [last, ...others] = await plain(9)
    const busy = others.map((connection) => connection.run(heavy).catch(() => {}))
    await nextTurn()
    const waiting = last!.run('select 42')
    last!.interrupt()
    const interrupting = setInterval(() => {
      for (const connection of others) connection.interrupt()
    }, 10)
    // It was interrupted, and has run all the same.
    expect((await waiting).rowCount).toBe(1)
    await Promise.all(busy)
    clearInterval(interrupting)

    const database = await open({ path: ':memory:', pool: { max: 8 } })
    const stop = new AbortController()
    const running = others.map(() =>
      rejection(database.execute(heavy, [], { signal: stop.signal })),
    )
    await nextTurn()
    const controller = new AbortController()
    const reason = new Error('enough')
    const ours = rejection(database.execute('select 42', [], { signal: controller.signal }))
    controller.abort(reason)
    expect(await ours).toBe(reason)
    stop.abort(reason)
    expect(new Set(await Promise.all(running))).toEqual(new Set([reason]))
    expect(await value(database, 'select 42')).toBe(42)
  })

  test('however soon or late it comes', async () => {
    const database = await open({ path: ':memory:', pool: { max: 4 } })
    const moments = fc.array(fc.nat(25), { minLength: 50, maxLength: 50 })
    const check = async (delays: readonly number[]): Promise<void> => {
      // More than there are connections and threads: most of them wait when they are aborted.
      const outcomes = delays.map(async (delayMs, index) => {
        const controller = new AbortController()
        const reason = new Error(`number ${index}`)
        const sql = index % 2 === 0 ? heavy : `${heavy} where x.range > $1`
        const parameters = index % 2 === 0 ? [] : [index]
        const statement = rejection(
          database.execute(sql, parameters, { signal: controller.signal }),
        )
        if (delayMs > 0) await sleep(delayMs)
        else if (index % 3 === 0) await nextTurn()
        controller.abort(reason)
        return (await statement) === reason
      })
      expect(await Promise.all(outcomes)).toEqual(delays.map(() => true))
      expect(database.poolStats).toMatchObject({ inUse: 0, waiting: 0 })
      expect(await value(database, 'select 42')).toBe(42)
    }
    await fc.assert(fc.asyncProperty(moments, check), { seed, numRuns: runs(2, 40) })
  })
})

describe('T11: a statement sees what was written since it was last run', () => {
  const never = 'select count(*)::integer from t where a = 5000'
  const statements: [string, string, unknown][] = [
    ['a value beyond those that were there', never, 1],
    ['a null where there was none', 'select count(*)::integer from t where a is null', 1],
    ['no null any more', 'select count(*)::integer from t where a is not null', 101],
    ['a join', 'select count(*)::integer from t join t u on t.a = u.a where t.a >= 1000', 1],
  ]

  test.for(statements)('%s', async ([, sql, expected]) => {
    const [connection, other] = await plain(2)
    await connection!.run('create table t as select range::integer as a from range(100)')
    const prepared = await connection!.prepare(sql)
    await prepared.run()
    await other!.run('insert into t values (5000), (null)')
    const stale = (await prepared.runAndReadAll()).getRowsJS()
    expect(stale).not.toEqual([[expected]])
    expect(await values(connection!, sql)).toEqual([expected])

    const database = await open({ path: ':memory:', pool: { max: 1 } })
    await run(database, 'create table t as select range::integer as a from range(100)')
    for (let again = 0; again < 3; again++) await value(database, sql)
    for await (const _ of database.stream(sql)) void _
    await run(database, 'insert into t values (5000), (null)')
    expect(await value(database, sql)).toBe(expected)
    for await (const rows of database.stream<unknown[]>(sql, [], { rows: 'arrays' }))
      expect(rows).toEqual([[expected]])
  })

  test('also one that writes what it finds', async () => {
    const [connection, other] = await plain(2)
    await connection!.run('create table t as select range::integer as a from range(100)')
    const prepared = await connection!.prepare('insert into t select a + 1 from t where a > 1000')
    await other!.run('insert into t values (5000)')
    expect((await prepared.run()).rowsChanged).toBe(0)

    const database = await open({ path: ':memory:', pool: { max: 2 } })
    await run(database, 'create table t as select range::integer as a from range(100)')
    const sql = 'insert into t select a + 1 from t where a > 1000'
    expect((await database.execute(sql)).changes).toBe(0)
    await run(database, 'insert into t values (5000)')
    expect((await database.execute(sql)).changes).toBe(1)
    expect(
      (await database.execute('create table u as select a from t where a > 1000')).changes,
    ).toBe(2)
    await database.transaction(async (tx) => {
      expect(await value(tx, 'select count(*)::integer from t where a > 6000')).toBe(0)
      await run(tx, 'insert into t values (7000)')
      expect(await value(tx, 'select count(*)::integer from t where a > 6000')).toBe(1)
    })
  })

  test('also where others write between the planning and the running of it', async () => {
    const database = await open({ path: ':memory:', pool: { max: 8 } })
    await run(database, 'create table t as select range::integer as a from range(100)')
    const counting = 'select count(*)::integer as n from t where a is not null'
    let begun = 0
    let done = 0
    const write = async (): Promise<void> => {
      begun++
      await run(database, 'insert into t values (5000), (null), (null), (null)')
      done++
    }
    const read = async (isStream: boolean): Promise<void> => {
      const before = done
      const seen = isStream
        ? (await collected<{ n: number }>(database, counting))[0]!.n
        : await value(database, counting)
      // With a plan from before the first null every row would be counted.
      expect(seen).toBeGreaterThanOrEqual(100 + before)
      expect(seen).toBeLessThanOrEqual(100 + begun)
    }
    for (let round = 0; round < 15; round++) {
      const calls = [write, () => read(true), write, () => read(false), () => read(true), write]
      await Promise.all([...calls, ...calls].map((call) => call()))
      await run(database, 'delete from t where a is null', 'checkpoint')
    }
  })
})
