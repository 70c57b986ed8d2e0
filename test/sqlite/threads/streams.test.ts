import type { SqliteDatabase, SqliteOptions } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { column, plain, run, value } from '../fixture.ts'
import {
  before,
  expectGone,
  functions,
  modes,
  openThreads,
  rowCounter,
  until,
  upTo,
} from './fixture.ts'

async function withRows(count: number, options: SqliteOptions = {}): Promise<SqliteDatabase> {
  const database = openThreads(options)
  await run(
    database,
    'create table t (a integer primary key, b text)',
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}) insert into t select i, 'row ' || i from n`,
  )
  return database
}

const all = 'select a from t order by a'

async function read(
  database: Pick<SqliteDatabase, 'stream'>,
  sql: string,
  chunkRows = 100,
): Promise<unknown[]> {
  const values: unknown[] = []
  for await (const chunk of database.stream<Record<string, unknown>>(sql, [], { chunkRows })) {
    expect(chunk.length).toBeGreaterThan(0)
    expect(chunk.length).toBeLessThanOrEqual(chunkRows)
    for (const row of chunk) values.push(Object.values(row)[0])
  }
  return values
}

describe.for(modes)('streams: %s', (mode) => {
  test.for([0, 1, 2, 499, 500, 501, 1000, 2501])(
    'bring all of %i rows, in order, whatever the chunks',
    async (count) => {
      const database = await withRows(2501, { mode, readers: 2 })
      const sql = `select a from t where a <= ${count} order by a`
      for (const chunkRows of [1, 7, 500, 1_000_000]) {
        if (chunkRows === 1 && count > 1000) continue
        expect(await read(database, sql, chunkRows)).toEqual(upTo(count))
      }
    },
  )

  test('let ordinary reads and writes go on while as many are open as there are readers', async () => {
    const database = await withRows(100, { mode, readers: 3, busyTimeoutMs: 2_000 })
    const streams = upTo(3).map(() => database.stream<{ a: number }>(all, [], { chunkRows: 10 }))
    for (const stream of streams) expect((await stream.next()).value).toHaveLength(10)
    expect(await value(database, 'select count(*) from t')).toBe(100)
    expect(await Promise.all(upTo(30).map((n) => value(database, 'select ?', [n])))).toEqual(
      upTo(30),
    )
    await run(database, 'delete from t where a > 90')
    await database.transaction((tx) => tx.execute('delete from t where a > 80'))
    expect(await value(database, 'select count(*) from t')).toBe(80)
    for (const stream of streams) {
      const rest: number[] = []
      for await (const chunk of stream) rest.push(...chunk.map(({ a }) => a))
      // Each sees the state with which it began.
      expect(rest).toEqual(upTo(100).slice(10))
    }
  })

  test('that are more than the readers wait for each other', async () => {
    const database = await withRows(200, { mode, readers: 2, busyTimeoutMs: 60_000 })
    const results = await Promise.all(
      upTo(12).map(async () => {
        const values: unknown[] = []
        for await (const chunk of database.stream<{ a: number }>(all, [], { chunkRows: 20 })) {
          values.push(...chunk.map(({ a }) => a))
          await database.execute('select 1')
        }
        return values
      }),
    )
    for (const values of results) expect(values).toEqual(upTo(200))
  })

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
      'return() without waiting for next()',
      async (stream) => {
        await Promise.all([stream.next(), stream.return!()])
      },
    ],
    ['being forgotten unstarted', async () => {}],
  ]
  test.for(leave)('that are left by %s free their reader', async ([, leaveIt]) => {
    const database = await withRows(2_000, { mode, readers: 1, busyTimeoutMs: 2_000 })
    for (const n of upTo(30)) {
      await leaveIt(database.stream(all, [], { chunkRows: 5 }))
      if (n % 10 === 0)
        await leaveIt(database.stream('update t set b = b returning a', [], { chunkRows: 5 }))
    }
    await run(database, 'delete from t where a > 3')
    expect(await read(database, all)).toEqual([1, 2, 3])
    expect((await database.close()).forced).toEqual([])
  })

  test('that are left by their signal free their reader', async () => {
    const database = await withRows(2_000, { mode, readers: 1, busyTimeoutMs: 2_000 })
    for (const _ of upTo(30)) {
      const controller = new AbortController()
      const stream = database.stream(all, [], { chunkRows: 5, signal: controller.signal })
      await stream.next()
      const reason = new Error('enough')
      controller.abort(reason)
      expect(await rejection(stream.next())).toBe(reason)
      expect(await stream.next()).toEqual({ done: true, value: undefined })
    }
    expect(await read(database, all)).toEqual(upTo(2_000))
  })

  test('that fail midway throw, after the rows that came before', async () => {
    const database = await withRows(1_000, { mode, readers: 1 })
    const sql =
      'select case when a = 905 then abs(-9223372036854775807 - 1) else a end as a from t order by t.a'
    const seen: number[] = []
    const error = await rejection(async () => {
      for await (const chunk of database.stream<{ a: number }>(sql, [], { chunkRows: 100 }))
        seen.push(...chunk.map(({ a }) => a))
    })
    expect(error).toMatchObject({
      name: 'SqliteError',
      code: 'SQLITE_ERROR',
      message: 'integer overflow',
    })
    expect(error.stack).toContain('streams.test.ts')
    expect(seen).toEqual(upTo(seen.length))
    expect(seen.length).toBeLessThan(905)
    expect(await read(database, all)).toEqual(upTo(1_000))
    // One that fails before its first row, too.
    expect((await rejection(read(database, 'select a from missing'))).message).toBe(
      'no such table: missing',
    )
  })

  test('of INSERT, UPDATE and DELETE with RETURNING are kept, also when they are left early, and undone when they fail', async () => {
    const database = await withRows(1_000, { mode })
    for await (const _ of database.stream("update t set b = 'left' returning a", [], {
      chunkRows: 1,
    }))
      break
    expect(await value(database, "select count(*) from t where b = 'left'")).toBe(1_000)
    const failing =
      "update t set b = 'failed' returning case when a = 900 then abs(-9223372036854775807 - 1) else a end"
    expect((await rejection(read(database, failing, 10))).message).toBe('integer overflow')
    expect(await value(database, "select count(*) from t where b = 'left'")).toBe(1_000)
    expect(await read(database, 'delete from t where a > 10 returning a', 7)).toHaveLength(990)
    expect(await column(database, all)).toEqual(upTo(10))
    expect(plain(database.path).prepare('select count(*) from t').pluck().get()).toBe(10)
  })

  test('in a transaction see what it has written, and nobody else does', async () => {
    const database = await withRows(3, { mode, readers: 1 })
    await database.transaction(async (tx) => {
      await tx.execute("insert into t values (4, 'mine')")
      expect(await read(tx, all, 1)).toEqual(upTo(4))
      expect(await read(database, all, 1)).toEqual(upTo(3))
      for await (const _ of tx.stream(all, [], { chunkRows: 1 })) break
      await tx.execute("insert into t values (5, 'mine')")
    })
    expect(await read(database, all)).toEqual(upTo(5))
  })

  test('that are forgotten are ended by close(), which names them', async () => {
    const earlier = before()
    const database = await withRows(1_000, { mode, readers: 2 })
    const streams = [
      database.stream(all, [], { chunkRows: 1 }),
      database.stream(all, [], { chunkRows: 1 }),
      database.stream("insert into t values (9999, 'x') returning a", [], { chunkRows: 1 }),
    ]
    for (const stream of streams) await stream.next()
    const { forced } = await database.close()
    expect(forced).toHaveLength(3)
    for (const each of forced)
      expect(each).toMatch(/^a stream, open for \d+ ms, begun at \S*streams\.test\.ts:\d+:\d+/)
    for (const stream of streams)
      expect((await rejection(stream.next())).code).toBe('DATABASE_CLOSED')
    await expectGone(database, earlier)
    expect(plain(database.path).prepare('select count(*) from t').pluck().get()).toBe(1_000)
  })

  test('can be read by several at once, of one statement with other parameters', async () => {
    const database = await withRows(300, { mode, readers: 3, busyTimeoutMs: 60_000 })
    const results = await Promise.all(
      upTo(9).map(async (least) => {
        const values: number[] = []
        const sql = 'select a from t where a >= ? order by a'
        for await (const chunk of database.stream<{ a: number }>(sql, [least], { chunkRows: 7 }))
          values.push(...chunk.map(({ a }) => a))
        return values
      }),
    )
    for (const [index, values] of results.entries()) expect(values).toEqual(upTo(300).slice(index))
  })

  test('bring rows as arrays, with columns of one name', async () => {
    const database = await withRows(700, { mode, readers: 1 })
    const arrays: unknown[] = []
    for await (const chunk of database.stream('select a, b as a from t order by t.a', [], {
      rows: 'arrays',
    }))
      arrays.push(...chunk)
    expect(arrays).toEqual(upTo(700).map((n) => [n, `row ${n}`]))
  })
})

describe('a stream on a thread', () => {
  test('does not run ahead of a consumer that is slow', async () => {
    const total = 50_000
    const database = await withRows(total, { readers: 1, connectionModule: functions })
    const made = rowCounter()
    const stream = database.stream<{ a: number }>(`select a, ${made.sql} from t order by a`, [], {
      chunkRows: 50,
    })
    expect((await stream.next()).value).toHaveLength(50)
    // It comes to rest by itself, far from the end.
    let last = -1
    let looks = 0
    await until(() => {
      const count = made.count()
      looks = count === last ? looks + 1 : 0
      last = count
      return looks === 10
    }, 'the stream to come to rest')
    expect(made.count()).toBeLessThan(total / 10)
    const rest: number[] = []
    for await (const chunk of stream) rest.push(...chunk.map(({ a }) => a))
    expect(rest).toEqual(upTo(total).slice(50))
    expect(made.count()).toBe(total)
  })

  test('stops soon after it was left', async () => {
    const total = 50_000
    const database = await withRows(total, { readers: 1, connectionModule: functions })
    const made = rowCounter()
    for await (const _ of database.stream(`select a, ${made.sql} from t`, [], { chunkRows: 50 }))
      break
    expect(await read(database, 'select 1')).toEqual([1])
    expect(made.count()).toBeLessThan(total / 10)
  })
})
