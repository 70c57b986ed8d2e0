import { setTimeout as sleep } from 'node:timers/promises'
import type { SqliteDatabase, SqliteOptions } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { watchingLoop } from '../support/event-loop.ts'
import { rejection } from '../support/rejection.ts'
import { column, open, otherProcess, run, value, type OtherProcess } from './fixture.ts'

/** A database, and another process that holds its write lock. */
async function locked(
  options: SqliteOptions = {},
): Promise<{ database: SqliteDatabase; other: OtherProcess }> {
  const database = open({ busyTimeoutMs: 10_000, ...options })
  await run(database, 'create table t (a)', 'insert into t values (1)')
  const other = await otherProcess(database.path)
  expect(await other.run('begin immediate')).toBe('ok')
  return { database, other }
}

const rows = (database: Pick<SqliteDatabase, 'execute'>): Promise<unknown[]> =>
  column(database, 'select a from t order by rowid')

/** Every way to write. */
const writes: [string, (database: SqliteDatabase) => Promise<unknown>][] = [
  ['a statement', (database) => database.execute('insert into t values (2)')],
  [
    'a statement with RETURNING',
    (database) => database.execute('insert into t values (2) returning a'),
  ],
  [
    'a statement with a signal',
    (database) =>
      database.execute('insert into t values (2)', [], { signal: new AbortController().signal }),
  ],
  [
    'an immediate transaction',
    (database) => database.transaction((tx) => tx.execute('insert into t values (2)')),
  ],
  [
    'an exclusive transaction',
    (database) =>
      database.transaction((tx) => tx.execute('insert into t values (2)'), {
        behavior: 'exclusive',
      }),
  ],
  [
    'the first write of a deferred transaction',
    (database) =>
      database.transaction((tx) => tx.execute('insert into t values (2)'), {
        behavior: 'deferred',
      }),
  ],
  [
    'a stream',
    async (database) => {
      for await (const _ of database.stream('insert into t values (2) returning a'));
    },
  ],
]

describe('while another process writes', () => {
  test.for(writes)('%s waits, with the event loop free, until it lets go', async ([, write]) => {
    const { database, other } = await locked()
    let done = false
    const writing = write(database).then(() => (done = true))
    // Blocked, nothing could tell the other one to let go, and the write would end as busy.
    for (let turn = 0; turn < 50; turn++) await sleep(1)
    expect(done).toBe(false)
    expect(await other.run('commit')).toBe('ok')
    await writing
    expect(await rows(database)).toEqual([1, 2])
  })

  test.for(writes)("%s ends with SQLite's own error after busyTimeoutMs", async ([, write]) => {
    const { database, other } = await locked({ busyTimeoutMs: 120 })
    const { result: error, elapsedMs } = await watchingLoop(() => rejection(write(database)))
    expect(error).toMatchObject({
      name: 'SqliteError',
      code: 'SQLITE_BUSY',
      message: 'database is locked',
    })
    expect(elapsedMs).toBeGreaterThan(110)
    expect(await other.run('rollback')).toBe('ok')
    expect(await rows(database)).toEqual([1])
    await write(database)
    expect(await rows(database)).toEqual([1, 2])
  })

  test.for(writes)('%s ends at once when busyTimeoutMs is 0', async ([, write]) => {
    const { database } = await locked({ busyTimeoutMs: 0 })
    expect(await rejection(write(database))).toMatchObject({ code: 'SQLITE_BUSY' })
    expect(await rows(database)).toEqual([1])
  })

  test('reads go on', async () => {
    const { database, other } = await locked()
    await other.run('insert into t values (9)')
    expect(await rows(database)).toEqual([1])
    expect(await database.transaction(rows, { accessMode: 'read only' })).toEqual([1])
    for await (const chunk of database.stream('select a from t')) expect(chunk).toEqual([{ a: 1 }])
    const waiting = database.execute('insert into t values (2)')
    await sleep(20)
    expect(await rows(database)).toEqual([1])
    await other.run('commit')
    await waiting
    expect(await rows(database)).toEqual([1, 9, 2])
  })

  test('a process that is killed lets go', async () => {
    const { database, other } = await locked()
    await other.run('insert into t values (9)')
    const waiting = database.execute('insert into t values (2)')
    await other.kill()
    await waiting
    expect(await rows(database)).toEqual([1, 2])
  })

  test('statements keep their order', async () => {
    const { database, other } = await locked()
    const all = Promise.all([
      database.execute('insert into t values (2)'),
      database.transaction((tx) => tx.execute('insert into t values (3)')),
      database.execute('insert into t values (4)'),
    ])
    await sleep(30)
    await other.run('commit')
    await all
    expect(await rows(database)).toEqual([1, 2, 3, 4])
  })

  test('a signal ends the wait', async () => {
    const { database } = await locked()
    const reason = new Error('enough')
    const controller = new AbortController()
    const options = { signal: controller.signal }
    const waiting = [
      rejection(database.execute('insert into t values (2)', [], options)),
      rejection(database.transaction(async () => {}, options)),
    ]
    await sleep(20)
    controller.abort(reason)
    for (const each of waiting) expect(await each).toBe(reason)
  })

  test('queryTimeoutMs ends the wait too', async () => {
    const { database } = await locked({ queryTimeoutMs: 50 })
    expect((await rejection(database.execute('insert into t values (2)'))).code).toBe(
      'QUERY_TIMEOUT',
    )
    expect((await rejection(database.transaction(async () => {}))).code).toBe('QUERY_TIMEOUT')
  })

  test('vacuum() and optimize() wait as well', async () => {
    const { database, other } = await locked()
    const done = database.maintenance.vacuum()
    await sleep(30)
    await other.run('commit')
    await done
    expect(await rows(database)).toEqual([1])
  })
})

describe('a deferred transaction that has read', () => {
  const options = { behavior: 'deferred' } as const

  test('cannot write once another process has committed: SQLITE_BUSY_SNAPSHOT, at once', async () => {
    const { database, other } = await locked()
    await rejection(
      database.transaction(async (tx) => {
        expect(await rows(tx)).toEqual([1])
        await other.run('insert into t values (9)')
        await other.run('commit')
        const { result: error, turns } = await watchingLoop(() =>
          rejection(tx.execute('insert into t values (2)')),
        )
        expect(error).toMatchObject({ name: 'SqliteError', code: 'SQLITE_BUSY_SNAPSHOT' })
        expect(turns).toBeLessThan(20)
        expect(await rows(tx)).toEqual([1])
        throw error
      }, options),
    )
    expect(await rows(database)).toEqual([1, 9])
  })

  test('waits for one that is still writing, and then learns the same', async () => {
    const { database, other } = await locked()
    const error = await rejection(
      database.transaction(async (tx) => {
        await rows(tx)
        await other.run('insert into t values (9)')
        const writing = tx.execute('insert into t values (2)')
        writing.catch(() => {})
        await sleep(20)
        await other.run('commit')
        await writing
      }, options),
    )
    expect(error).toMatchObject({ code: 'SQLITE_BUSY_SNAPSHOT' })
    expect(await rows(database)).toEqual([1, 9])
  })

  test('writes when the other one gave up', async () => {
    const { database, other } = await locked()
    await database.transaction(async (tx) => {
      await rows(tx)
      await other.run('insert into t values (9)')
      const writing = tx.execute('insert into t values (2)')
      await sleep(20)
      await other.run('rollback')
      await writing
    }, options)
    expect(await rows(database)).toEqual([1, 2])
  })

  test('that ends while a write still waits does not have it run behind its end', async () => {
    const { database, other } = await locked()
    const ended = await database
      .transaction(async (tx) => {
        const late = tx.execute('insert into t values (2)')
        late.catch(() => {})
        return { late }
      }, options)
      .then(({ late }) => rejection(late))
    expect(ended.code).toBe('TRANSACTION_CLOSED')
    await other.run('commit')
    await sleep(30)
    expect(await rows(database)).toEqual([1])
  })
})

test('many processes that write at once all get their turn', async () => {
  const database = open({ busyTimeoutMs: 30_000 })
  await run(database, 'create table t (who, n)')
  const others = await Promise.all([otherProcess(database.path), otherProcess(database.path)])
  const busy = async (other: OtherProcess, who: number): Promise<void> => {
    for (let n = 0; n < 40;)
      if ((await other.run(`insert into t values (${who}, ${n})`)) === 'ok') n++
  }
  const mine = async (): Promise<void> => {
    for (let n = 0; n < 40; n++) {
      await database.transaction(async (tx) => {
        await tx.execute('insert into t values (9, ?)', [n])
        await sleep(1)
      })
    }
  }
  await Promise.all([...others.map(busy), mine()])
  expect(await value(database, 'select count(*) from t')).toBe(120)
})
