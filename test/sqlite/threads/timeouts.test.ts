import { setTimeout } from 'node:timers/promises'
import { QueryTimeoutError, type SqliteDatabase } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { nextTurn } from '../../support/event-loop.ts'
import { startProgram } from '../../support/program.ts'
import { rejection } from '../../support/rejection.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { column, run, signal, value } from '../fixture.ts'
import {
  before,
  expectGone,
  functions,
  hold,
  modes,
  until,
  upTo,
  withTable,
  workerThreads,
} from './fixture.ts'

const rows = (database: Pick<SqliteDatabase, 'execute'>): Promise<unknown[]> =>
  column(database, 'select a from t order by rowid')

describe.for(modes)('who gives up while it waits: %s', (mode) => {
  test('after queryTimeoutMs is told by whom it was kept, and its statement never runs', async () => {
    const database = await withTable({ mode, queryTimeoutMs: 500 })
    await database.transaction(async (tx) => {
      await tx.execute('insert into t values (0)')
      const errors = await Promise.all([
        rejection(database.execute('insert into t values (1)')),
        rejection(database.execute('insert into t values (1) returning a')),
        rejection(database.stream('insert into t values (1) returning a').next()),
      ])
      for (const error of errors) {
        expect(error).toBeInstanceOf(QueryTimeoutError)
        expect(error.code).toBe('QUERY_TIMEOUT')
        expect(error.message).toContain('insert into t values (1)')
        expect(error.message).toMatch(/500 ms \(queryTimeoutMs\)/)
      }
      await tx.execute('insert into t values (2)')
    })
    await run(database, 'insert into t values (3)')
    expect(await rows(database)).toEqual([0, 2, 3])
  })

  test('by a signal is given its reason, and its statement never runs', async () => {
    const database = await withTable({ mode })
    const reason = new Error('enough')
    await database.transaction(async (tx) => {
      await tx.execute('insert into t values (0)')
      const controller = new AbortController()
      const options = { signal: controller.signal }
      const waiting = [
        database.execute('insert into t values (1)', [], options),
        database.execute('insert into t values (1) returning a', [], options),
        database.stream('insert into t values (1) returning a', [], options).next(),
        database.transaction((other) => other.execute('insert into t values (1)'), options),
      ].map((each) => rejection(each))
      await nextTurn()
      controller.abort(reason)
      for (const each of waiting) expect(await each).toBe(reason)
    })
    await run(database, 'insert into t values (3)')
    expect(await rows(database)).toEqual([0, 3])
  })

  test('before it began is given the reason at once', async () => {
    const database = await withTable({ mode })
    const reason = new Error('enough')
    const options = { signal: AbortSignal.abort(reason) }
    expect(await rejection(database.execute('select 1', [], options))).toBe(reason)
    expect(await rejection(database.execute('insert into t values (1)', [], options))).toBe(reason)
    expect(await rejection(database.stream('select 1', [], options).next())).toBe(reason)
    expect(await rejection(database.transaction(async () => {}, options))).toBe(reason)
    expect(await rows(database)).toEqual([])
  })

  test('too late changes nothing, and leaves no timer behind', async () => {
    const earlier = before()
    const database = await withTable({ mode, queryTimeoutMs: 3_600_000 })
    const controller = new AbortController()
    const options = { signal: controller.signal }
    await Promise.all([
      ...upTo(50).map((n) => database.execute('insert into t values (?)', [n], options)),
      ...upTo(50).map((n) => database.execute('select ?', [n], options)),
      database.transaction((tx) => tx.execute('insert into t values (51)'), options),
    ])
    controller.abort(new Error('too late'))
    expect(await value(database, 'select count(*) from t')).toBe(51)
    await database.close()
    await expectGone(database, earlier)
  })

  test('of a read that returns rows for too long stops it', async () => {
    const database = await withTable({ mode, queryTimeoutMs: 500 })
    const sql =
      'with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000000) select i from n'
    expect(await rejection(database.execute(sql))).toBeInstanceOf(QueryTimeoutError)
    const error = await rejection(async () => {
      for await (const _ of database.stream(sql));
    })
    expect(error).toBeInstanceOf(QueryTimeoutError)
    await run(database, 'insert into t values (1)')
    expect(await rows(database)).toEqual([1])
  })
})

describe('a read that is stuck in SQLite', () => {
  test('is given up after queryTimeoutMs, and its thread is replaced', async () => {
    const database = await withTable({
      readers: 1,
      queryTimeoutMs: 1_000,
      connectionModule: functions,
    })
    const held = hold()
    const error = await rejection(database.execute(`select ${held.sql}`))
    expect(error).toBeInstanceOf(QueryTimeoutError)
    expect(error.message).toContain('`select hold(')
    expect(error.message).toContain('queryTimeoutMs')
    expect(error.stack).toContain('timeouts.test.ts')
    // It may have waited for its thread to start for all that time.
    expect(held.started()).toBeLessThanOrEqual(1)
    expect(await value(database, 'select 5')).toBe(5)
    await run(database, 'insert into t values (1)')
    expect(await rows(database)).toEqual([1])
    held.go()
  })

  test('is given up by a signal, with its reason', async () => {
    const database = await withTable({ readers: 1, connectionModule: functions })
    const held = hold()
    const reason = new Error('enough')
    const controller = new AbortController()
    const reading = rejection(
      database.execute(`select ${held.sql}`, [], { signal: controller.signal }),
    )
    await held.begun()
    controller.abort(reason)
    expect(await reading).toBe(reason)
    expect(await value(database, 'select 5')).toBe(5)
    held.go()
  })

  test('is given up by cancel(), with its reason', async () => {
    const database = await withTable({ readers: 1, connectionModule: functions })
    const held = hold()
    const reason = new Error('enough')
    const session = database.connect()
    const reading = rejection(session.execute(`select ${held.sql}`))
    await held.begun()
    session.cancel(reason)
    expect(await reading).toBe(reason)
    expect(await value(session, 'select 5')).toBe(5)
    await session.release()
    held.go()
  })

  test('does not take those with it that came after it', async () => {
    const database = await withTable({ readers: 1, connectionModule: functions })
    const held = hold()
    const controller = new AbortController()
    const reading = rejection(
      database.execute(`select ${held.sql}`, [], { signal: controller.signal }),
    )
    await held.begun()
    const after = upTo(20).map((n) => value(database, 'select ?', [n]))
    controller.abort(new Error('enough'))
    await reading
    expect(await Promise.all(after)).toEqual(upTo(20))
    held.go()
  })

  test('in a stream is given up as well', async () => {
    const database = await withTable({ readers: 1, connectionModule: functions })
    const held = hold()
    const reason = new Error('enough')
    const controller = new AbortController()
    const stream = database.stream(`select ${held.sql}`, [], { signal: controller.signal })
    const reading = rejection(stream.next())
    await held.begun()
    controller.abort(reason)
    expect(await reading).toBe(reason)
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    expect(await value(database, 'select 5')).toBe(5)
    for await (const chunk of database.stream('select 6 as a')) expect(chunk).toEqual([{ a: 6 }])
    held.go()
  })

  test('leaves no thread behind once it has come to its end', async () => {
    const earlier = before()
    const database = await withTable({ readers: 3, connectionModule: functions })
    await value(database, 'select 1')
    const threads = workerThreads().length
    const helds = upTo(3).map(() => hold())
    for (const held of helds) {
      const controller = new AbortController()
      const reading = rejection(
        database.execute(`select ${held.sql}`, [], { signal: controller.signal }),
      )
      await held.begun()
      controller.abort(new Error('enough'))
      await reading
      // Its thread has had its time by then: timers fire in the order in which they are due.
      await setTimeout(200)
      expect(await value(database, 'select 5')).toBe(5)
    }
    for (const held of helds) held.go()
    await until(() => workerThreads().length <= threads, 'the abandoned threads to end')
    await database.close()
    await expectGone(database, earlier)
  })

  test('does not keep close() from its end', async () => {
    const database = await withTable({ readers: 1, connectionModule: functions })
    const held = hold()
    const reading = rejection(database.execute(`select ${held.sql}`))
    await held.begun()
    await database.close({ deadlineMs: 20 })
    expect((await reading).code).toMatch(/^(DATABASE_CLOSED|THREAD_EXITED)$/)
    held.go()
  })

  test.for(['timeout', 'signal'])(
    'and would never end keeps nobody, when given up by %s',
    async (how) => {
      const program = startProgram(
        new URL('./programs/stuck.ts', import.meta.url),
        temporaryFile(),
        how,
      )
      const lines = [
        await program.line(),
        await program.line(),
        await program.line(),
        await program.line(),
      ]
      expect(lines).toEqual([
        how === 'timeout' ? 'QueryTimeoutError' : 'the reason',
        '[{"a":5}]',
        '1',
        'closed',
      ])
      // Nothing ends such a thread but the end of its process.
      await program.kill()
    },
  )
})

describe('a statement that was given up', () => {
  test.for(['insert into t values (5)', 'insert into t values (5) returning a', 'select 5 as a'])(
    'before it ran for the first time runs the next time: %s',
    async (sql) => {
      const database = await withTable({ readers: 1, connectionModule: functions })
      const held = hold()
      const before = database.execute(
        sql.startsWith('select') ? `select ${held.sql}` : `insert into t select ${held.sql}`,
      )
      await held.begun()
      const reason = new Error('enough')
      const controller = new AbortController()
      const given = rejection(database.execute(sql, [], { signal: controller.signal }))
      await nextTurn()
      controller.abort(reason)
      held.go()
      await before
      expect(await given).toBe(reason)
      for (const _ of upTo(3)) {
        const { rows: found, changes } = await database.execute(sql)
        if (sql.startsWith('insert')) expect(changes).toBe(1)
        if (sql.endsWith('a')) expect(found).toEqual([{ a: 5 }])
      }
    },
  )

  test('while it ran for the first time runs the next time, and its rows have their columns', async () => {
    const database = await withTable({ readers: 1, connectionModule: functions })
    for (const isRead of [true, false]) {
      const held = hold()
      const sql = isRead
        ? `select ${held.sql} as a`
        : `insert into t select ${held.sql} returning a`
      const controller = new AbortController()
      const given = database
        .execute(sql, [], { signal: controller.signal })
        .catch((error: unknown) => error)
      await held.begun()
      controller.abort(new Error('enough'))
      // It comes to its end when nobody wants it any more, and before its thread is replaced.
      held.go()
      await given
      for (const _ of upTo(3)) expect((await database.execute(sql)).rows).toEqual([{ a: 1 }])
    }
  })

  test('while its rows waited to be sent runs the next time, and its rows have their columns', async () => {
    const database = await withTable({ readers: 1 })
    const standStill = (ms: number): void => {
      const end = performance.now() + ms
      while (performance.now() < end);
    }
    const many = (count: number): string =>
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}) select i from n`
    // As much as is sent before any of it was taken in.
    const first = database.execute(many(2_000))
    const controller = new AbortController()
    const second = database.execute(many(2_001), [], { signal: controller.signal })
    for (let count = 0; count < 10; count++) await Promise.resolve()
    standStill(300)
    controller.abort(new Error('given up'))
    standStill(200)
    expect((await rejection(second)).message).toBe('given up')
    expect((await first).rows).toHaveLength(2_000)
    expect((await database.execute(many(2_001))).rows.at(-1)).toEqual({ i: 2_001 })
  })

  test('among many of all kinds leaves those that come later whole', async () => {
    const database = await withTable({ readers: 2 })
    const texts = upTo(200).map((n) =>
      n % 2 === 0
        ? `insert into t values (${n}) returning a, ${n} as n`
        : `with recursive r(i) as (select 1 union all select i + 1 from r where i < ${n * 10}) select i as a, ${n} as n from r`,
    )
    for (const text of texts) {
      const controller = new AbortController()
      const given = database
        .execute(text, [], { signal: controller.signal })
        .catch((error: unknown) => error)
      if (text.length % 3 === 0) await nextTurn()
      controller.abort(new Error('enough'))
      await given
    }
    const results = await Promise.all(texts.map((text) => database.execute<{ n: number }>(text)))
    for (const [index, { rows: found }] of results.entries()) {
      expect(found).toHaveLength((index + 1) % 2 === 0 ? 1 : (index + 1) * 10)
      expect(found.at(-1)!.n).toBe(index + 1)
    }
  })
})

describe('a write that is stuck in SQLite', () => {
  test('is given up after queryTimeoutMs as one whose outcome is unknown; those behind it never ran', async () => {
    const database = await withTable({ queryTimeoutMs: 500, connectionModule: functions })
    const held = hold()
    const stuck = rejection(database.execute(`insert into t select ${held.sql}`))
    await held.begun()
    const behind = [
      rejection(database.execute('insert into t values (2)')),
      rejection(database.execute('insert into t values (3)')),
      rejection(database.transaction((tx) => tx.execute('insert into t values (4)'))),
    ]
    expect((await stuck).code).toBe('OUTCOME_UNKNOWN')
    expect((await stuck).message).toContain('`insert into t select hold(')
    expect((await stuck).stack).toContain('timeouts.test.ts')
    for (const each of behind)
      expect((await each).code).toMatch(/^(QUERY_TIMEOUT|CONNECTION_BUSY)$/)
    // Reads go on meanwhile.
    expect(await rows(database)).toEqual([])
    held.go()
    await until(
      () =>
        database.execute('insert into t values (5)').then(
          () => true,
          () => false,
        ),
      'the writer to be free',
    )
    const found = await rows(database)
    expect(found.at(-1)).toBe(5)
    // It has come to its end in the meantime, or was ended.
    expect([[1], []]).toContainEqual(found.filter((each) => each !== 5))
  })

  test('whose signal is aborted keeps those behind it only until it ends', async () => {
    const database = await withTable({ connectionModule: functions })
    const held = hold()
    const reason = new Error('enough')
    const controller = new AbortController()
    const stuck = database
      .execute(`insert into t select ${held.sql}`, [], { signal: controller.signal })
      .then(
        () => 'done',
        (error: Error & { code: string }) => error,
      )
    await held.begun()
    const behind = [2, 3, 4].map((n) => database.execute('insert into t values (?)', [n]))
    controller.abort(reason)
    held.go()
    await Promise.all(behind)
    // Nothing stops it: its caller is told the reason, that nobody knows, or what has become of it.
    const outcome = await stuck
    const found = await rows(database)
    if (outcome === 'done') expect(found).toEqual([1, 2, 3, 4])
    else {
      if (outcome !== reason) expect((outcome as { code: string }).code).toBe('OUTCOME_UNKNOWN')
      expect(found.filter((each) => each !== 1)).toEqual([2, 3, 4])
    }
  })

  test('in a transaction rolls it back, and others get their turn', async () => {
    const database = await withTable({
      queryTimeoutMs: 500,
      busyTimeoutMs: 60_000,
      connectionModule: functions,
    })
    const held = hold()
    const { wait, go } = signal()
    const transaction = rejection(
      database.transaction(async (tx) => {
        await tx.execute('insert into t values (1)')
        const error = await rejection(tx.execute(`insert into t select ${held.sql}`))
        expect(error.code).toMatch(/^(OUTCOME_UNKNOWN|QUERY_TIMEOUT)$/)
        go()
        throw error
      }),
    )
    await held.begun()
    await wait
    held.go()
    expect((await transaction).code).toMatch(
      /^(OUTCOME_UNKNOWN|QUERY_TIMEOUT|TRANSACTION_ABORTED)$/,
    )
    await until(
      () =>
        database.execute('insert into t values (5)').then(
          () => true,
          () => false,
        ),
      'the writer to be free',
    )
    expect((await rows(database)).at(-1)).toBe(5)
    expect(await rows(database)).not.toContain(1)
  })

  test('does not keep close() from its end', async () => {
    const database = await withTable({ connectionModule: functions })
    const held = hold()
    const stuck = rejection(database.execute(`insert into t select ${held.sql}`))
    await held.begun()
    const behind = rejection(database.execute('insert into t values (2)'))
    await database.close({ deadlineMs: 20 })
    expect((await stuck).code).toMatch(/^(OUTCOME_UNKNOWN|DATABASE_CLOSED)$/)
    expect((await behind).code).toMatch(/^(DATABASE_CLOSED|OUTCOME_UNKNOWN)$/)
    held.go()
  })
})
