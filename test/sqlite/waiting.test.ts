import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionBusyError } from '@keelson/core'
import { QueryTimeoutError, type SqliteDatabase, type SqliteOptions } from '@keelson/sqlite'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { nextTurn, processorMs } from '../support/event-loop.ts'
import { rejection } from '../support/rejection.ts'
import { column, open, run, signal, value } from './fixture.ts'

/** From here on time passes only when the test says so, however busy the machine is. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
}

afterEach(() => void vi.useRealTimers())

async function withTable(options: SqliteOptions = {}): Promise<SqliteDatabase> {
  const database = open(options)
  await run(database, 'create table t (a)')
  return database
}

const rows = (database: Pick<SqliteDatabase, 'execute'>): Promise<unknown[]> =>
  column(database, 'select a from t order by rowid')

describe('the write connection', () => {
  test('goes to transactions and statements in the order in which they asked', async () => {
    const database = await withTable()
    const order: string[] = []
    const insert = (name: string): Promise<unknown> =>
      database.execute('insert into t values (?)', [name]).then(() => order.push(name))
    const transaction = (name: string): Promise<unknown> =>
      database.transaction(async (tx) => {
        await tx.execute('insert into t values (?)', [`${name} begins`])
        await sleep(2)
        await tx.execute('insert into t values (?)', [`${name} ends`])
        order.push(name)
      })
    await Promise.all([
      transaction('one'),
      insert('two'),
      transaction('three'),
      insert('four'),
      insert('five'),
      transaction('six'),
    ])
    expect(order).toEqual(['one', 'two', 'three', 'four', 'five', 'six'])
    expect(await rows(database)).toEqual([
      'one begins',
      'one ends',
      'two',
      'three begins',
      'three ends',
      'four',
      'five',
      'six begins',
      'six ends',
    ])
  })

  test('goes on to the next when a transaction fails, in whatever way', async () => {
    const database = await withTable()
    const results = await Promise.allSettled([
      database.transaction(async () => Promise.reject(new Error('one'))),
      database.transaction(() => {
        throw new Error('two')
      }),
      database.transaction((tx) => tx.execute('nonsense')),
      database.transaction((tx) => tx.execute("insert or rollback into t values ('x'), (1/0)")),
      database.execute('insert into missing values (1)'),
      database.execute('insert into t values (1)'),
    ])
    expect(results.at(-1)!.status).toBe('fulfilled')
    expect(await value(database, 'select max(a) from t')).toBe('x')
  })

  test('is waited for by a thousand statements, in their order', async () => {
    const database = await withTable()
    const numbers = Array.from({ length: 1000 }, (_, index) => index)
    await database
      .transaction(async () => {
        const all = Promise.all(
          numbers.map((n) => database.execute('insert into t values (?)', [n])),
        )
        all.catch(() => {})
        await nextTurn()
        return { all }
      })
      .then(({ all }) => all)
    expect(await rows(database)).toEqual(numbers)
  })

  test('is waited for by very many statements without each of them costing all the others', async () => {
    const database = await withTable({ path: ':memory:' })
    const waitingFor = async (count: number): Promise<number> => {
      const { all, start } = await database.transaction(async () => {
        const all = Promise.all(
          Array.from({ length: count }, () => database.execute('insert into t values (1)')),
        )
        return { all, start: processorMs() }
      })
      await all
      return (processorMs() - start) / count
    }
    await waitingFor(2000)
    const few = await waitingFor(2000)
    const many = await waitingFor(30_000)
    // 15 times the queue cost 15 times as much for each, when every turn looked at everyone in line.
    expect(many / few).toBeLessThan(8)
  })
})

describe('who waits too long', () => {
  test('is told who has the connection, since where, and what it did last', async () => {
    const database = await withTable({ busyTimeoutMs: 60 })
    const session = database.connect()
    await session.begin()
    await session.execute("insert into t values ('the last thing')")
    const error = await rejection(database.execute("insert into t values ('waiting')"))
    expect(error).toBeInstanceOf(ConnectionBusyError)
    expect(error.code).toBe('CONNECTION_BUSY')
    expect(error.message).toMatch(
      /^Gave up after waiting \d+ ms to run `insert into t values \('waiting'\)` at \S*waiting\.test\.ts:\d+:\d+\./,
    )
    expect(error.message).toMatch(
      /owned by a transaction, open for \d+ ms, begun at \S*waiting\.test\.ts:\d+:\d+, last statement: `insert into t values \('the last thing'\)`/,
    )
    expect(error.message).toMatch(
      /must run on its handle \(trx, tx\).* must be ended; .* raise busyTimeoutMs\.$/,
    )
    await session.rollback()
    await run(database, 'insert into t values (1)')
    expect(await rows(database)).toEqual([1])
  })

  test('also when the transaction was begun by a callback, or has done nothing yet', async () => {
    const database = await withTable({ busyTimeoutMs: 50 })
    const error = await database.transaction(() => rejection(database.execute('delete from t')))
    expect(error.message).toMatch(/begun at \S*waiting\.test\.ts:\d+:\d+, no statement yet/)
  })

  test('is whoever uses the database inside its own transaction', async () => {
    const database = await withTable({ busyTimeoutMs: 50 })
    const uses: ((database: SqliteDatabase) => Promise<unknown>)[] = [
      (each) => each.execute('insert into t values (1)'),
      (each) => each.execute('insert into t values (1) returning a'),
      (each) => each.transaction(async () => {}),
      (each) => each.maintenance.vacuum(),
      (each) => each.maintenance.optimize(),
      (each) => each.maintenance.deleteOrphans({ tables: 'all' }),
      (each) => each.execute('pragma user_version = 1'),
    ]
    for (const use of uses) {
      await database.transaction(async (tx) => {
        const error = await rejection(use(database))
        expect(error).toBeInstanceOf(ConnectionBusyError)
        expect(error.message).toMatch(/owned by a transaction, .*waiting\.test\.ts/)
        await tx.execute('insert into t values (2)')
      })
    }
    expect(await value(database, 'select count(*) from t')).toBe(uses.length)
  })

  test('is whoever waits for a stream that owns the connection', async () => {
    const database = await withTable({ busyTimeoutMs: 50 })
    const stream = database.stream('insert into t values (1), (2) returning a', [], {
      chunkRows: 1,
    })
    await stream.next()
    const error = await rejection(database.execute('insert into t values (3)'))
    expect(error).toBeInstanceOf(ConnectionBusyError)
    expect(error.message).toMatch(
      /owned by a stream, .*waiting\.test\.ts:\d+:\d+, last statement: `insert into t values \(1\), \(2\) returning a`/,
    )
    await stream.return!()
    await run(database, 'insert into t values (3)')
    expect(await rows(database)).toEqual([1, 2, 3])
  })

  test('on a database in memory is whoever reads, since there is one connection', async () => {
    const database = await withTable({ path: ':memory:', busyTimeoutMs: 50 })
    await database.transaction(async () => {
      expect(await rejection(rows(database))).toBeInstanceOf(ConnectionBusyError)
      expect(
        await rejection(database.transaction(rows, { accessMode: 'read only' })),
      ).toBeInstanceOf(ConnectionBusyError)
    })
    expect(await rows(database)).toEqual([])
  })

  test('is not a queue that moves, however long it takes in all', async () => {
    stopClock()
    const database = await withTable({ busyTimeoutMs: 150 })
    await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        database.transaction(async (tx) => {
          await tx.execute('insert into t values (?)', [index])
          await vi.advanceTimersByTimeAsync(140)
        }),
      ),
    )
    expect(await rows(database)).toHaveLength(12)
  })

  test('gives up alone; who came later and has more patience still gets its turn', async () => {
    stopClock()
    const database = await withTable({ busyTimeoutMs: 80 })
    const holder = database.connect()
    await holder.begin()
    const impatient = rejection(database.execute('insert into t values (1)'))
    await vi.advanceTimersByTimeAsync(50)
    const patient = database.execute('insert into t values (2)')
    await vi.advanceTimersByTimeAsync(40)
    expect(await impatient).toBeInstanceOf(ConnectionBusyError)
    await holder.commit()
    await patient
    expect(await rows(database)).toEqual([2])
  })

  test('gives up in time although somebody before it has far more patience', async () => {
    const database = await withTable({ busyTimeoutMs: 60 })
    const holder = database.connect()
    await holder.begin()
    const migrating = database.connect()
    const migration = migrating.beginMigration()
    const impatient = database.execute('insert into t values (1)').then(
      () => 'ran',
      (error: Error) => error.name,
    )
    expect(await Promise.race([impatient, sleep(30_000, 'still waiting', { ref: false })])).toBe(
      'ConnectionBusyError',
    )
    await holder.rollback()
    await migration
    await migrating.endMigration()
  })

  test('with busyTimeoutMs 0 does not wait', async () => {
    const database = await withTable({ busyTimeoutMs: 0 })
    await database.transaction(async () => {
      expect(await rejection(database.execute('insert into t values (1)'))).toBeInstanceOf(
        ConnectionBusyError,
      )
    })
    await run(database, 'insert into t values (2)')
    expect(await rows(database)).toEqual([2])
  })
})

describe('an AbortSignal', () => {
  test('ends the wait of a transaction, with its reason, and the callback never runs', async () => {
    const database = await withTable()
    const { wait, go } = signal()
    const holder = database.transaction(() => wait)
    const controller = new AbortController()
    let hasRun = false
    const waiting = rejection(
      database.transaction(
        async () => {
          hasRun = true
        },
        { signal: controller.signal },
      ),
    )
    const reading = database.transaction(async () => 'read', {
      accessMode: 'read only',
      signal: controller.signal,
    })
    expect(await reading).toBe('read')
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await waiting).toBe(reason)
    go()
    await holder
    await nextTurn()
    expect(hasRun).toBe(false)
    await run(database, 'insert into t values (1)')
  })

  test('ends the wait of a statement, which never runs', async () => {
    const database = await withTable()
    const reason = new Error('enough')
    await database.transaction(async () => {
      const controller = new AbortController()
      const options = { signal: controller.signal }
      const writing = rejection(database.execute('insert into t values (1)', [], options))
      const returning = rejection(
        database.execute('insert into t values (1) returning a', [], options),
      )
      const streaming = rejection(
        database.stream('insert into t values (1) returning a', [], options).next(),
      )
      await nextTurn()
      controller.abort(reason)
      for (const each of [writing, returning, streaming]) expect(await each).toBe(reason)
    })
    await nextTurn()
    expect(await rows(database)).toEqual([])
  })

  test('that is aborted already refuses at once', async () => {
    const database = await withTable()
    const reason = new Error('enough')
    const options = { signal: AbortSignal.abort(reason) }
    expect(await rejection(database.execute('insert into t values (1)', [], options))).toBe(reason)
    expect(await rejection(database.stream('select 1', [], options).next())).toBe(reason)
    expect(await rejection(database.transaction(async () => {}, options))).toBe(reason)
    expect(
      await rejection(
        database.transaction(async () => {}, { ...options, accessMode: 'read only' }),
      ),
    ).toBe(reason)
    await database.transaction(async (tx) => {
      expect(await rejection(tx.execute('insert into t values (1)', [], options))).toBe(reason)
      expect(await rejection(tx.stream('select 1', [], options).next())).toBe(reason)
      await tx.execute('insert into t values (2)')
    })
    expect(await rows(database)).toEqual([2])
  })

  test('that comes too late changes nothing', async () => {
    const database = await withTable()
    const controller = new AbortController()
    await database.execute('insert into t values (1)', [], { signal: controller.signal })
    await database.transaction((tx) => tx.execute('insert into t values (2)'), {
      signal: controller.signal,
    })
    controller.abort()
    expect(await rows(database)).toEqual([1, 2])
  })

  test('stops a read between two rows', async () => {
    const database = await withTable()
    const controller = new AbortController()
    controller.abort(new Error('enough'))
    expect(await rejection(database.execute('select 1', [], { signal: controller.signal }))).toBe(
      controller.signal.reason,
    )
    const signalled = new AbortController()
    const { rows: all } = await database.execute('values (1), (2), (3)', [], {
      signal: signalled.signal,
    })
    expect(all).toHaveLength(3)
  })
})

describe('queryTimeoutMs', () => {
  const numbers = (count: number): string =>
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}) select i from n`

  test('ends a statement that waits', async () => {
    const database = await withTable({ queryTimeoutMs: 50 })
    await database.transaction(async (tx) => {
      const error = await rejection(database.execute('insert into t values (1)'))
      expect(error).toBeInstanceOf(QueryTimeoutError)
      expect(error.code).toBe('QUERY_TIMEOUT')
      expect(error.message).toMatch(
        /`insert into t values \(1\)` was still waiting after 50 ms \(queryTimeoutMs\) and has not run\. .* owned by a transaction/,
      )
      await tx.execute('insert into t values (2)')
    })
    await nextTurn()
    expect(await rows(database)).toEqual([2])
  })

  test('ends a read that returns rows for too long, and the next one is unharmed', async () => {
    const database = await withTable({ queryTimeoutMs: 20 })
    const error = await rejection(database.execute(numbers(50_000_000)))
    expect(error).toBeInstanceOf(QueryTimeoutError)
    expect(error.message).toMatch(
      /had returned \d+ rows when queryTimeoutMs ran out: .* Add a condition or a LIMIT, stream it, or allow more time\./,
    )
    expect((await database.execute(numbers(10))).rows).toHaveLength(10)
    await run(database, 'insert into t values (1)')
  })

  test('ends a stream by the time it spends in SQLite, not by that of its consumer', async () => {
    const database = await withTable({ queryTimeoutMs: 60 })
    const slow: unknown[] = []
    for await (const chunk of database.stream(numbers(10), [], { chunkRows: 1 })) {
      slow.push(...chunk)
      await sleep(15)
    }
    expect(slow).toHaveLength(10)
    const error = await rejection(async () => {
      for await (const _ of database.stream(numbers(50_000_000)));
    })
    expect(error).toBeInstanceOf(QueryTimeoutError)
    expect(error.message).toMatch(
      /The stream spent \d+ ms in SQLite, more than queryTimeoutMs allows, and was ended after \d+ rows/,
    )
  })
})

describe('cancel()', () => {
  test('ends what waits in its session, and nothing else', async () => {
    const database = await withTable()
    const session = database.connect()
    const other = database.connect()
    const reason = new Error('cancelled')
    await database
      .transaction(async () => {
        const mine = rejection(session.execute('insert into t values (1)'))
        const beginning = rejection(database.connect().begin({ signal: AbortSignal.timeout(5) }))
        const others = other.execute('insert into t values (2)')
        others.catch(() => {})
        await nextTurn()
        session.cancel(reason)
        expect(await mine).toBe(reason)
        expect((await beginning).name).toBe('TimeoutError')
        return { others }
      })
      .then(({ others }) => others)
    expect(await rows(database)).toEqual([2])
    await session.execute('insert into t values (3)')
  })

  test('ends the streams of its session', async () => {
    const database = await withTable()
    await run(database, 'insert into t values (1), (2), (3)')
    const session = database.connect()
    const stream = session.stream('select a from t', [], { chunkRows: 1 })
    await stream.next()
    const reason = new Error('cancelled')
    session.cancel(reason)
    expect(await rejection(stream.next())).toBe(reason)
    for await (const chunk of session.stream('select a from t')) expect(chunk).toHaveLength(3)
  })
})
