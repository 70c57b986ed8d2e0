import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  ConnectionBusyError,
  type DuckDBDatabase,
  type DuckDBOptions,
  DuckDBStatementError,
  Int64RangeError,
  QueryTimeoutError,
  type StreamOptions,
  TransactionClosedError,
} from '@keelson/duckdb'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { nextTurn, watchingLoop } from '../support/event-loop.ts'
import { startProgram } from '../support/program.ts'
import { rejection } from '../support/rejection.ts'
import { runs } from '../support/runs.ts'
import { column, open, run, value } from './fixture.ts'

async function withRows(count: number, options: DuckDBOptions = {}): Promise<DuckDBDatabase> {
  const database = await open({ path: ':memory:', ...options })
  await run(
    database,
    `create table t as select range::integer + 1 as a, 'row ' || (range + 1) as b from range(${count})`,
  )
  return database
}

const all = 'select a from t order by a'

/** The sizes of the chunks and the values of the first column. */
async function read(
  database: Pick<DuckDBDatabase, 'stream'>,
  sql: string,
  options: StreamOptions = {},
  parameters: readonly unknown[] = [],
): Promise<{ sizes: number[]; values: unknown[] }> {
  const sizes: number[] = []
  const values: unknown[] = []
  for await (const chunk of database.stream<Record<string, unknown>>(sql, parameters, options)) {
    sizes.push(chunk.length)
    for (const row of chunk) values.push(Object.values(row)[0])
  }
  return { sizes, values }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

/** Nothing is leased, and whoever comes next is served at once. */
async function expectIdle(database: DuckDBDatabase): Promise<void> {
  expect(database.poolStats).toMatchObject({ inUse: 0, waiting: 0 })
  expect(await value(database, 'select 42')).toBe(42)
}

/** Nobody sees an earlier state of the data any more: DuckDB makes no index while somebody does. */
async function expectNoSnapshots(database: DuckDBDatabase): Promise<void> {
  await run(database, 'update t set b = b', 'create index seen on t (b)', 'drop index seen')
}

/** Takes a minute. */
const heavy = 'select sum(hash(x.range + y.range)) as h from range(60000) x, range(60000) y'

describe('chunks', () => {
  const sizes: [number, number | undefined, number[]][] = [
    [0, 10, []],
    [1, 10, [1]],
    [9, 10, [9]],
    [10, 10, [10]],
    [11, 10, [10, 1]],
    [20, 10, [10, 10]],
    [3, 1, [1, 1, 1]],
    [3, 1_000_000, [3]],
    [5_000, 5_000, [5_000]],
    [5_000, 3_000, [3_000, 2_000]],
    [4_096, 2_048, [2_048, 2_048]],
    [4_097, 2_048, [2_048, 2_048, 1]],
    [5_000, undefined, [2_048, 2_048, 904]],
    [2_048, undefined, [2_048]],
    [0, undefined, []],
  ]
  test.for(sizes)('%i rows by %o come as %j', async ([count, chunkRows, expected]) => {
    const database = await withRows(count)
    const options = chunkRows === undefined ? {} : { chunkRows }
    expect(await read(database, all, options)).toEqual({ sizes: expected, values: upTo(count) })
    const sql = 'select a from t where a > $1 order by a'
    expect((await read(database, sql, options, [0])).values).toEqual(upTo(count))
  })

  test('are arrays of objects, or of arrays', async () => {
    const database = await withRows(2)
    for await (const chunk of database.stream('select * from t order by a')) {
      expect(chunk).toEqual([
        { a: 1, b: 'row 1' },
        { a: 2, b: 'row 2' },
      ])
    }
    for await (const chunk of database.stream('select * from t order by a', [], {
      rows: 'arrays',
    })) {
      expect(chunk).toEqual([
        [1, 'row 1'],
        [2, 'row 2'],
      ])
    }
  })

  test('of one and the same statement can be read by several streams at once', async () => {
    const database = await withRows(5_000)
    const results = await Promise.all(upTo(4).map(() => read(database, all, { chunkRows: 700 })))
    for (const { values } of results) expect(values).toEqual(upTo(5_000))
  })

  test('come in order when next() is called without waiting', async () => {
    const database = await withRows(10_000)
    const stream = database.stream<{ a: number }>(all, [], { chunkRows: 3_000 })
    const results = await Promise.all(upTo(6).map(() => stream.next()))
    expect(results.map(({ value: chunk }) => chunk?.[0]?.a)).toEqual([
      1,
      3_001,
      6_001,
      9_001,
      undefined,
      undefined,
    ])
    expect(results.map(({ done }) => done)).toEqual([false, false, false, false, true, true])
  })

  test('of any size take no longer than others', async () => {
    const database = await withRows(0)
    const sql = 'select range as a from range(300000)'
    const { values } = await read(database, sql, { chunkRows: 1 })
    expect(values).toHaveLength(300_000)
    expect((await read(database, sql, { chunkRows: 250_000 })).sizes).toEqual([250_000, 50_000])
  })
})

describe('a stream that is not read to its end', () => {
  const leave: [string, (stream: AsyncIterableIterator<unknown[]>) => Promise<unknown>][] = [
    [
      'break',
      async (stream) => {
        for await (const _ of stream) break
      },
    ],
    [
      'throw',
      (stream) =>
        rejection(async () => {
          for await (const _ of stream) throw new Error('mine')
        }),
    ],
    [
      'return() after some',
      async (stream) => {
        await stream.next()
        await stream.return!()
      },
    ],
    ['return() before any', (stream) => stream.return!()],
    [
      'return() twice',
      async (stream) => {
        await stream.next()
        await Promise.all([stream.return!(), stream.return!()])
      },
    ],
    [
      'return() without waiting for next()',
      async (stream) => {
        await Promise.all([stream.next(), stream.return!()])
      },
    ],
    [
      'return() a little after next()',
      async (stream) => {
        const first = stream.next()
        await nextTurn()
        await stream.return!()
        await first
      },
    ],
  ]
  const statements: [string, unknown[]][] = [
    ['select range as a from range(1000000)', []],
    ['select range as a from range(1000000) where range >= $1', [0]],
    ['update t set b = b returning a', []],
    ['from t order by a', []],
  ]

  for (const [how, leaveIt] of leave) {
    test(`by ${how} frees its connection`, async () => {
      const database = await withRows(5_000, { pool: { max: 1, acquireTimeoutMs: 5_000 } })
      for (const [sql, parameters] of statements) {
        for (const chunkRows of [2, 3_000]) {
          await leaveIt(database.stream(sql, parameters, { chunkRows }))
          await expectIdle(database)
          await expectNoSnapshots(database)
        }
      }
      expect(database.poolStats).toMatchObject({ size: 1, closedBroken: 0 })
      expect((await read(database, all)).values).toEqual(upTo(5_000))
      expect((await database.close()).forced).toEqual([])
    })

    test(`by ${how} leaves its transaction as it was`, async () => {
      const database = await withRows(5_000, { pool: { max: 1, acquireTimeoutMs: 5_000 } })
      for (const [sql, parameters] of statements) {
        await database.transaction(async (tx) => {
          await run(tx, 'insert into t values (-1, null)')
          await leaveIt(tx.stream(sql, parameters, { chunkRows: 2 }))
          await run(tx, 'delete from t where a = -1')
          await run(tx, 'insert into t values (0, null)')
        })
      }
      expect(await column(database, all)).toEqual([0, 0, 0, 0, ...upTo(5_000)])
      expect(database.poolStats).toMatchObject({ size: 1, closedBroken: 0 })
    })
  }

  test('says that it is at its end from then on', async () => {
    const database = await withRows(5)
    const stream = database.stream(all, [], { chunkRows: 1 })
    await stream.next()
    expect(await stream.return!()).toEqual({ done: true, value: undefined })
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  test('rethrows the error of its consumer as it is', async () => {
    const database = await withRows(5)
    const mine = Object.freeze(new Error('mine'))
    const thrown = await rejection(async () => {
      for await (const _ of database.stream(all)) throw mine
    })
    expect(thrown).toBe(mine)
  })

  test('does not wait for the statements of others when it is left', async () => {
    const database = await withRows(5_000)
    const streams = upTo(3).map(() => database.stream(all))
    for (const stream of streams) await stream.next()
    const controller = new AbortController()
    const { signal } = controller
    const busy = upTo(3).map(() => rejection(database.execute(heavy, [], { signal })))
    await sleep(50)
    await Promise.all(streams.map((stream) => stream.return!()))
    controller.abort()
    await Promise.all(busy)
    await expectIdle(database)
  })

  test('that was never started holds nothing', async () => {
    const database = await withRows(5, { pool: { max: 1 } })
    for (let again = 0; again < 10; again++) database.stream(all)
    expect((await read(database, all)).values).toEqual(upTo(5))
    await database.transaction(async (tx) => {
      for (let again = 0; again < 10; again++) tx.stream(all)
      expect(await column(tx, all)).toEqual(upTo(5))
    })
    expect((await database.close()).forced).toEqual([])
  })

  test('is named by the leak report of the pool', async () => {
    const leaks: { sql?: string | undefined; purpose?: string | undefined; stack: string }[] = []
    // On a slow machine what fills the table may take long enough to be reported, too.
    const onLeak = (leak: (typeof leaks)[0]): void => {
      if (leak.purpose === 'stream') leaks.push(leak)
    }
    const pool = { max: 2, leakAfterMs: 20, onLeak }
    const database = await withRows(5, { pool })
    const stream = database.stream(all, [], { chunkRows: 1 })
    await stream.next()
    await expect.poll(() => leaks.length).toBe(1)
    expect(leaks[0]).toMatchObject({ sql: all, purpose: 'stream', state: 'leaked' })
    await stream.return!()
    expect(leaks[1]).toMatchObject({ state: 'recovered' })
  })

  test('and is forgotten is closed once it is garbage, and named in a warning', async () => {
    const program = startProgram(new URL('./programs/stream-forgotten.ts', import.meta.url))
    const lines: string[] = []
    for (let line = await program.line(); line !== undefined; line = await program.line())
      lines.push(line)
    expect(lines).toEqual([
      'STREAM_ABANDONED Nobody has closed a stream, open for N ms, begun at stream-forgotten.ts, last statement: `from t`. ' +
        'Read it to its end, leave its loop, or call its return().',
      'abandoned',
      'in use: 0',
      'in a transaction: 3',
      'waited for: true',
      'read slowly: 30000',
      'forced: 0',
    ])
    expect((await program.end()).code).toBe(0)
  })

  test('is ended by close(), which names it', async () => {
    const database = await withRows(5)
    const reading = database.stream(all, [], { chunkRows: 1 })
    await reading.next()
    const { forced } = await database.close({ deadlineMs: 0 })
    expect(forced).toHaveLength(1)
    expect(forced[0]).toMatch(
      /^a stream, open for \d+ ms, begun at \S*streams\.test\.ts:\d+:\d+, last statement: `/,
    )
    expect(await rejection(reading.next())).toMatchObject({ code: 'DATABASE_CLOSED' })
    expect(await reading.next()).toEqual({ done: true, value: undefined })
  })
})

describe('a stream that fails', () => {
  test('as it opens passes the error of DuckDB on, and is at its end from then on', async () => {
    const database = await withRows(5, { pool: { max: 1 } })
    const failures: [string, RegExp][] = [
      ['select * from missing', /^Catalog Error: /],
      ['select nothing from t', /^Binder Error: /],
      ['selec 1', /^Parser Error: /],
      ["select 'x'::integer", /^Conversion Error: /],
      ["select a from t order by error('no')", /^Invalid Input Error: no/],
    ]
    for (const [sql, message] of failures) {
      const stream = database.stream(sql)
      expect((await rejection(stream.next())).message).toMatch(message)
      expect(await stream.next()).toEqual({ done: true, value: undefined })
      await expectIdle(database)
    }
    expect(database.poolStats).toMatchObject({ size: 1, closedBroken: 0 })
  })

  test('because a value cannot be read frees its connection', async () => {
    const database = await withRows(5, { pool: { max: 1 } })
    const sql =
      'select case when range = 90000 then 9007199254740993 else range end as a from range(100000)'
    const seen: unknown[] = []
    const error = await rejection(async () => {
      for await (const rows of database.stream(sql)) seen.push(...rows)
    })
    expect(error).toBeInstanceOf(Int64RangeError)
    expect(error.column).toBe('a')
    expect(seen.length).toBeGreaterThan(80_000)
    await expectIdle(database)
    await expectNoSnapshots(database)
  })

  test('fails its transaction, which cannot be committed', async () => {
    const database = await withRows(5)
    const midway = `select case when range = 90000 then error('x') else range end as a from range(100000)`
    const large = 'select 9007199254740993 as a'
    for (const sql of [midway, large, 'select * from missing', `${midway} where range > $1`]) {
      const session = database.connect()
      await session.begin()
      await run(session, 'insert into t values (99, null)')
      const parameters = sql.includes('$1') ? [0] : []
      const error = await rejection(read(session, sql, {}, parameters))
      expect(await rejection(session.execute('select 1'))).toMatchObject({
        code: 'TRANSACTION_ABORTED',
        cause: error,
      })
      expect(await rejection(session.stream('select 1').next())).toMatchObject({ cause: error })
      expect(await rejection(session.commit())).toMatchObject({ cause: error })
      expect(session.inTransaction).toBe(false)
    }
    expect(await column(database, all)).toEqual(upTo(5))
    await expectIdle(database)
  })
})

describe('an abort', () => {
  test('before the first row throws the reason, and asks DuckDB for nothing', async () => {
    const database = await withRows(5)
    const reason = new Error('enough')
    const stream = database.stream(all, [], { signal: AbortSignal.abort(reason) })
    expect(await rejection(stream.next())).toBe(reason)
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    await expectIdle(database)
  })

  test('while it waits for a connection ends the wait', async () => {
    const database = await withRows(5, { pool: { max: 1 } })
    const other = await database.reserve()
    const controller = new AbortController()
    const reason = new Error('enough')
    const first = rejection(database.stream(all, [], { signal: controller.signal }).next())
    await nextTurn()
    controller.abort(reason)
    expect(await first).toBe(reason)
    await other.release()
    await expectIdle(database)
  })

  test('while DuckDB computes its first row interrupts it', async () => {
    const database = await withRows(5)
    for (const [sql, parameters] of [
      [heavy, []],
      [`${heavy} where x.range > $1`, [1]],
    ] as const) {
      const controller = new AbortController()
      const reason = new Error('enough')
      const stream = database.stream(sql, parameters, { signal: controller.signal })
      const first = rejection(stream.next())
      await sleep(30)
      controller.abort(reason)
      expect(await first).toBe(reason)
      expect(await stream.next()).toEqual({ done: true, value: undefined })
      await expectIdle(database)
    }
  })

  test('between two chunks is thrown by the next one', async () => {
    const database = await withRows(5_000)
    const controller = new AbortController()
    const reason = new Error('enough')
    const stream = database.stream(all, [], { chunkRows: 10, signal: controller.signal })
    await stream.next()
    controller.abort(reason)
    await expect.poll(() => database.poolStats.inUse).toBe(0)
    expect(await rejection(stream.next())).toBe(reason)
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    await expectNoSnapshots(database)
  })

  test('after its end changes nothing', async () => {
    const database = await withRows(5)
    const controller = new AbortController()
    const stream = database.stream(all, [], { signal: controller.signal })
    await stream.next()
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    controller.abort(new Error('too late'))
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    await expectIdle(database)
  })

  test('fails its transaction, wherever the stream is', async () => {
    const database = await withRows(5_000)
    for (const isReading of [true, false]) {
      const session = database.connect()
      await session.begin()
      await run(session, 'insert into t values (0, null)')
      const controller = new AbortController()
      const reason = new Error('enough')
      const stream = session.stream(all, [], { chunkRows: 10, signal: controller.signal })
      await stream.next()
      const next = isReading ? rejection(stream.next()) : undefined
      controller.abort(reason)
      expect(await (next ?? rejection(stream.next()))).toBe(reason)
      const error = await rejection(session.commit())
      expect(error).toMatchObject({ code: 'TRANSACTION_ABORTED', cause: reason })
    }
    expect(await value(database, 'select count(*)::integer from t')).toBe(5_000)
    await expectIdle(database)
  })

  test('of a stream beside a transaction of its session does not concern the transaction', async () => {
    const database = await withRows(5_000)
    const session = database.connect()
    const controller = new AbortController()
    const beside = session.stream(all, [], { chunkRows: 10, signal: controller.signal })
    await beside.next()
    await session.begin()
    await run(session, 'insert into t values (0, null)')
    controller.abort(new Error('enough'))
    await rejection(beside.next())
    await run(session, 'insert into t values (-1, null)')
    await session.commit()
    expect(await value(database, 'select min(a) from t')).toBe(-1)
  })

  test('by cancel() ends the streams of the session', async () => {
    const database = await withRows(5_000)
    const session = database.connect()
    const streams = upTo(3).map(() => session.stream(all, [], { chunkRows: 10 }))
    await Promise.all(streams.map((stream) => stream.next()))
    const reason = new Error('enough')
    session.cancel(reason)
    for (const stream of streams) expect(await rejection(stream.next())).toBe(reason)
    await expectIdle(database)
    expect(await value(session, 'select 42')).toBe(42)
  })
})

describe('queryTimeoutMs', () => {
  afterEach(() => void vi.useRealTimers())

  test('ends a stream for which DuckDB works for longer', async () => {
    const database = await open({ path: ':memory:', queryTimeoutMs: 200 })
    for (const sql of [
      heavy,
      `select a from range(5) t(a), range(100000000) r where hash(r.range + a) = 1`,
    ]) {
      const error = await rejection(read(database, sql))
      expect(error).toBeInstanceOf(QueryTimeoutError)
      expect(error.message).toContain('200 ms (queryTimeoutMs)')
      expect(error.message).toContain(sql.slice(0, 40))
      await expectIdle(database)
    }
  })

  test('does not count the time that the consumer takes', async () => {
    // Time passes only when the consumer says so, however busy the machine is.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const database = await withRows(5_000, { queryTimeoutMs: 400 })
    const values: unknown[] = []
    for await (const rows of database.stream<{ a: number }>(all, [], { chunkRows: 1_000 })) {
      values.push(...rows.map(({ a }) => a))
      await vi.advanceTimersByTimeAsync(390)
    }
    expect(values).toEqual(upTo(5_000))
  })

  test('does not count the time for which it waits for a connection or a thread', async () => {
    const database = await withRows(50, { queryTimeoutMs: 1_000, pool: { max: 8 } })
    const busy = upTo(8).map(() => rejection(database.execute(heavy)))
    await nextTurn()
    // The first three run for a second, then the next three, then the last two.
    expect((await read(database, all)).values).toEqual(upTo(50))
    for (const error of await Promise.all(busy)) expect(error).toBeInstanceOf(QueryTimeoutError)
  })
})

describe('in a transaction', () => {
  test('a stream reads what the transaction wrote', async () => {
    const database = await withRows(5)
    await database.transaction(async (tx) => {
      await run(tx, 'insert into t values (6, null)')
      expect((await read(tx, all)).values).toEqual(upTo(6))
      expect((await read(database, all)).values).toEqual(upTo(5))
    })
  })

  test('everything else is refused while it is open, by an error that names it', async () => {
    const database = await withRows(5)
    await database.transaction(async (tx) => {
      const stream = tx.stream(all, [], { chunkRows: 1 })
      await stream.next()
      for (const attempt of [
        () => tx.execute('select 1'),
        () => tx.execute('insert into t values (6, null)'),
        () => tx.stream('select 1').next(),
      ]) {
        const error = await rejection(attempt)
        expect(error).toBeInstanceOf(ConnectionBusyError)
        expect(error.message).toContain(`\`${all}\``)
      }
      expect((await stream.next()).value).toEqual([{ a: 2 }])
      await stream.return!()
      await run(tx, 'insert into t values (6, null)')
    })
    expect(await column(database, all)).toEqual(upTo(6))
  })

  test('two at once are refused, and the first goes on', async () => {
    const database = await withRows(5)
    await database.transaction(async (tx) => {
      const [first, second] = await Promise.allSettled([read(tx, all), read(tx, all)])
      expect(first).toMatchObject({ value: { values: upTo(5) } })
      expect(second).toMatchObject({ reason: { code: 'CONNECTION_BUSY' } })
    })
  })

  test('statements that were asked for before it run before it', async () => {
    const database = await withRows(5)
    await database.transaction(async (tx) => {
      const inserting = tx.execute('insert into t values (6, null)')
      expect((await read(tx, all)).values).toEqual(upTo(6))
      await inserting
    })
  })

  test('a commit ends it with an error for its consumer, and commits', async () => {
    const database = await withRows(5_000)
    for (const isReading of [true, false]) {
      const session = database.connect()
      await session.begin()
      await run(session, 'insert into t values (0, null)')
      const stream = session.stream(all, [], { chunkRows: 10 })
      await stream.next()
      const next = isReading ? rejection(stream.next()) : undefined
      await session.commit()
      const error = await (next ?? rejection(stream.next()))
      expect(error).toBeInstanceOf(TransactionClosedError)
      expect(error.message).toMatch(/^The transaction was committed while the stream was open\. /)
      expect(await stream.next()).toEqual({ done: true, value: undefined })
    }
    expect(await value(database, 'select count(*)::integer from t where a = 0')).toBe(2)
    await expectIdle(database)
  })

  test('a rollback ends it with an error for its consumer, also while DuckDB computes', async () => {
    const database = await withRows(5_000)
    for (const sql of [all, heavy]) {
      const session = database.connect()
      await session.begin()
      await run(session, 'insert into t values (0, null)')
      const stream = session.stream(sql, [], { chunkRows: 10 })
      const first = sql === all ? await stream.next() : rejection(stream.next())
      await sleep(20)
      await session.rollback()
      const error = await (first instanceof Promise ? first : rejection(stream.next()))
      expect(error).toBeInstanceOf(TransactionClosedError)
      expect(error.message).toMatch(/^The transaction was rolled back while the stream was open\. /)
    }
    expect(await column(database, 'select count(*)::integer from t where a = 0')).toEqual([0])
    await expectIdle(database)
  })

  test('a release ends it, and the streams beside it', async () => {
    const database = await withRows(5_000)
    const session = database.connect()
    const beside = session.stream(all, [], { chunkRows: 10 })
    await beside.next()
    await session.begin()
    const stream = session.stream(all, [], { chunkRows: 10 })
    await stream.next()
    await session.release()
    for (const each of [beside, stream]) {
      const error = await rejection(each.next())
      expect(error).toBeInstanceOf(TransactionClosedError)
      expect(error.message).toMatch(/^The session was released while the stream was open\. /)
    }
    expect(await rejection(session.stream(all).next())).toBeInstanceOf(TransactionClosedError)
    await expectIdle(database)
  })
})

describe('statements that write', () => {
  test('write everything, however many of their rows are read', async () => {
    const database = await withRows(0)
    const insert = `insert into t select range, null from range(10000) returning a`
    for await (const rows of database.stream(insert, [], { chunkRows: 3 })) {
      expect(rows).toHaveLength(3)
      break
    }
    expect(await value(database, 'select count(*)::integer from t')).toBe(10_000)
    expect((await read(database, 'update t set a = a + 1 returning a')).values).toHaveLength(10_000)
    const { values } = await read(database, 'delete from t where a > $1 returning a', {}, [9_000])
    expect(values).toHaveLength(1_000)
    expect(await value(database, 'select count(*)::integer from t')).toBe(9_000)
  })

  test('are undone with their transaction', async () => {
    const database = await withRows(5)
    const mine = new Error('mine')
    const thrown = rejection(
      database.transaction(async (tx) => {
        await read(tx, 'delete from t returning a')
        throw mine
      }),
    )
    expect(await thrown).toBe(mine)
    expect(await column(database, all)).toEqual(upTo(5))
  })

  test('and return no rows are refused before they run', async () => {
    const database = await withRows(5)
    const refused = [
      'delete from t',
      'update t set b = null',
      'insert into t values (6, null)',
      'drop table t',
      'create table u as select * from t',
      'truncate t',
      "copy t to '/nowhere/x.csv'",
    ]
    for (const sql of refused) {
      const error = await rejection(database.stream(sql).next())
      expect(error).toBeInstanceOf(DuckDBStatementError)
      expect(error).toMatchObject({ code: 'NO_ROWS_TO_STREAM' })
    }
    await database.transaction(async (tx) => {
      await run(tx, 'insert into t values (6, null)')
      for (const sql of refused) await rejection(tx.stream(sql).next())
    })
    expect(await column(database, all)).toEqual(upTo(6))
  })

  test.for([
    'values (1), (2)',
    'explain select 1',
    'explain analyze select 1',
    'describe t',
    'show tables',
    'summarize t',
    "pragma table_info('t')",
    'call pragma_version()',
    'table t',
    'with x as (select 1 as a) from x',
    'pivot t on a using count(*)',
  ])('unlike them `%s` is streamed', async (sql) => {
    const database = await withRows(2)
    expect((await read(database, sql)).values.length).toBeGreaterThan(0)
    await database.transaction(async (tx) => {
      expect((await read(tx, sql)).values.length).toBeGreaterThan(0)
    })
    await expectIdle(database)
  })
})

describe('many at once', () => {
  test('take turns when there are more of them than connections', async () => {
    const database = await withRows(5_000, { pool: { max: 3 } })
    const order: number[] = []
    const results = await Promise.all(
      upTo(20).map(async (each) => {
        const values: number[] = []
        for await (const rows of database.stream<{ a: number }>(all, [], { chunkRows: 1_500 })) {
          if (values.length === 0) order.push(each)
          values.push(...rows.map(({ a }) => a))
          await sleep(1)
        }
        return values
      }),
    )
    for (const values of results) expect(values).toEqual(upTo(5_000))
    expect(order.toSorted((a, b) => a - b)).toEqual(upTo(20))
    expect(database.poolStats).toMatchObject({ size: 3, inUse: 0, waiting: 0 })
  })

  test('see each one state of the data, whatever is written meanwhile', async () => {
    const database = await withRows(200_000)
    const count = async (): Promise<number> => {
      let seen = 0
      for await (const rows of database.stream('select a from t where b is not null')) {
        seen += rows.length
        if (seen < 10_000) await run(database, "insert into t select 0, 'new' from range(5000)")
      }
      return seen
    }
    const counts = await Promise.all([count(), count(), count()])
    for (const seen of counts) expect((seen - 200_000) % 5_000).toBe(0)
  })

  test('do not keep a slow consumer from others', async () => {
    const database = await withRows(5_000, { pool: { max: 2 } })
    const slow = database.stream(all, [], { chunkRows: 10 })
    await slow.next()
    for (let again = 0; again < 50; again++) await value(database, 'select 1')
    expect((await slow.next()).value).toHaveLength(10)
    await slow.return!()
  })

  test('leave the event loop its turns, also with many columns', async () => {
    const columns = upTo(300).map((each) => `range + ${each} as c${each}`)
    const database = await withRows(1)
    const sql = `select ${columns.join(', ')} from range(20000)`
    const { result, longestGapMs, workedMs, turns } = await watchingLoop(async () => {
      let rows = 0
      for await (const chunk of database.stream(sql)) rows += chunk.length
      return rows
    })
    expect(result).toBe(20_000)
    expect(turns).toBeGreaterThan(20)
    expect(longestGapMs).toBeLessThan(workedMs / 3)
  })
})

describe('memory', () => {
  /** Young objects are collected often, so that what is measured is what is held. */
  const flags = ['--max-semi-space-size=4', '--max-old-space-size=100']
  const consumers: [string, number][] = [
    ['fast', 5_000_000],
    ['slow', runs(1_000_000, 5_000_000)],
    ['left early', runs(300_000, 5_000_000)],
  ]

  test.for(consumers)(
    'stays bounded, whatever the size of the result (%s, %i rows)',
    async ([consumer, rows]) => {
      const program = fileURLToPath(new URL('./programs/stream-memory.ts', import.meta.url))
      const parameters = [...flags, program, consumer, String(rows)]
      const { stdout } = await promisify(execFile)(process.execPath, parameters)
      const report = JSON.parse(stdout) as { rows: number; peakMb: number }
      expect(report.rows).toBe(rows)
      expect(report.peakMb).toBeLessThan(200)
    },
  )
})
