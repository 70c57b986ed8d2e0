import { readdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseClosedError, OptionError, TransactionAbortedError } from '@keelson/core'
import { openSqlite, type SqliteDatabase, type SqliteOptions } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { microtasks, nextTurn } from '../support/event-loop.ts'
import { openFilesIn } from '../support/open-files.ts'
import { rejection } from '../support/rejection.ts'
import { column, open, otherProcess, plain, run, signal, value } from './fixture.ts'

async function withTable(options: SqliteOptions = {}): Promise<SqliteDatabase> {
  const database = open(options)
  await run(database, 'create table t (a)', 'insert into t values (1), (2), (3)')
  return database
}

/** After close() nothing is open, and the file stands alone. */
function expectGone(database: SqliteDatabase): void {
  expect(database.isOpen).toBe(false)
  expect(openFilesIn(dirname(database.path))).toEqual([])
  expect(readdirSync(dirname(database.path))).toEqual([basename(database.path)])
}

/** Every call that uses the database, and what it does with an ended one. */
const uses: [string, (database: SqliteDatabase) => unknown][] = [
  ['execute', (database) => database.execute('select 1')],
  ['execute a write', (database) => database.execute('insert into t values (9)')],
  ['stream', (database) => database.stream('select 1').next()],
  ['transaction', (database) => database.transaction(async () => {})],
  [
    'read-only transaction',
    (database) => database.transaction(async () => {}, { accessMode: 'read only' }),
  ],
  ['connect().execute', (database) => database.connect().execute('select 1')],
  ['connect().begin', (database) => database.connect().begin()],
  ['connect().beginMigration', (database) => database.connect().beginMigration()],
  ['vacuum', (database) => database.maintenance.vacuum()],
  ['optimize', (database) => database.maintenance.optimize()],
  ['size', (database) => database.maintenance.size()],
  ['integrityCheck', (database) => database.maintenance.integrityCheck()],
  ['foreignKeyCheck', (database) => database.maintenance.foreignKeyCheck()],
  ['findOrphans', (database) => database.maintenance.findOrphans()],
  ['deleteOrphans', (database) => database.maintenance.deleteOrphans({ tables: 'all' })],
  ['backup', (database) => database.maintenance.backup(`${database.path}.copy`)],
  ['maintain', (database) => database.maintain({ every: { optimize: 10 } })],
]

describe('close()', () => {
  test('of an idle database leaves the file alone', async () => {
    const database = await withTable()
    await database.transaction((tx) => column(tx, 'select a from t'), { accessMode: 'read only' })
    expect(readdirSync(dirname(database.path))).toHaveLength(3)
    expect(await database.close()).toEqual({ forced: [] })
    expectGone(database)
  })

  test('called twice, and at once, is one close', async () => {
    const database = await withTable()
    const [first, second] = await Promise.all([database.close(), database.close()])
    expect(second).toBe(first)
    expect(await database.close()).toBe(first)
    expectGone(database)
  })

  test('refuses everything new from the moment it is called', async () => {
    const database = await withTable()
    const closing = database.close()
    expect(database.isOpen).toBe(false)
    for (const [name, use] of uses) {
      const error = await rejection(() => use(database))
      expect(error, name).toBeInstanceOf(DatabaseClosedError)
      expect(error.message).toMatch(
        /has been closed\. Open it again with openSqlite\(\) to go on\./,
      )
    }
    await closing
    for (const [name, use] of uses)
      expect(await rejection(() => use(database)), name).toBeInstanceOf(DatabaseClosedError)
    expectGone(database)
  })

  test('lets an open transaction finish', async () => {
    const database = await withTable()
    const { wait, go } = signal()
    const transaction = database.transaction(async (tx) => {
      await tx.execute('insert into t values (4)')
      await wait
      await tx.execute('insert into t values (5)')
      for await (const _ of tx.stream('select a from t'));
      return value(tx, 'select count(*) from t')
    })
    await nextTurn()
    const closing = database.close()
    await sleep(20)
    go()
    expect(await transaction).toBe(5)
    expect(await closing).toEqual({ forced: [] })
    expectGone(database)
    expect(plain(database.path).prepare('select count(*) as n from t').get()).toEqual({ n: 5 })
  })

  test('ends a transaction that does not finish, and names it', async () => {
    const database = await withTable()
    const { wait, go } = signal()
    const transaction = rejection(
      database.transaction(async (tx) => {
        await tx.execute('insert into t values (4)')
        await wait
        const error = await rejection(tx.execute('insert into t values (5)'))
        expect(error).toBeInstanceOf(DatabaseClosedError)
      }),
    )
    await nextTurn()
    const { forced } = await database.close({ deadlineMs: 30 })
    expect(forced).toEqual([
      expect.stringMatching(
        /^a transaction, open for \d+ ms, begun at \S*closing\.test\.ts:\d+:\d+, last statement: `insert into t values \(4\)`$/,
      ),
    ])
    expectGone(database)
    go()
    const error = await transaction
    expect(error).toBeInstanceOf(TransactionAbortedError)
    expect(error.message).toMatch(
      /The database was closed while the transaction was open, which rolled it back\. Nothing of it was kept\./,
    )
    expect(error.cause).toBeInstanceOf(DatabaseClosedError)
    expect(plain(database.path).prepare('select count(*) as n from t').get()).toEqual({ n: 3 })
  })

  test('ends read-only transactions, and several at once', async () => {
    const database = await withTable()
    const sessions = [database.connect(), database.connect(), database.connect()]
    for (const session of sessions) {
      await session.begin({ accessMode: 'read only' })
      await session.execute('select a from t')
    }
    const writer = database.connect()
    await writer.begin()
    const { forced } = await database.close({ deadlineMs: 0 })
    expect(forced).toHaveLength(4)
    expectGone(database)
    for (const session of [...sessions, writer]) {
      expect(await rejection(session.execute('select 1'))).toBeInstanceOf(DatabaseClosedError)
      await session.rollback()
      await session.release()
    }
  })

  test('ends streams at once, in every state', async () => {
    const database = await withTable({ readers: 2 })
    const chunkRows = 1
    const reading = database.stream('select a from t', [], { chunkRows })
    const secondReading = database.stream('select a from t', [], { chunkRows })
    const writing = database.stream('insert into t values (7) returning a', [], { chunkRows })
    for (const stream of [reading, secondReading, writing]) await stream.next()
    const unstarted = database.stream('select a from t')
    const waitingForReader = rejection(database.stream('select a from t').next())
    const waitingForWriter = rejection(
      database.stream('insert into t values (8) returning a').next(),
    )
    await nextTurn()
    const { forced } = await database.close()
    expect(forced).toHaveLength(3)
    for (const each of forced) expect(each).toMatch(/^a stream, .*closing\.test\.ts:\d+:\d+/)
    expectGone(database)
    for (const stream of [reading, secondReading, writing, unstarted])
      expect(await rejection(stream.next())).toBeInstanceOf(DatabaseClosedError)
    expect(await waitingForReader).toBeInstanceOf(DatabaseClosedError)
    expect(await waitingForWriter).toBeInstanceOf(DatabaseClosedError)
    expect(plain(database.path).prepare('select count(*) as n from t').get()).toEqual({ n: 3 })
  })

  test('ends the stream of a transaction, and lets the transaction finish', async () => {
    const database = await withTable()
    const session = database.connect()
    await session.begin()
    await session.execute('insert into t values (4)')
    const stream = session.stream('select a from t', [], { chunkRows: 1 })
    await stream.next()
    const closing = database.close()
    await nextTurn()
    expect(await rejection(stream.next())).toBeInstanceOf(DatabaseClosedError)
    await session.execute('insert into t values (5)')
    await session.commit()
    expect((await closing).forced).toHaveLength(1)
    expect(plain(database.path).prepare('select count(*) as n from t').get()).toEqual({ n: 5 })
  })

  test('refuses those who wait for a connection', async () => {
    const database = await withTable({ readers: 1 })
    const { wait, go } = signal()
    const holder = database.transaction(async (tx) => {
      await wait
      await tx.execute('insert into t values (4)')
    })
    const reader = database.connect()
    await reader.begin({ accessMode: 'read only' })
    const waiters = [
      database.execute('insert into t values (5)'),
      database.execute('insert into t values (5) returning a'),
      database.transaction(async (tx) => tx.execute('insert into t values (6)')),
      database.connect().begin(),
      database.maintenance.vacuum(),
      database.execute('select a from t'),
      database.transaction(async () => {}, { accessMode: 'read only' }),
      database.stream('select a from t').next(),
      database.maintenance.size(),
    ].map((waiter) => rejection(waiter))
    await nextTurn()
    const closing = database.close()
    for (const [index, waiter] of waiters.entries())
      expect(await waiter, `waiter ${index}`).toBeInstanceOf(DatabaseClosedError)
    go()
    await holder
    await reader.commit()
    expect(await closing).toEqual({ forced: [] })
    expectGone(database)
    expect(plain(database.path).prepare('select count(*) as n from t').get()).toEqual({ n: 4 })
  })

  test('refuses those who wait for another process', async () => {
    for (const wait of [
      (database: SqliteDatabase) => database.execute('insert into t values (5)'),
      (database: SqliteDatabase) =>
        database.transaction(async (tx) => tx.execute('insert into t values (5)')),
      (database: SqliteDatabase) => database.stream('insert into t values (5) returning a').next(),
      (database: SqliteDatabase) => database.maintenance.vacuum(),
      (database: SqliteDatabase) =>
        database.transaction(async (tx) => tx.execute('insert into t values (5)'), {
          behavior: 'deferred',
        }),
    ]) {
      const database = await withTable()
      const other = await otherProcess(database.path)
      await other.run('begin immediate')
      const waiting = rejection(wait(database))
      await sleep(20)
      const { forced } = await database.close({ deadlineMs: 200 })
      expect(forced.length).toBeLessThanOrEqual(1)
      expect(await waiting).toBeInstanceOf(DatabaseClosedError)
      expect(openFilesIn(dirname(database.path))).toEqual([])
      await other.run('commit')
      await other.kill()
      expect(plain(database.path).prepare('select count(*) as n from t').get()).toEqual({ n: 3 })
    }
  })

  test('succeeds while another process has the file locked', async () => {
    const database = open()
    await run(database, 'create table t (a integer primary key, b)', 'create index i on t (b)')
    await database.transaction(async (tx) => {
      for (let row = 0; row < 3000; row++)
        await tx.execute('insert into t (b) values (?)', [row % 7])
    })
    await column(database, 'select a from t where b = 3')
    const other = await otherProcess(database.path)
    await other.run('begin immediate')
    expect(await database.close()).toEqual({ forced: [] })
    expect(openFilesIn(dirname(database.path))).toEqual([])
    expect(await other.run('insert into t (b) values (8)')).toBe('ok')
    expect(await other.run('commit')).toBe('ok')
  })

  test.for([3000, 0])(
    'at whatever moment of a beginning ends it or lets it finish, within %i ms',
    async (deadlineMs) => {
      for (let depth = 0; depth < 30; depth++) {
        const database = await withTable()
        const outcomes = [
          database.transaction(async (tx) => {
            await tx.execute('insert into t values (4)')
            await nextTurn()
            await tx.execute('insert into t values (5)')
          }),
          database.transaction((tx) => tx.execute('insert into t values (6)')),
          database.transaction((tx) => column(tx, 'select a from t'), { accessMode: 'read only' }),
          database.execute('insert into t values (7)'),
          (async () => {
            for await (const _ of database.stream('select a from t', [], { chunkRows: 1 }));
          })(),
          (async () => {
            for await (const _ of database.stream('insert into t values (8) returning a'));
          })(),
          database.maintenance.vacuum(),
          database.maintenance.size(),
        ].map((each) =>
          each.then(
            () => 'done',
            (error: Error) => error.name,
          ),
        )
        await microtasks(depth)
        await database.close({ deadlineMs })
        for (const outcome of await Promise.all(outcomes))
          expect(['done', 'DatabaseClosedError', 'TransactionAbortedError']).toContain(outcome)
        expectGone(database)
      }
    },
  )

  test('in a transaction of its own caller does not wait for itself for ever', async () => {
    const database = await withTable()
    const error = await rejection(
      database.transaction(async (tx) => {
        await tx.execute('insert into t values (4)')
        const { forced } = await database.close({ deadlineMs: 20 })
        expect(forced).toHaveLength(1)
      }),
    )
    expect(error).toBeInstanceOf(TransactionAbortedError)
    expectGone(database)
  })

  test('ends a migration, and lets one that is in the middle of a transaction finish', async () => {
    const database = await withTable()
    const session = database.connect()
    await session.beginMigration()
    await session.begin()
    await session.execute('create table u (a)')
    const closing = database.close()
    await sleep(10)
    await session.commit()
    await session.endMigration()
    expect(await closing).toEqual({ forced: [] })
    expectGone(database)

    const second = open({ path: database.path })
    const forgotten = second.connect()
    await forgotten.beginMigration()
    expect((await second.close({ deadlineMs: 10 })).forced).toEqual([
      expect.stringMatching(/^a migration, open for .*closing\.test\.ts/),
    ])
    expectGone(second)
    expect(await rejection(forgotten.execute('create table v (a)'))).toBeInstanceOf(
      DatabaseClosedError,
    )
    expect(await rejection(forgotten.begin())).toBeInstanceOf(DatabaseClosedError)
    await forgotten.release()
  })

  test('refuses options that mean nothing, and can be called properly then', async () => {
    const database = await withTable()
    for (const options of [
      { deadline: 5 },
      { deadlineMs: -1 },
      { deadlineMs: Number.NaN },
      { deadlineMs: Infinity },
      { deadlineMs: '5' },
    ]) {
      expect(
        await rejection(() => database.close(options as { deadlineMs: number })),
      ).toBeInstanceOf(OptionError)
    }
    expect(database.isOpen).toBe(true)
    expect(await database.close()).toEqual({ forced: [] })
    expectGone(database)
  })

  test('of one database leaves another one on the same file alone', async () => {
    const first = await withTable()
    const second = open({ path: first.path })
    await first.close()
    await run(second, 'insert into t values (4)')
    expect(await column(second, 'select a from t')).toEqual([1, 2, 3, 4])
    await second.close()
    expectGone(second)
  })

  test('many times over leaves nothing behind', async () => {
    const first = await withTable()
    const { path } = first
    await first.close()
    for (let round = 0; round < 30; round++) {
      const database = openSqlite(path)
      await Promise.all([
        database.execute('insert into t values (1)'),
        column(database, 'select a from t'),
        database.transaction((tx) => column(tx, 'select a from t'), { accessMode: 'read only' }),
      ])
      const stream = database.stream('select a from t', [], { chunkRows: 1 })
      await stream.next()
      await database.close({ deadlineMs: 0 })
    }
    expectGone(first)
  })

  test('of a database in memory ends it', async () => {
    const database = await withTable({ path: ':memory:' })
    const stream = database.stream('select a from t', [], { chunkRows: 1 })
    await stream.next()
    expect((await database.close()).forced).toHaveLength(1)
    expect(await rejection(stream.next())).toBeInstanceOf(DatabaseClosedError)
    expect(await rejection(database.execute('select 1'))).toBeInstanceOf(DatabaseClosedError)
  })
})
