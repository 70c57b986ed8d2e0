import { readdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { DatabaseClosedError, TransactionAbortedError } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { microtasks, nextTurn } from '../../support/event-loop.ts'
import { startProgram } from '../../support/program.ts'
import { rejection } from '../../support/rejection.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { column, plain, run, signal, value } from '../fixture.ts'
import {
  before,
  expectGone,
  functions,
  hold,
  modes,
  openThreads,
  until,
  upTo,
  withTable,
  workerThreads,
} from './fixture.ts'
import { runs } from '../../support/runs.ts'

const rowsOf = (path: string): unknown =>
  plain(path).prepare('select count(*) from t').pluck().get()

describe.for(modes)('close(): %s', (mode) => {
  test('of a database that did nothing, and of one that did, leaves nothing open', async () => {
    const earlier = before()
    const idle = openThreads({ mode })
    expect(await idle.close()).toEqual({ forced: [] })
    await expectGone(idle, earlier)
    const database = await withTable({ mode, readers: 3 })
    await Promise.all(upTo(50).map((n) => database.execute('insert into t values (?)', [n])))
    await Promise.all(upTo(50).map((n) => value(database, 'select ?', [n])))
    for await (const _ of database.stream('select a from t'));
    expect(await database.close()).toEqual({ forced: [] })
    await expectGone(database, earlier)
    expect(rowsOf(database.path)).toBe(50)
  })

  test('called twice, and at once, is one close', async () => {
    const earlier = before()
    const database = await withTable({ mode })
    const [first, second] = await Promise.all([database.close(), database.close()])
    expect(second).toBe(first)
    expect(await database.close()).toBe(first)
    await expectGone(database, earlier)
  })

  test('refuses everything from the moment it is called', async () => {
    const database = await withTable({ mode })
    const closing = database.close()
    expect(database.isOpen).toBe(false)
    const refused = async (): Promise<void> => {
      for (const use of [
        () => database.execute('select 1'),
        () => database.execute('insert into t values (1)'),
        () => database.stream('select 1').next(),
        () => database.transaction(async () => {}),
        () => database.transaction(async () => {}, { accessMode: 'read only' }),
        () => database.connect().begin(),
      ])
        expect(await rejection(use)).toBeInstanceOf(DatabaseClosedError)
    }
    await refused()
    await closing
    await refused()
  })

  test('keeps what was acknowledged, and settles what was sent just before', async () => {
    const earlier = before()
    const database = await withTable({ mode, readers: 2 })
    const numbers = upTo(200)
    const writes = numbers.map((n) => database.execute('insert into t values (?)', [n]))
    const reads = numbers.map((n) => value(database, 'select ?', [n]))
    const all = Promise.allSettled([...writes, ...reads])
    await database.close()
    await expectGone(database, earlier)
    const found = new Set(plain(database.path).prepare('select a from t').pluck().all())
    for (const [index, result] of (await all).entries()) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(DatabaseClosedError)
      if (index < 200) expect(found.has(numbers[index])).toBe(result.status === 'fulfilled')
    }
  })

  test('lets an open transaction finish', async () => {
    const earlier = before()
    const database = await withTable({ mode })
    const { wait, go } = signal()
    const transaction = database.transaction(async (tx) => {
      await tx.execute('insert into t values (1)')
      await wait
      await tx.execute('insert into t values (2)')
      for await (const _ of tx.stream('select a from t'));
      return value(tx, 'select count(*) from t')
    })
    await nextTurn()
    const closing = database.close({ deadlineMs: 60_000 })
    await nextTurn()
    go()
    expect(await transaction).toBe(2)
    expect(await closing).toEqual({ forced: [] })
    await expectGone(database, earlier)
    expect(rowsOf(database.path)).toBe(2)
  })

  test('ends a transaction that does not finish, and names it', async () => {
    const earlier = before()
    const database = await withTable({ mode })
    const { wait, go } = signal()
    const { wait: begun, go: hasBegun } = signal()
    const transaction = rejection(
      database.transaction(async (tx) => {
        await tx.execute('insert into t values (4)')
        hasBegun()
        await wait
        expect(await rejection(tx.execute('insert into t values (5)'))).toBeInstanceOf(
          DatabaseClosedError,
        )
      }),
    )
    await begun
    const { forced } = await database.close({ deadlineMs: 30 })
    expect(forced).toEqual([
      expect.stringMatching(
        /^a transaction, open for \d+ ms, begun at \S*closing\.test\.ts:\d+:\d+, last statement: `insert into t values \(4\)`$/,
      ),
    ])
    await expectGone(database, earlier)
    go()
    const error = await transaction
    expect(error).toBeInstanceOf(TransactionAbortedError)
    expect(error.cause).toBeInstanceOf(DatabaseClosedError)
    expect(rowsOf(database.path)).toBe(0)
  })

  test('of one database leaves another one on the same file alone', async () => {
    const database = await withTable({ mode })
    const other = openThreads({ mode, path: database.path })
    await run(other, 'insert into t values (1)')
    await database.close()
    await run(other, 'insert into t values (2)')
    expect(await column(other, 'select a from t')).toEqual([1, 2])
    await other.close()
    expect(readdirSync(dirname(database.path))).toEqual([basename(database.path)])
  })

  test.for([60_000, 0])(
    'at whatever moment of a beginning ends it or lets it finish, within %i ms',
    async (deadlineMs) => {
      const earlier = before()
      const allowed = ['done', 'DATABASE_CLOSED', 'TRANSACTION_ABORTED']
      // Who leaves no time may hear that a write was on its way.
      if (deadlineMs === 0) allowed.push('OUTCOME_UNKNOWN')
      // An odd step, since every other one is of a database that has not begun.
      for (let depth = 0; depth < 40; depth += runs(3, 1)) {
        const database = openThreads({ mode, readers: 2 })
        // The first of them may be closed before its thread has begun.
        if (depth % 2 === 0) await run(database, 'create table t (a)')
        else database.execute('create table t (a)').catch(() => {})
        const outcomes = [
          database.transaction(async (tx) => {
            await tx.execute('insert into t values (4)')
            await nextTurn()
            await tx.execute('insert into t values (5)')
          }),
          database.transaction((tx) => tx.execute('insert into t values (6)')),
          database.transaction((tx) => column(tx, 'select 1'), { accessMode: 'read only' }),
          database.execute('insert into t values (7)'),
          database.execute('select 1'),
          (async () => {
            for await (const _ of database.stream('values (1), (2), (3)', [], { chunkRows: 1 }));
          })(),
          (async () => {
            for await (const _ of database.stream('insert into t values (8) returning a'));
          })(),
          database.maintenance.size(),
        ].map((each) =>
          each.then(
            () => 'done',
            (error: Error & { code: string }) => error.code,
          ),
        )
        if (depth < 30) await microtasks(depth)
        else for (let turn = 30; turn < depth; turn++) await nextTurn()
        await database.close({ deadlineMs })
        for (const outcome of await Promise.all(outcomes)) expect(allowed).toContain(outcome)
        await expectGone(database, earlier)
      }
    },
  )

  test('many times over leaves nothing behind', async () => {
    const { path } = await withTable({ mode })
    // Those of the first, which stays open.
    const opened = workerThreads().length
    for (let round = 0; round < runs(8, 20); round++) {
      const database = openThreads({ mode, path, readers: 2 })
      await Promise.all([
        database.execute('insert into t values (1)'),
        column(database, 'select a from t'),
        database.transaction((tx) => column(tx, 'select a from t'), { accessMode: 'read only' }),
      ])
      await database.stream('select a from t', [], { chunkRows: 1 }).next()
      await database.close({ deadlineMs: 0 })
    }
    expect(workerThreads().length).toBeLessThanOrEqual(opened)
  })

  test('lets its process come to its end, without a word', async () => {
    const program = startProgram(
      new URL('./programs/ending.ts', import.meta.url),
      temporaryFile(),
      mode,
    )
    expect(await program.line()).toBe('[]')
    expect(await program.end()).toEqual({ code: 0, stderr: '' })
  })
})

describe('close() while threads are at work', () => {
  test('does not say of a write that it was refused, where it was kept and nobody had time to look', async () => {
    const database = await withTable({ connectionModule: functions })
    const held = hold()
    const insert = database.execute(`insert into t select ${held.sql}`).then(
      () => 'done',
      (error: { code: string }) => error.code,
    )
    await held.begun()
    const closed = database.close({ deadlineMs: 0 })
    // The thread is told to close before the event loop stands still.
    setTimeout(() => {
      held.go()
      const end = performance.now() + 1_500
      while (performance.now() < end);
    }, 100)
    await closed
    expect(rowsOf(database.path)).toBe(1)
    expect(['done', 'OUTCOME_UNKNOWN']).toContain(await insert)
  })

  test('waits for what is running, when there is time', async () => {
    const earlier = before()
    const database = await withTable({ readers: 1, connectionModule: functions })
    const reading = hold()
    const writing = hold()
    const read = value(database, `select ${reading.sql}`)
    const write = database.execute(`insert into t select ${writing.sql}`)
    await reading.begun()
    await writing.begun()
    const closing = database.close({ deadlineMs: 60_000 })
    await nextTurn()
    reading.go()
    writing.go()
    const [readResult, writeResult] = await Promise.allSettled([read, write])
    await closing
    await expectGone(database, earlier)
    // Statements may be refused where transactions are waited for; what is acknowledged is there.
    if (readResult.status === 'fulfilled') expect(readResult.value).toBe(1)
    else expect(readResult.reason).toBeInstanceOf(DatabaseClosedError)
    if (writeResult.status === 'fulfilled') expect(rowsOf(database.path)).toBe(1)
    else
      expect((writeResult.reason as { code: string }).code).toMatch(
        /^(DATABASE_CLOSED|OUTCOME_UNKNOWN)$/,
      )
  })

  test('ends streams, transactions and statements that have no time left, and leaves no thread', async () => {
    const earlier = before()
    const database = await withTable({ readers: 2, connectionModule: functions })
    await run(database, 'insert into t values (1), (2), (3)')
    const stream = database.stream('select a from t', [], { chunkRows: 1 })
    await stream.next()
    const held = hold()
    const read = rejection(value(database, `select ${held.sql}`))
    await held.begun()
    const writing = hold()
    const transaction = rejection(
      database.transaction(async (tx) => {
        await tx.execute('insert into t values (4)')
        await tx.execute(`insert into t select ${writing.sql}`)
      }),
    )
    await writing.begun()
    const queued = rejection(database.execute('insert into t values (5)'))
    const { forced } = await database.close({ deadlineMs: 10 })
    expect(forced.length).toBeGreaterThanOrEqual(2)
    expect((await read).code).toMatch(/^(DATABASE_CLOSED|THREAD_EXITED)$/)
    expect((await transaction).code).toMatch(
      /^(TRANSACTION_ABORTED|DATABASE_CLOSED|OUTCOME_UNKNOWN)$/,
    )
    expect((await queued).code).toMatch(/^(DATABASE_CLOSED|OUTCOME_UNKNOWN)$/)
    expect((await rejection(stream.next())).code).toBe('DATABASE_CLOSED')
    held.go()
    writing.go()
    await until(() => workerThreads().length <= earlier.threads.length, 'the threads to end')
    expect(rowsOf(database.path)).toBe(3)
  })
})
