import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBDatabase, DuckDBOptions } from '@keelson/duckdb'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { nextTurn } from '../support/event-loop.ts'
import { rejection } from '../support/rejection.ts'
import { open, run, value } from './fixture.ts'

/** Takes a minute. */
const heavy = 'select sum(hash(x.range + y.range)) from range(60000) x, range(60000) y'

async function withTable(options: DuckDBOptions = {}): Promise<DuckDBDatabase> {
  const database = await open({ path: ':memory:', ...options })
  await run(database, 'create table t (a integer)')
  return database
}

afterEach(() => void vi.useRealTimers())

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

describe('connections', () => {
  test('are opened as they are needed, and used again', async () => {
    const database = await withTable({ pool: { max: 5 } })
    for (let again = 0; again < 20; again++) await value(database, 'select 1')
    expect(database.poolStats).toMatchObject({ max: 5, size: 1, idle: 1, inUse: 0 })
    await Promise.all(upTo(50).map(() => value(database, 'select 1')))
    expect(database.poolStats).toMatchObject({ size: 5, idle: 5, inUse: 0, waiting: 0 })
  })

  test('serve many more callers than there are of them', async () => {
    const database = await withTable({ pool: { max: 2 } })
    const inserts = upTo(300).map((n) =>
      n % 3 === 0
        ? database.transaction((tx) => tx.execute('insert into t values ($1)', [n]))
        : database.execute('insert into t values ($1)', [n]),
    )
    await Promise.all(inserts)
    expect(await value(database, 'select count(distinct a) from t')).toBe(300)
    expect(database.poolStats).toMatchObject({ size: 2, inUse: 0, waiting: 0, closedBroken: 0 })
  })

  test('that are all taken are named to whoever waits for too long', async () => {
    const database = await withTable({
      pool: { max: 3, acquireTimeoutMs: 300 },
    })
    const session = await database.reserve()
    await run(session, 'select 1 as of_the_session')
    const transaction = database.connect()
    await transaction.begin()
    await run(transaction, 'select 2 as of_the_transaction')
    const stream = database.stream('select range as of_the_stream from range(100000)')
    await stream.next()
    const error = await rejection(database.execute('select 3'))
    expect(error).toMatchObject({
      code: 'POOL_ACQUIRE_TIMEOUT',
      holders: [
        { purpose: 'session', sql: 'select 1 as of_the_session' },
        { purpose: 'transaction', sql: 'select 2 as of_the_transaction' },
        { purpose: 'stream', sql: 'select range as of_the_stream from range(100000)' },
      ],
    })
    expect(error.message).toMatch(/3 of 3 are leased\. Held by: lease \d+ \(session\) for /)
    await stream.return!()
    expect(await value(database, 'select 3')).toBe(3)
    await transaction.rollback()
    await session.release()
  })

  test('that do not come back are reported with the place that asked for them', async () => {
    const leaks: { purpose?: string | undefined; sql?: string | undefined; stack: string }[] = []
    const onLeak = (leak: (typeof leaks)[0]): void => void leaks.push(leak)
    // Time passes only when the test says so, however long the machine takes for what comes back.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const database = await withTable({ pool: { max: 4, leakAfterMs: 30, onLeak } })
    const session = await database.reserve()
    const transaction = database.connect()
    await transaction.begin()
    const stream = database.stream('select 3')
    await stream.next()
    const controller = new AbortController()
    const statement = rejection(database.execute(heavy, [], { signal: controller.signal }))
    await expect.poll(() => database.poolStats.inUse, { timeout: 30_000 }).toBe(4)
    await vi.advanceTimersByTimeAsync(30)
    expect(leaks.map(({ purpose }) => purpose)).toEqual([
      'session',
      'transaction',
      'stream',
      'statement',
    ])
    for (const { stack, purpose } of leaks) expect(stack, purpose).toContain('pool.test.ts')
    controller.abort()
    await Promise.all([statement, stream.return!(), transaction.rollback(), session.release()])
    expect(leaks).toHaveLength(8)
  })

  test('as many as wait are refused beyond maxWaiters', async () => {
    const database = await withTable({ pool: { max: 1, maxWaiters: 2 } })
    const session = await database.reserve()
    const waiting = [database.execute('select 1'), database.execute('select 1')]
    expect(await rejection(database.execute('select 1'))).toMatchObject({ code: 'POOL_QUEUE_FULL' })
    await session.release()
    await Promise.all(waiting)
  })

  test('are closed after a time without use', async () => {
    const database = await withTable({ pool: { max: 3, idleTimeoutMs: 50 } })
    await Promise.all(upTo(3).map(() => value(database, 'select 1')))
    await expect.poll(() => database.poolStats.size, { timeout: 10_000 }).toBe(0)
    expect(await value(database, 'select count(*) from t')).toBe(0)
  })
})

describe('threads', () => {
  test('of Node are left for files, however many statements run', async () => {
    const instance = await DuckDBInstance.create(':memory:')
    const connections = await Promise.all(upTo(4).map(() => instance.connect()))
    const busy = connections.map((connection) => connection.run(heavy).catch(() => {}))
    await nextTurn()
    let isKnown = false
    const looking = stat('.').then(() => (isKnown = true))
    await new Promise((resolve) => setTimeout(resolve, 200))
    const wasKnown = isKnown
    const timer = setInterval(() => connections.forEach((connection) => connection.interrupt()), 10)
    await Promise.all([...busy, looking])
    clearInterval(timer)
    for (const connection of connections) connection.closeSync()
    instance.closeSync()
    // Four statements of the client keep every file of the process waiting.
    expect(wasKnown).toBe(false)

    const database = await withTable({ pool: { max: 8 } })
    const controller = new AbortController()
    const running = upTo(8).map(() =>
      rejection(database.execute(heavy, [], { signal: controller.signal })),
    )
    await expect.poll(() => database.poolStats.inUse, { timeout: 30_000 }).toBe(8)
    for (let again = 0; again < 5; again++) expect((await stat('.')).isDirectory()).toBe(true)
    expect(database.poolStats).toMatchObject({ inUse: 8 })
    controller.abort()
    await Promise.all(running)
  })

  test('wait for nobody who has given up', async () => {
    const database = await withTable({ pool: { max: 8 } })
    const first = new AbortController()
    const second = new AbortController()
    const running = upTo(3).map(() =>
      rejection(database.execute(heavy, [], { signal: first.signal })),
    )
    const waiting = upTo(4).map(() =>
      rejection(database.execute(heavy, [], { signal: second.signal })),
    )
    const last = value(database, 'select 42')
    await nextTurn()
    const reason = new Error('enough')
    second.abort(reason)
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([reason]))
    first.abort(reason)
    await Promise.all(running)
    expect(await last).toBe(42)
  })

  test.for(['1', '2', '16'])('however few or many there are: %s', async (count) => {
    const program = `
      import { openDuckDB } from '@keelson/duckdb'
      const database = await openDuckDB(':memory:')
      await database.execute('create table t (a integer)')
      const work = Array.from({ length: 40 }, async (_, index) => {
        await database.transaction((tx) => tx.execute('insert into t values ($1)', [index]))
        for await (const rows of database.stream('from range(5000)')) if (index % 2 === 0) break
      })
      await Promise.all(work)
      const { rows } = await database.execute('select count(*)::integer as n from t')
      console.log(rows[0].n)
      await database.close()
    `
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module-typescript', '--eval', program],
      { env: { ...process.env, UV_THREADPOOL_SIZE: count }, timeout: 30_000 },
    )
    expect(stdout.trim()).toBe('40')
  })
})
