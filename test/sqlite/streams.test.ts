import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionBusyError, TransactionClosedError } from '@keelson/core'
import type { SqliteDatabase, SqliteOptions, StreamOptions } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { nextTurn, watchingLoop } from '../support/event-loop.ts'
import { rejection } from '../support/rejection.ts'
import { column, open, plain, run, value } from './fixture.ts'

async function withRows(count: number, options: SqliteOptions = {}): Promise<SqliteDatabase> {
  const database = open(options)
  await run(
    database,
    'create table t (a integer primary key, b text)',
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}) insert into t select i, 'row ' || i from n`,
  )
  return database
}

const all = 'select a from t order by a'

/** The sizes of the chunks and the values of the first column. */
async function read(
  database: Pick<SqliteDatabase, 'stream'>,
  sql: string,
  options: StreamOptions = {},
): Promise<{ sizes: number[]; values: unknown[] }> {
  const sizes: number[] = []
  const values: unknown[] = []
  for await (const chunk of database.stream<Record<string, unknown>>(sql, [], options)) {
    sizes.push(chunk.length)
    for (const row of chunk) values.push(Object.values(row)[0])
  }
  return { sizes, values }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

describe('chunks', () => {
  const sizes: [number, number, number[]][] = [
    [0, 10, []],
    [1, 10, [1]],
    [9, 10, [9]],
    [10, 10, [10]],
    [11, 10, [10, 1]],
    [20, 10, [10, 10]],
    [3, 1, [1, 1, 1]],
    [3, 1_000_000, [3]],
  ]
  test.for(sizes)('%i rows by %i come as %j', async ([count, chunkRows, expected]) => {
    const database = await withRows(count)
    // A busy machine may end a chunk early, to give the event loop its turn.
    const result = await read(database, `select a from t where a <= ${count} order by a`, {
      chunkRows,
    })
    expect(result.values).toEqual(count === 0 ? [] : upTo(count))
    if (result.sizes.length === expected.length) expect(result.sizes).toEqual(expected)
    expect(Math.max(0, ...result.sizes)).toBeLessThanOrEqual(chunkRows)
  })

  test('are of 500 rows by default', async () => {
    const database = await withRows(1200)
    const { sizes: actual } = await read(database, all)
    expect(Math.max(...actual)).toBeLessThanOrEqual(500)
    expect(actual[0]).toBeGreaterThan(15)
  })

  test('are arrays of objects, or of arrays', async () => {
    const database = await withRows(2)
    for await (const chunk of database.stream('select * from t')) {
      expect(chunk).toEqual([
        { a: 1, b: 'row 1' },
        { a: 2, b: 'row 2' },
      ])
    }
    for await (const chunk of database.stream('select * from t', [], { rows: 'arrays' })) {
      expect(chunk).toEqual([
        [1, 'row 1'],
        [2, 'row 2'],
      ])
    }
  })

  test('of one and the same statement can be read by several streams at once', async () => {
    const database = await withRows(300)
    const results = await Promise.all(upTo(4).map(() => read(database, all, { chunkRows: 7 })))
    for (const { values } of results) expect(values).toEqual(upTo(300))
    await database.transaction(async (tx) => {
      const stream = tx.stream<{ a: number }>(all, [], { chunkRows: 7 })
      expect((await stream.next()).value).toHaveLength(7)
      expect((await read(database, all)).values).toEqual(upTo(300))
      await stream.return!()
      expect(await column(tx, all)).toEqual(upTo(300))
    })
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
        await stream.return!()
        await stream.return!()
      },
    ],
    [
      'return() without waiting for next()',
      async (stream) => {
        await Promise.all([stream.next(), stream.return!()])
      },
    ],
  ]

  for (const path of [undefined, ':memory:'] as const) {
    test.for(leave)(`by %s frees its connection, in ${path ?? 'a file'}`, async ([, leaveIt]) => {
      const database = await withRows(50, { ...(path && { path }), readers: 1, busyTimeoutMs: 200 })
      for (let again = 0; again < 5; again++) {
        await leaveIt(database.stream(all, [], { chunkRows: 2 }))
        await leaveIt(database.stream('update t set b = b returning a', [], { chunkRows: 2 }))
      }
      await run(database, 'delete from t where a > 3')
      expect((await read(database, all)).values).toEqual([1, 2, 3])
      const report = await database.close()
      expect(report.forced).toEqual([])
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
    const mine = new Error('mine')
    const thrown = await rejection(async () => {
      for await (const _ of database.stream(all)) throw mine
    })
    expect(thrown).toBe(mine)
    expect(thrown.suppressed).toBeUndefined()
  })

  test('that was never started holds nothing', async () => {
    const database = await withRows(5, { readers: 1 })
    for (let again = 0; again < 10; again++) database.stream(all)
    expect((await read(database, all)).values).toEqual(upTo(5))
    expect((await database.close()).forced).toEqual([])
  })

  test('and is forgotten is ended by close(), which names it', async () => {
    const database = await withRows(5)
    const reading = database.stream(all, [], { chunkRows: 1 })
    await reading.next()
    const writing = database.stream("insert into t values (99, 'x') returning a", [], {
      chunkRows: 1,
    })
    await writing.next()
    const { forced } = await database.close()
    expect(forced).toHaveLength(2)
    for (const each of forced)
      expect(each).toMatch(
        /^a stream, open for \d+ ms, begun at \S*streams\.test\.ts:\d+:\d+, last statement: `/,
      )
    expect(await rejection(reading.next())).toMatchObject({ code: 'DATABASE_CLOSED' })
    expect(plain(database.path).prepare('select count(*) as n from t where a = 99').get()).toEqual({
      n: 0,
    })
  })
})

describe('a stream that fails midway', () => {
  test('throws, so that its end is not taken for the end of the data', async () => {
    const database = await withRows(100)
    const seen: unknown[] = []
    const error = await rejection(async () => {
      const sql =
        'select case when a = 50 then abs(-9223372036854775807 - 1) else a end as a from t'
      for await (const chunk of database.stream<{ a: number }>(sql, [], { chunkRows: 10 }))
        seen.push(...chunk.map(({ a }) => a))
    })
    expect(error).toMatchObject({ name: 'SqliteError', message: 'integer overflow' })
    expect(seen).toEqual(upTo(40))
    expect((await read(database, all)).values).toEqual(upTo(100))
  })

  test('by its signal ends with the reason, at the next chunk', async () => {
    const database = await withRows(100)
    const controller = new AbortController()
    const reason = new Error('enough')
    const stream = database.stream(all, [], { chunkRows: 10, signal: controller.signal })
    await stream.next()
    controller.abort(reason)
    expect(await rejection(stream.next())).toBe(reason)
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    await run(database, 'delete from t')
  })
})

describe('a read', () => {
  test('sees one state of the data, whatever is written meanwhile', async () => {
    const database = await withRows(100)
    const other = plain(database.path)
    const seen: number[] = []
    for await (const chunk of database.stream<{ a: number }>(all, [], { chunkRows: 10 })) {
      seen.push(...chunk.map(({ a }) => a))
      await database.execute('insert into t (b) values (?)', ['new'])
      await database.transaction((tx) =>
        tx.execute('delete from t where a = ?', [100 - seen.length / 10]),
      )
      other.exec("insert into t (b) values ('other')")
    }
    expect(seen).toEqual(upTo(100))
    expect(await value(database, 'select count(*) from t')).toBe(110)
  })

  test('of what only the write connection knows runs there', async () => {
    const database = await withRows(3)
    const otherPath = open()
    await run(otherPath, 'create table there (a)', 'insert into there values (7)')
    await run(
      database,
      'create temp table mine (a)',
      'insert into mine values (5)',
      `attach '${otherPath.path}' as elsewhere`,
      "insert into t values (42, 'x')",
    )
    expect((await read(database, 'select a from mine')).values).toEqual([5])
    expect((await read(database, 'select a from elsewhere.there')).values).toEqual([7])
    expect((await read(database, 'select last_insert_rowid()')).values).toEqual([42])
    expect((await read(database, 'select changes()')).values).toEqual([1])
    expect((await read(database, 'select count(*) from t, mine')).values).toEqual([4])
    expect((await read(database, 'pragma foreign_keys')).values).toEqual([1])
    await run(database, 'pragma foreign_keys = off')
    expect((await read(database, 'select foreign_keys from pragma_foreign_keys')).values).toEqual([
      0,
    ])
    expect((await read(database, 'explain query plan select 1')).values).toHaveLength(1)
  })

  test('finds the temporary table that came to stand before another one, and goes back when it is gone', async () => {
    const database = await withRows(3)
    expect((await read(database, all)).values).toEqual([1, 2, 3])
    await run(database, 'create temp table t (a)', 'insert into temp.t values (-1)')
    expect((await read(database, all)).values).toEqual([-1])
    expect((await read(database, 'select a from main.t order by a')).values).toEqual([1, 2, 3])
    await run(database, 'drop table temp.t')
    expect((await read(database, all)).values).toEqual([1, 2, 3])
  })

  test('finds the temporary table also when dropping it was rolled back', async () => {
    const database = await withRows(3)
    await run(database, 'create temp table t (a)', 'insert into temp.t values (-1)')
    await rejection(
      database.transaction(async (tx) => {
        await run(tx, 'drop table temp.t')
        await read(database, all)
        throw new Error('undo')
      }),
    )
    expect((await read(database, all)).values).toEqual([-1])
  })

  test('on a database in memory owns the one connection until it ends', async () => {
    const database = await withRows(10, { path: ':memory:', busyTimeoutMs: 50 })
    const stream = database.stream(all, [], { chunkRows: 1 })
    await stream.next()
    expect(await rejection(database.execute("insert into t (b) values ('x')"))).toBeInstanceOf(
      ConnectionBusyError,
    )
    await stream.return!()
    await run(database, "insert into t (b) values ('x')")
  })

  test('waits when all readers are taken, in its turn', async () => {
    const database = await withRows(20, { readers: 2 })
    const order: number[] = []
    const results = await Promise.all(
      upTo(8).map(async (each) => {
        const values: unknown[] = []
        for await (const chunk of database.stream<{ a: number }>(all, [], { chunkRows: 5 })) {
          if (values.length === 0) order.push(each)
          values.push(...chunk.map(({ a }) => a))
          await sleep(2)
        }
        return values
      }),
    )
    for (const values of results) expect(values).toEqual(upTo(20))
    expect(order).toEqual(upTo(8))
  })

  test('does not keep other reads and writes waiting', async () => {
    const database = await withRows(20, { readers: 1, busyTimeoutMs: 200 })
    const stream = database.stream(all, [], { chunkRows: 1 })
    await stream.next()
    expect(await value(database, 'select count(*) from t')).toBe(20)
    await run(database, "insert into t (b) values ('x')")
    await database.transaction((tx) => tx.execute("insert into t (b) values ('y')"))
    await stream.return!()
  })
})

describe('INSERT, UPDATE and DELETE with RETURNING', () => {
  test('are kept when they are read to their end', async () => {
    const database = await withRows(100)
    expect(
      (await read(database, 'delete from t where a > 10 returning a', { chunkRows: 7 })).values,
    ).toHaveLength(90)
    expect(await column(database, all)).toEqual(upTo(10))
  })

  test('are kept as a whole when they are left early', async () => {
    const database = await withRows(10)
    for await (const _ of database.stream("update t set b = 'left' returning a", [], {
      chunkRows: 1,
    }))
      break
    expect(await value(database, "select count(*) from t where b = 'left'")).toBe(10)
    await rejection(async () => {
      for await (const _ of database.stream("update t set b = 'thrown' returning a", [], {
        chunkRows: 1,
      }))
        throw new Error('mine')
    })
    expect(await value(database, "select count(*) from t where b = 'thrown'")).toBe(10)
    expect(
      plain(database.path).prepare("select count(*) as n from t where b = 'thrown'").get(),
    ).toEqual({ n: 10 })
  })

  test('are undone when they fail, are aborted, or the database is closed', async () => {
    const database = await withRows(10)
    const failing =
      'update t set a = a + 100 returning case when a = 105 then abs(-9223372036854775807 - 1) else a end'
    expect((await rejection(read(database, failing, { chunkRows: 1 }))).message).toBe(
      'integer overflow',
    )
    expect(await column(database, all)).toEqual(upTo(10))

    const controller = new AbortController()
    const aborted = database.stream('delete from t returning a', [], {
      chunkRows: 1,
      signal: controller.signal,
    })
    await aborted.next()
    controller.abort(new Error('enough'))
    expect((await rejection(aborted.next())).message).toBe('enough')
    expect(await column(database, all)).toEqual(upTo(10))

    const closed = database.stream('delete from t returning a', [], { chunkRows: 1 })
    await closed.next()
    await database.close()
    expect((await rejection(closed.next())).code).toBe('DATABASE_CLOSED')
    expect(plain(database.path).prepare('select count(*) as n from t').get()).toEqual({ n: 10 })
  })

  test('that break a foreign key throw also when they are left early', async () => {
    const database = await withRows(3)
    await run(database, 'create table c (p references t deferrable initially deferred)')
    const error = await rejection(async () => {
      for await (const _ of database.stream('insert into c values (1), (77) returning p', [], {
        chunkRows: 1,
      }))
        break
    })
    expect(error.code).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
    expect(await value(database, 'select count(*) from c')).toBe(0)
    await run(database, 'insert into c values (1)')
    expect(plain(database.path).prepare('select count(*) as n from c').get()).toEqual({ n: 1 })
  })
})

describe('in a transaction', () => {
  test('a stream sees what the transaction has written, and nobody else does', async () => {
    const database = await withRows(3)
    await database.transaction(async (tx) => {
      await tx.execute("insert into t values (4, 'mine')")
      expect((await read(tx, all)).values).toEqual(upTo(4))
      expect((await read(database, all)).values).toEqual(upTo(3))
    })
  })

  test('an open stream refuses every other statement, which names it', async () => {
    const database = await withRows(3)
    await database.transaction(async (tx) => {
      const stream = tx.stream(all, [], { chunkRows: 1 })
      await stream.next()
      for (const use of [
        () => tx.execute("insert into t (b) values ('x')"),
        () => tx.execute('select 1'),
        () => tx.stream('select 1').next(),
        () => tx.savepoint('a'),
      ]) {
        const error = await rejection(use)
        expect(error).toBeInstanceOf(ConnectionBusyError)
        expect(error.message).toMatch(
          /while a stream of the same transaction is open: `select a from t order by a`\. Read the stream to its end, leave its loop/,
        )
      }
      await stream.return!()
      await tx.execute("insert into t (b) values ('kept')")
    })
    expect(await value(database, 'select count(*) from t')).toBe(4)
  })

  test('a stream that is left or fails frees the transaction', async () => {
    const database = await withRows(10)
    await database.transaction(async (tx) => {
      for await (const _ of tx.stream(all, [], { chunkRows: 1 })) break
      await tx.execute("insert into t values (11, 'kept')")
      await rejection(read(tx, 'select abs(-9223372036854775807 - 1) from t'))
      await tx.execute("insert into t values (12, 'kept')")
      for await (const _ of tx.stream(
        "insert into t values (13, 'kept'), (14, 'kept') returning a",
        [],
        { chunkRows: 1 },
      ))
        break
      const failing =
        "update t set b = 'gone' returning case when a = 5 then abs(-9223372036854775807 - 1) else a end"
      await rejection(read(tx, failing, { chunkRows: 1 }))
      await tx.execute("insert into t values (15, 'kept')")
    })
    expect(await value(database, "select count(*) from t where b = 'kept'")).toBe(5)
    expect(await value(database, "select count(*) from t where b = 'gone'")).toBe(0)
  })

  test('commit() ends a stream that is still open, which then throws', async () => {
    const database = await withRows(10)
    const session = database.connect()
    await session.begin()
    await session.execute("insert into t values (11, 'kept')")
    const stream = session.stream(all, [], { chunkRows: 1 })
    await stream.next()
    await session.commit()
    const error = await rejection(stream.next())
    expect(error).toBeInstanceOf(TransactionClosedError)
    expect(error.message).toMatch(
      /The transaction was committed while the stream was open\. End the loop over it first\./,
    )
    expect(await value(database, 'select count(*) from t')).toBe(11)

    await session.begin()
    const undone = session.stream('delete from t returning a', [], { chunkRows: 1 })
    await undone.next()
    await session.rollback()
    expect(await rejection(undone.next())).toBeInstanceOf(TransactionClosedError)
    expect(await value(database, 'select count(*) from t')).toBe(11)
    await session.release()
  })

  test('a stream that outlives its transaction throws, and reads nothing of others', async () => {
    const database = await withRows(10)
    let leaked: AsyncIterableIterator<unknown[]> | undefined
    let unstarted: AsyncIterableIterator<unknown[]> | undefined
    await database.transaction(async (tx) => {
      leaked = tx.stream(all, [], { chunkRows: 1 })
      unstarted = tx.stream(all)
      await leaked.next()
    })
    expect(await rejection(leaked!.next())).toBeInstanceOf(TransactionClosedError)
    expect(await rejection(unstarted!.next())).toBeInstanceOf(TransactionClosedError)
    await run(database, 'delete from t')
  })

  test('that only reads streams too', async () => {
    const database = await withRows(10)
    await database.transaction(
      async (tx) => {
        expect((await read(tx, all, { chunkRows: 3 })).values).toEqual(upTo(10))
        expect((await rejection(read(tx, 'delete from t returning a'))).code).toBe(
          'SQLITE_READONLY',
        )
      },
      { accessMode: 'read only' },
    )
  })
})

describe('many rows', () => {
  const many =
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 200000) select i, i * 2 as j, 'some text ' || i as k from n"

  test('leave the event loop free', async () => {
    const database = open()
    const whole = await watchingLoop(() => database.execute(many))
    const streamed = await watchingLoop(async () => {
      let rows = 0
      for await (const chunk of database.stream(many)) rows += chunk.length
      return rows
    })
    expect(whole.result.rows).toHaveLength(200_000)
    expect(streamed.result).toBe(200_000)
    // In one piece they stop it for as long as they take; streamed, for a few milliseconds at a time.
    expect(streamed.longestGapMs).toBeLessThan(whole.longestGapMs / 2)
    expect(streamed.turns).toBeGreaterThan(10)
  })

  test('leave it free also when rows are rare, in a transaction, and in memory', async () => {
    const database = open({ path: ':memory:' })
    const { result, turns } = await watchingLoop(() =>
      database.transaction(async (tx) => {
        let rows = 0
        for await (const chunk of tx.stream(many, [], { chunkRows: 100_000 })) rows += chunk.length
        return rows
      }),
    )
    expect(result).toBe(200_000)
    expect(turns).toBeGreaterThan(5)
  })

  test('are never all in memory', async () => {
    const database = open()
    const sql =
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 40000) select i, printf('%.*c', 10000, 'x') as filling from n"
    const before = process.memoryUsage().rss
    let peak = 0
    let bytes = 0
    for await (const chunk of database.stream<{ filling: string }>(sql, [], { chunkRows: 100 })) {
      for (const { filling } of chunk) bytes += filling.length
      peak = Math.max(peak, process.memoryUsage().rss)
    }
    expect(bytes).toBe(400_000_000)
    expect(peak - before).toBeLessThan(bytes / 2)
  })

  test('let others run between the chunks', async () => {
    const database = open()
    await run(database, 'create table t (a)')
    let writes = 0
    const writing = (async () => {
      for (;;) {
        await nextTurn()
        await database.execute('insert into t values (1)')
        writes++
        if (writes === 20) return
      }
    })()
    let rows = 0
    for await (const chunk of database.stream(many)) rows += chunk.length
    await writing
    expect(rows).toBe(200_000)
    expect(writes).toBe(20)
  })
})

describe('a stream that its consumer neglects', () => {
  test('frees the write connection as soon as its signal is aborted', async () => {
    const database = await withRows(100, { path: ':memory:' })
    const controller = new AbortController()
    const stream = database.stream(all, [], { chunkRows: 10, signal: controller.signal })
    await stream.next()
    controller.abort(new Error('enough'))
    await run(database, 'delete from t')
    expect((await rejection(stream.next())).message).toBe('enough')
  })

  test('can be closed while it still waits for the connection', async () => {
    const database = await withRows(10, { path: ':memory:', busyTimeoutMs: 60_000 })
    await database.transaction(async () => {
      const stream = database.stream(all)
      const waiting = stream.next()
      await stream.return!()
      expect(await waiting).toEqual({ done: true, value: undefined })
    })
  })

  test('does not wait for longer than queryTimeoutMs', async () => {
    const database = await withRows(10, { path: ':memory:', queryTimeoutMs: 20 })
    await database.transaction(async () => {
      expect(await rejection(database.stream(all).next())).toMatchObject({ code: 'QUERY_TIMEOUT' })
    })
  })

  test('is named when it and others have all the read connections', async () => {
    const database = await withRows(100, { readers: 1, busyTimeoutMs: 30 })
    const stream = database.stream(all, [], { chunkRows: 10 })
    await stream.next()
    const error = await rejection(database.stream(all).next())
    expect(error).toBeInstanceOf(ConnectionBusyError)
    expect(error.message).toContain('with the option `readers`')
    await stream.return!()
  })
})
