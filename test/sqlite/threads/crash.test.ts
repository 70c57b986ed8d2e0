import { TransactionAbortedError } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { column, plain, run, signal, value } from '../fixture.ts'
import {
  before,
  expectGone,
  functions,
  hold,
  openThreads,
  upTo,
  withTable,
  workerThreads,
} from './fixture.ts'

const rows = 'select a from t order by a'

const numbers = (count: number): string =>
  `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}) insert into t select i from n`

/** What promises have come to: `'done'` or the code of the error. */
async function codes(promises: readonly Promise<unknown>[]): Promise<unknown[]> {
  const results = await Promise.allSettled(promises)
  return results.map((result) => (result.status === 'fulfilled' ? 'done' : result.reason.code))
}

describe('a read whose thread ends', () => {
  test('is rejected, and the next one works', async () => {
    const database = await withTable({ readers: 1, connectionModule: functions })
    await run(database, 'insert into t values (1)')
    for (let again = 0; again < 5; again++) {
      const error = await rejection(database.execute('select end_thread()'))
      expect(error.code).toBe('THREAD_EXITED')
      expect(error.message).toContain('`select end_thread()`')
      expect(error.stack).toContain('crash.test.ts')
      expect(await column(database, rows)).toEqual([1])
    }
  })

  test('takes with it only what was pending there, and nothing hangs', async () => {
    const database = await withTable({ readers: 1, connectionModule: functions })
    for (let again = 0; again < 5; again++) {
      const results = await codes([
        ...upTo(10).map((n) => database.execute('select ?', [n])),
        database.execute('select end_thread()'),
        ...upTo(10).map((n) => database.execute('select ?', [n])),
        database.execute('insert into t values (1)'),
      ])
      expect(results[10]).toBe('THREAD_EXITED')
      expect(results.at(-1)).toBe('done')
      for (const result of results) expect(['done', 'THREAD_EXITED']).toContain(result)
    }
    expect(await value(database, 'select count(*) from t')).toBe(5)
  })

  test('leaves the other readers and the writer alone', async () => {
    const database = await withTable({ readers: 2, connectionModule: functions })
    const reading = hold()
    const writing = hold()
    const read = database.execute(`select ${reading.sql} as a`)
    const write = database.execute(`insert into t select ${writing.sql}`)
    await reading.begun()
    await writing.begun()
    expect((await rejection(database.execute('select end_thread()'))).code).toBe('THREAD_EXITED')
    expect(await value(database, 'select 5')).toBe(5)
    reading.go()
    writing.go()
    expect((await read).rows).toEqual([{ a: 1 }])
    expect((await write).changes).toBe(1)
    expect(await column(database, rows)).toEqual([1])
  })

  test('is replaced by one with the same settings and functions', async () => {
    const database = await withTable({
      readers: 1,
      connectionModule: functions,
      pragmas: { cache_size: -4321 },
      int64: 'string',
    })
    await rejection(database.execute('select end_thread()'))
    expect(await column(database, 'select throws() is null').catch(String)).toMatch(
      'thrown by a function',
    )
    expect(await value(database, 'select 9007199254740993')).toBe('9007199254740993')
    const thread = await value(database, 'select thread()')
    await rejection(database.execute('select end_thread()'))
    expect(await value(database, 'select thread()')).not.toBe(thread)
  })

  test('has changed nothing where its transaction only reads', async () => {
    const database = await withTable({ connectionModule: functions })
    const session = database.connect()
    await session.begin({ accessMode: 'read only' })
    await session.execute(rows)
    expect((await rejection(session.execute('select end_thread()'))).code).toBe('THREAD_EXITED')
    expect((await rejection(session.execute(rows))).code).toBe('TRANSACTION_ABORTED')
    await session.rollback()
    await session.begin({ accessMode: 'read only' })
    const { code } = await rejection(session.stream('select end_thread()').next())
    expect(code).toBe('THREAD_EXITED')
    await session.rollback()
    expect(await column(database, rows)).toEqual([])
  })

  test('throws in the middle of a stream, so that its end is not taken for the end of the data', async () => {
    const database = await withTable({ readers: 1, connectionModule: functions })
    await run(database, numbers(1000))
    const sql = 'select case when a = 900 then end_thread() else a end as a from t order by rowid'
    let seen = 0
    const error = await rejection(async () => {
      for await (const chunk of database.stream(sql, [], { chunkRows: 10 })) seen += chunk.length
    })
    expect(error.code).toBe('THREAD_EXITED')
    expect(seen).toBeLessThan(900)
    let all = 0
    for await (const chunk of database.stream('select a from t', [], { chunkRows: 10 }))
      all += chunk.length
    expect(all).toBe(1000)
  })
})

describe('a write whose thread ends', () => {
  test('is rejected as one whose outcome is unknown, and the next one works', async () => {
    const database = await withTable({ connectionModule: functions })
    for (const n of upTo(5)) {
      const error = await rejection(database.execute('insert into t select end_thread()'))
      expect(error.code).toBe('OUTCOME_UNKNOWN')
      expect(error.message).toContain('`insert into t select end_thread()`')
      expect(error.stack).toContain('crash.test.ts')
      await run(database, `insert into t values (${n})`)
    }
    // The thread ended before the statement did: nothing of it was kept, and its lock is gone.
    expect(await column(database, rows)).toEqual(upTo(5))
    expect(plain(database.path).prepare('insert into t values (6)').run().changes).toBe(1)
  })

  test('takes its group with it, of which nothing was acknowledged that is not there', async () => {
    const database = await withTable({ connectionModule: functions })
    const each = upTo(40)
    for (let again = 0; again < 5; again++) {
      await run(database, 'delete from t')
      const results = await codes(
        each.map((n) =>
          n === 20
            ? database.execute('insert into t select end_thread()')
            : database.execute('insert into t values (?)', [n]),
        ),
      )
      expect(results[19]).toBe('OUTCOME_UNKNOWN')
      for (const result of results) expect(['done', 'OUTCOME_UNKNOWN']).toContain(result)
      const found = new Set(await column(database, rows))
      for (const n of each) if (results[n - 1] === 'done') expect(found).toContain(n)
    }
  })

  test('ends its transaction, of which nothing is kept', async () => {
    const database = await withTable({ connectionModule: functions })
    const results = await codes([
      database.transaction(async (tx) => {
        await tx.execute('insert into t values (1)')
        await tx.execute('insert into t select end_thread()')
      }),
      database.execute('insert into t values (2)'),
      database.transaction((tx) => tx.execute('insert into t values (3)')),
    ])
    expect(results[0]).toMatch(/^(OUTCOME_UNKNOWN|THREAD_EXITED|TRANSACTION_ABORTED)$/)
    expect(results.slice(1)).toEqual(['done', 'done'])
    expect(await column(database, rows)).toEqual([2, 3])
  })

  test('does not let its transaction commit the rest, although the error was caught', async () => {
    const database = await withTable({ connectionModule: functions })
    const error = await rejection(
      database.transaction(async (tx) => {
        await tx.execute('insert into t values (1)')
        await tx.execute('select end_thread()').catch(() => {})
        await tx.execute('insert into t values (2)').catch(() => {})
      }),
    )
    expect(error).toBeInstanceOf(TransactionAbortedError)
    expect(await column(database, rows)).toEqual([])
    await database.transaction((tx) => tx.execute('insert into t values (3)'))
    expect(await column(database, rows)).toEqual([3])
  })

  test('ends a transaction that was between two statements, too', async () => {
    const database = await withTable({ connectionModule: functions })
    const session = database.connect()
    await session.begin()
    await session.execute('insert into t values (1)')
    await rejection(session.execute('select end_thread()'))
    expect((await rejection(session.execute('insert into t values (2)'))).message).not.toBe('')
    await rejection(session.commit())
    await session.release()
    await run(database, 'insert into t values (3)')
    expect(await column(database, rows)).toEqual([3])
  })

  test('is replaced by one with the same settings', async () => {
    const database = await withTable({
      connectionModule: functions,
      synchronous: 'full',
      pragmas: { cache_size: -4321 },
    })
    const settings = async (): Promise<unknown[]> => [
      await value(database, 'pragma foreign_keys'),
      await value(database, 'pragma synchronous'),
      await value(database, 'pragma cache_size'),
      await value(database, 'pragma journal_mode'),
    ]
    const earlier = await settings()
    expect(earlier).toEqual([1, 2, -4321, 'wal'])
    await rejection(database.execute('insert into t select end_thread()'))
    expect(await settings()).toEqual(earlier)
  })
})

describe('threads that end again and again', () => {
  test('do not pile up', async () => {
    const database = await withTable({ readers: 2, connectionModule: functions })
    await Promise.all(upTo(20).map((n) => database.execute('select ?', [n])))
    const earlier = workerThreads().length
    for (let again = 0; again < 10; again++) {
      const results = await codes([
        database.execute('select end_thread()'),
        database.execute('select 1'),
        database.execute('insert into t select end_thread()'),
        database.execute('insert into t values (1)'),
      ])
      expect(results[0]).toBe('THREAD_EXITED')
      expect(results[2]).toBe('OUTCOME_UNKNOWN')
    }
    await Promise.all(upTo(20).map((n) => database.execute('select ?', [n])))
    // Of the readers, those that are needed are started.
    expect(workerThreads().length).toBeLessThanOrEqual(Math.max(earlier, 3))
  })

  test('do not keep close() from its end, whatever it catches them at', async () => {
    for (const deadlineMs of [0, 3_000]) {
      const earlier = before()
      const database = await withTable({ readers: 2, connectionModule: functions })
      const { wait, go } = signal()
      const all = codes([
        database.execute('select end_thread()'),
        database.execute('insert into t select end_thread()'),
        database.transaction(async (tx) => {
          await tx.execute('select end_thread()')
          await wait
        }),
        database.stream('select end_thread()').next(),
        database.execute('select 1'),
        database.execute('insert into t values (1)'),
      ])
      const closing = database.close({ deadlineMs })
      go()
      await closing
      for (const result of await all)
        expect([
          'done',
          'THREAD_EXITED',
          'OUTCOME_UNKNOWN',
          'TRANSACTION_ABORTED',
          'DATABASE_CLOSED',
        ]).toContain(result)
      await expectGone(database, earlier)
    }
  })

  test('can be closed right after', async () => {
    const earlier = before()
    const database = openThreads({ connectionModule: functions })
    await run(database, 'create table t (a)')
    await Promise.all([
      rejection(database.execute('select end_thread()')),
      rejection(database.execute('insert into t select end_thread()')),
    ])
    await database.close()
    await expectGone(database, earlier)
  })
})
