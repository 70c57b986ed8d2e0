import { tracingChannel } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PoolEvent, QueryEvent, TransactionEvent } from '@keelson/core'
import type { DuckDBDatabase, DuckDBOptions } from '@keelson/duckdb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { nextTurn } from '../support/event-loop.ts'
import { rejection } from '../support/rejection.ts'
import { open, run } from './fixture.ts'

/** The events of a channel that end meanwhile, as they are at their end. */
function ended<E>(name: 'query' | 'transaction' | 'pool:acquire'): E[] {
  const events: E[] = []
  const note = (event: unknown): void => void events.push({ ...(event as E) })
  const { asyncEnd } = tracingChannel(`keelson:${name}`)
  asyncEnd.subscribe(note)
  onTestFinished(() => {
    asyncEnd.unsubscribe(note)
  })
  return events
}

async function withTable(options: DuckDBOptions = {}): Promise<DuckDBDatabase> {
  const database = await open({ path: ':memory:', ...options })
  await run(
    database,
    'create table t (a integer primary key)',
    'insert into t select range from range(5000)',
  )
  return database
}

/** Takes a minute. */
const heavy = 'select sum(hash(x.range + y.range)) from range(60000) x, range(60000) y'

describe('keelson:query', () => {
  test('tells what a statement was, how it went, and where', async () => {
    const database = await withTable({ pool: { max: 1 } })
    const events = ended<QueryEvent>('query')
    await database.execute('select a from t where a < $1', [10])
    await database.connect({ source: 'kysely' }).execute('insert into t values (-1), (-2)')
    await database.execute('delete from t where a < 0 returning a')
    await database.execute('create table u as from t')
    expect(events).toMatchObject([
      {
        v: 1,
        kind: 'query',
        source: 'driver',
        system: 'duckdb',
        db: ':memory:',
        pool: ':memory:',
        sql: 'select a from t where a < $1',
        paramCount: 1,
        rows: 10,
        affectedRows: undefined,
        cache: 'miss',
        outcome: 'ok',
      },
      { source: 'kysely', rows: 0, affectedRows: 2, outcome: 'ok' },
      { source: 'driver', rows: 2, affectedRows: 2, outcome: 'ok' },
      { rows: 0, affectedRows: 5_000, outcome: 'ok' },
    ])
    expect(new Set(events.map(({ conn }) => conn))).toEqual(new Set([events[0]!.conn]))
    expect(events[0]!.conn).toBeGreaterThan(0)
    const ids = events.map(({ id }) => id)
    expect(ids).toEqual(ids.toSorted((a, b) => a - b))
  })

  test('divides the time into waiting, executing and decoding', async () => {
    const database = await withTable({ pool: { max: 1 } })
    const events = ended<QueryEvent>('query')
    const session = await database.reserve()
    const waiting = database.execute('select 1')
    await sleep(60)
    const released = performance.now()
    await session.release()
    await waiting
    const afterMs = performance.now() - released
    await database.execute(
      'select sum(hash(x.range + y.range) % 100) from range(5000) x, range(5000) y',
    )
    await database.execute("select range as a, 'row ' || range as b from range(300000)")
    const [waited, executed, decoded] = events
    expect(waited!.waitMs).toBeGreaterThan(50)
    expect(waited!.executeMs).toBeLessThanOrEqual(afterMs)
    expect(executed!.executeMs).toBeGreaterThan(5)
    expect(decoded!.decodeMs).toBeGreaterThan(5)
    for (const { waitMs, executeMs, decodeMs, totalMs } of events)
      expect(waitMs + executeMs + decodeMs!).toBeCloseTo(totalMs, 6)
  })

  test('counts the wait for a thread and for the turn as waiting', async () => {
    const database = await withTable({ pool: { max: 5 } })
    const events = ended<QueryEvent>('query')
    const session = await database.reserve()
    const round = async (): Promise<number[]> => {
      const controller = new AbortController()
      const busy = [1, 2, 3].map(() =>
        rejection(database.execute(heavy, [], { signal: controller.signal })),
      )
      await nextTurn()
      const waiting = [session.execute('select 1'), session.execute('select 2')]
      await sleep(60)
      controller.abort()
      await Promise.all([...busy, ...waiting])
      const waited = events.splice(0).filter(({ sql }) => sql !== heavy)
      expect(waited).toHaveLength(2)
      return waited.map(({ waitMs }) => waitMs)
    }
    // At first they may slip in between: the other three ask for connections, and prepare what later is prepared.
    let waits = await round()
    for (let again = 0; again < 20 && Math.min(...waits) <= 50; again++) waits = await round()
    expect(Math.min(...waits)).toBeGreaterThan(50)
    await session.release()
  })

  test('tells of failures with the error that the caller gets', async () => {
    const database = await withTable()
    const events = ended<QueryEvent>('query')
    const errors = [
      await rejection(database.execute('select nothing from t')),
      await rejection(database.execute('insert into t values (1)')),
      await rejection(database.execute('select 9007199254740993 as large')),
      await rejection(database.execute('select 1', [1])),
      await rejection(database.execute(heavy, [], { signal: AbortSignal.timeout(20) })),
      await rejection(database.stream('select nothing from t').next()),
    ]
    expect(events.map(({ error }) => error)).toEqual(errors)
    events.forEach(({ error }, index) => expect(error).toBe(errors[index]))
    expect(events.map(({ outcome }) => outcome)).toEqual(errors.map(() => 'error'))
    expect(events[2]).toMatchObject({ errorType: 'INT64_RANGE' })
    expect(events[3]).toMatchObject({ errorType: 'PARAMETER_COUNT' })
  })

  test('tells how each stream ended, and how long DuckDB worked for it', async () => {
    const database = await withTable()
    const events = ended<QueryEvent>('query')
    let chunks = 0
    for await (const _ of database.stream('from t', [], { chunkRows: 1_000 })) {
      chunks++
      await sleep(30)
    }
    for await (const _ of database.stream('from t', [], { chunkRows: 1_000 })) break
    const left = database.stream('from t', [], { chunkRows: 10 })
    await Promise.all([left.next(), left.return!()])
    const controller = new AbortController()
    const aborted = database.stream('from t', [], { signal: controller.signal, chunkRows: 10 })
    await aborted.next()
    controller.abort(new Error('enough'))
    await rejection(aborted.next())
    await rejection(async () => {
      const midway = `select case when range = 400000 then error('x') else 1 end from range(500000)`
      for await (const _ of database.stream(midway)) void _
    })
    await database.transaction(async (tx) => void (await tx.stream('from t').next()))
    await database.stream('insert into t values (-5) returning a').next()
    const { forced } = await database.close({ deadlineMs: 0 })
    expect(forced).toHaveLength(1)

    expect(events.map(({ kind }) => kind)).toEqual(events.map(() => 'stream'))
    expect(events.map(({ outcome, rows }) => [outcome, outcome === 'error' || rows])).toEqual([
      ['ok', 5_000],
      ['early', 1_000],
      ['early', expect.any(Number)],
      ['aborted', 10],
      ['error', true],
      ['early', 2_048],
      ['aborted', 1],
    ])
    const [whole] = events
    expect(chunks).toBe(5)
    expect(whole!.totalMs).toBeGreaterThan(5 * 29)
    expect(whole!.dbMs).toBeLessThan(whole!.totalMs - 100)
    expect(whole!.executeMs).toBe(whole!.dbMs)
    expect(whole!.firstRowMs).toBeLessThan(whole!.totalMs - 100)
    expect(whole!.conn).toBeGreaterThan(0)
    expect(whole!.cache).toBe('miss')
    expect(events[1]!.cache).toBe('hit')
    expect(events[4]!.error).toMatchObject({ code: 'STREAM_CUT_SHORT' })
  })

  test('a stream that was never read is none', async () => {
    const database = await withTable()
    const events = ended<QueryEvent>('query')
    database.stream('from t')
    await database.stream('from t').return!()
    expect(events).toEqual([])
  })
})

describe('keelson:transaction', () => {
  test('tells how each transaction ended, and what it spent its time on', async () => {
    const database = await withTable({ pool: { max: 2 } })
    const events = ended<TransactionEvent>('transaction')
    await database.transaction(async (tx) => {
      await run(tx, 'select 1', 'insert into t values (-1)')
      for await (const _ of tx.stream('from t')) void _
      await sleep(40)
    })
    const mine = new Error('mine')
    await rejection(database.transaction(() => Promise.reject(mine)))
    const failing = rejection(
      database.transaction(async (tx) => void (await tx.execute('selec').catch(() => {}))),
    )
    await failing
    const [first, second] = [database.connect(), database.connect()]
    for (const session of [first, second]) {
      await session.begin({ accessMode: 'read write' })
      await run(session, 'insert into t values (-7)')
    }
    await first.commit()
    const conflict = await rejection(second.commit())
    const released = database.connect()
    await released.begin()
    await released.release()
    expect(events).toMatchObject([
      {
        v: 1,
        system: 'duckdb',
        db: ':memory:',
        depth: 0,
        isolation: 'snapshot',
        outcome: 'committed',
        queries: 3,
      },
      { outcome: 'rolled_back', queries: 0 },
      { outcome: 'commit_failed', queries: 1, error: { code: 'TRANSACTION_ABORTED' } },
      { outcome: 'committed', queries: 1 },
      { outcome: 'commit_failed', queries: 1, error: conflict },
      { outcome: 'rolled_back', queries: 0 },
    ])
    const [{ idleInTxMs, openMs, commitMs, beginMs, conn } = {} as TransactionEvent] = events
    expect(idleInTxMs).toBeGreaterThan(35)
    expect(openMs).toBeGreaterThanOrEqual(idleInTxMs + commitMs)
    expect(Math.min(commitMs, beginMs)).toBeGreaterThan(0)
    expect(conn).toBeGreaterThan(0)
  })

  test('one that never began is none, and one that failed to begin is told', async () => {
    const database = await withTable({ pool: { max: 1, acquireTimeoutMs: 300 } })
    const events = ended<TransactionEvent>('transaction')
    const session = await database.reserve()
    await rejection(database.connect().begin())
    await session.release()
    expect(events).toEqual([])
  })
})

describe('keelson:pool:acquire', () => {
  test('tells who got a connection for what, and who waited', async () => {
    const database = await withTable({ pool: { max: 1 } })
    const events = ended<PoolEvent>('pool:acquire')
    await database.execute('select 1')
    const session = await database.reserve()
    const waiting = database.transaction(async () => {})
    await sleep(30)
    await session.release()
    await waiting
    for await (const _ of database.stream('select 1')) void _
    await database.use(async () => {})
    expect(events.map(({ purpose }) => purpose)).toEqual([
      'statement',
      'session',
      'transaction',
      'stream',
      'loan',
    ])
    expect(events[2]!.waitMs).toBeGreaterThan(20)
    expect(events[0]).toMatchObject({ pool: ':memory:', max: 1, type: 'acquire' })
  })
})

test('whoever listens changes no outcome', async () => {
  const database = await withTable()
  for (const name of ['query', 'transaction', 'pool:acquire'] as const) ended(name)
  const result = await database.transaction(async (tx) => {
    const { rows, changes } = await tx.execute('insert into t values (-1) returning a')
    return { rows, changes }
  })
  expect(result).toEqual({ rows: [{ a: -1 }], changes: 1 })
  const mine = Object.freeze(new Error('mine'))
  expect(await rejection(database.transaction(() => Promise.reject(mine)))).toBe(mine)
})
