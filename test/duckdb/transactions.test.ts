import {
  ConnectionBusyError,
  type DuckDBDatabase,
  type DuckDBOptions,
  type DuckDBSession,
  DuckDBStatementError,
  Int64RangeError,
  OptionError,
  ParameterError,
  SavepointsNotSupportedError,
  TransactionAbortedError,
  TransactionClosedError,
} from '@keelson/duckdb'
import { describe, expect, test } from 'vitest'
import { nextTurn } from '../support/event-loop.ts'
import { rejection } from '../support/rejection.ts'
import { column, open, run, signal, value } from './fixture.ts'

async function withTable(options: DuckDBOptions = {}): Promise<DuckDBDatabase> {
  const database = await open({ path: ':memory:', ...options })
  await run(database, 'create table t (a integer primary key)')
  return database
}

const rows = (database: Pick<DuckDBDatabase, 'execute'>): Promise<unknown[]> =>
  column(database, 'select a from t order by a')

/** Takes a minute. */
const heavy = 'select sum(hash(x.range + y.range)) from range(60000) x, range(60000) y'

async function begun(database: DuckDBDatabase): Promise<DuckDBSession> {
  const session = database.connect()
  await session.begin()
  await run(session, 'insert into t values (1)')
  return session
}

/** Nothing is leased, no connection was replaced, and whoever comes next is served. */
async function expectIdle(database: DuckDBDatabase): Promise<void> {
  expect(database.poolStats).toMatchObject({ inUse: 0, waiting: 0, closedBroken: 0 })
  expect(await value(database, 'select 42')).toBe(42)
}

describe('a transaction', () => {
  test('keeps everything when its callback resolves, and returns its result', async () => {
    const database = await withTable()
    const result = await database.transaction(async (tx) => {
      await run(tx, 'insert into t values (1)', 'insert into t values (2)')
      return 'done'
    })
    expect(result).toBe('done')
    expect(await rows(database)).toEqual([1, 2])
  })

  test('keeps nothing when its callback throws, and throws the same object', async () => {
    const database = await withTable()
    const mine = Object.freeze(new Error('mine'))
    for (const thrown of [mine, 'a string', undefined, 0, null]) {
      const outcome = await database
        .transaction(async (tx) => {
          await run(tx, 'insert into t values (1)')
          throw thrown
        })
        .then(
          () => 'resolved',
          (error: unknown) => ({ error }),
        )
      expect(outcome).toEqual({ error: thrown })
      expect(await rows(database)).toEqual([])
    }
    await expectIdle(database)
  })

  test('says whether it is open', async () => {
    const database = await withTable()
    const session = database.connect()
    const states = [session.inTransaction]
    const beginning = session.begin()
    states.push(session.inTransaction)
    await beginning
    states.push(session.inTransaction)
    const committing = session.commit()
    states.push(session.inTransaction)
    await committing
    states.push(session.inTransaction)
    await session.begin()
    await session.rollback()
    states.push(session.inTransaction)
    await session.release()
    expect(states).toEqual([false, false, true, true, false, false])
  })

  test('sees its own writes, and others see them once it is committed', async () => {
    const database = await withTable()
    await database.transaction(async (tx) => {
      await run(tx, 'insert into t values (1)')
      expect(await rows(tx)).toEqual([1])
      expect(await rows(database)).toEqual([])
      await run(database, 'insert into t values (2)')
      expect(await rows(tx)).toEqual([1])
    })
    expect(await rows(database)).toEqual([1, 2])
  })

  test('undoes what it created, altered and dropped', async () => {
    const database = await withTable()
    const mine = new Error('mine')
    const thrown = rejection(
      database.transaction(async (tx) => {
        await run(
          tx,
          'create table u (b integer)',
          'alter table t add column c integer',
          'insert into t values (1, 2)',
        )
        expect(await column(tx, 'select c from t')).toEqual([2])
        await run(tx, 'drop table t')
        throw mine
      }),
    )
    expect(await thrown).toBe(mine)
    expect(await column(database, 'show tables')).toEqual(['t'])
    expect((await database.execute('from t')).columns).toEqual(['a'])
  })

  test('that only reads refuses every write and leaves the connection as it was', async () => {
    const database = await withTable({ pool: { max: 1 } })
    await run(database, 'insert into t values (1)')
    const writes = [
      'insert into t values (2)',
      'insert into t values (2) returning a',
      'insert into t values (1) on conflict do update set a = 3',
      'update t set a = 2',
      'delete from t',
      'create table u (a integer)',
      'drop table t',
    ]
    for (const sql of writes) {
      const error = await rejection(
        database.transaction((tx) => tx.execute(sql), { accessMode: 'read only' }),
      )
      expect(error.message, sql).toMatch(/read-only/)
    }
    await database.transaction(
      async (tx) => {
        expect(await rows(tx)).toEqual([1])
      },
      { accessMode: 'read only' },
    )
    await run(database, 'insert into t values (3)')
    await database.transaction((tx) => tx.execute('insert into t values (4)'))
    await database.transaction((tx) => tx.execute('insert into t values (5)'), {
      accessMode: 'read write',
    })
    expect(await rows(database)).toEqual([1, 3, 4, 5])
    await expectIdle(database)
  })

  test('refuses options that nobody reads, before it begins', async () => {
    const database = await withTable()
    const given = [
      { isolationLevel: 'serializable' },
      { isolationLevel: 'snapshot' },
      { accessMode: 'write' },
      { signal: 'now' },
    ] as object[]
    for (const options of given) {
      const session = database.connect()
      expect(await rejection(session.begin(options))).toBeInstanceOf(OptionError)
      expect(session.inTransaction).toBe(false)
      const unused = async (): Promise<never> => expect.unreachable()
      expect(await rejection(database.transaction(unused, options))).toBeInstanceOf(OptionError)
    }
    const noFunction = 1 as unknown as () => Promise<void>
    expect(await rejection(database.transaction(noFunction))).toBeInstanceOf(OptionError)
  })

  test('runs statements in the order of the calls, and commits after the last', async () => {
    const database = await withTable()
    const session = database.connect()
    await session.begin()
    const inserts = Array.from({ length: 50 }, (_, index) =>
      session.execute('insert into t select coalesce(max(a), 0) + $1 from t', [index % 3]),
    )
    const failing = Promise.allSettled(inserts)
    expect((await rejection(session.commit())).code).toBe('TRANSACTION_ABORTED')
    expect((await failing).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      ...Array.from({ length: 47 }, () => 'rejected'),
    ])
    await session.begin()
    const others = Array.from({ length: 50 }, () =>
      session.execute('insert into t select coalesce(max(a), 0) + 1 from t'),
    )
    await session.commit()
    await Promise.all(others)
    expect(await value(database, 'select max(a) from t')).toBe(50)
  })
})

describe('a statement that fails', () => {
  const failures: [string, (session: DuckDBSession) => Promise<unknown>, RegExp][] = [
    ['in the parser', (tx) => tx.execute('selec 1'), /^Parser Error/],
    ['in the binder', (tx) => tx.execute('select b from t'), /^Binder Error/],
    ['in the catalog', (tx) => tx.execute('select * from missing'), /^Catalog Error/],
    ['at a constraint', (tx) => tx.execute('insert into t values (1)'), /^Constraint Error/],
    ['at a conversion', (tx) => tx.execute("select 'x'::integer"), /^Conversion Error/],
    ['at an overflow', (tx) => tx.execute('select 2147483647::integer + 1::integer'), /Overflow/],
    ['by itself', (tx) => tx.execute("select error('mine')"), /mine/],
    ['at a file', (tx) => tx.execute("from '/missing/x.csv'"), /^IO Error/],
    [
      'interrupted',
      async (tx) => {
        const controller = new AbortController()
        const running = tx.execute(heavy, [], { signal: controller.signal })
        setTimeout(() => controller.abort(new Error('enough')), 50)
        await running
      },
      /^enough$/,
    ],
    [
      'cancelled',
      async (tx) => {
        setTimeout(() => tx.cancel(new Error('enough')), 50)
        await tx.execute(heavy)
      },
      /^enough$/,
    ],
    [
      'when its rows are read',
      (tx) => tx.execute('select 9007199254740993 as large'),
      /"large" holds 9007199254740993/,
    ],
    [
      'in a stream',
      async (tx) => {
        const sql =
          "select case when range = 700000 then error('late') else range end from range(1000000)"
        for await (const _ of tx.stream(sql)) void _
      },
      /before its end/,
    ],
  ]

  test.for(failures)('%s fails its transaction', async ([, fail, message]) => {
    const database = await withTable()
    const session = await begun(database)
    const first = await rejection(fail(session))
    expect(first.message).toMatch(message)
    expect(session.inTransaction).toBe(true)
    const attempts = [
      () => session.execute('select 1'),
      () => session.execute('insert into t values (2)'),
      () => session.stream('select 1').next(),
      () => session.execute('selec 1'),
    ]
    for (const attempt of attempts) {
      const error = await rejection(attempt)
      expect(error).toBeInstanceOf(TransactionAbortedError)
      expect(error.cause).toBe(first)
    }
    const error = await rejection(session.commit())
    expect(error).toBeInstanceOf(TransactionAbortedError)
    expect(error.cause).toBe(first)
    expect(error.message).toBe(
      'An earlier statement of this transaction has failed, which is the cause of this error, and DuckDB can undo no ' +
        'part of a transaction. Nothing of it is kept, and nothing more can be done in it: roll it back and begin a new one.',
    )
    expect(session.inTransaction).toBe(false)
    expect(await rows(database)).toEqual([])
    await session.begin()
    await run(session, 'insert into t values (2)')
    await session.commit()
    expect(await rows(database)).toEqual([2])
    await expectIdle(database)
  })

  test.for(failures)('%s leaves what follows the rollback to run', async ([, fail]) => {
    const database = await withTable()
    const session = await begun(database)
    await rejection(fail(session))
    await session.rollback()
    expect(session.inTransaction).toBe(false)
    await run(session, 'insert into t values (7)')
    expect(await rows(database)).toEqual([7])
    await expectIdle(database)
  })

  test('and is caught does not let the callback pass for a success', async () => {
    const database = await withTable()
    let first: Error | undefined
    const error = await rejection(
      database.transaction(async (tx) => {
        await run(tx, 'insert into t values (1)')
        first = await rejection(tx.execute('insert into t values (1)'))
        return 'caught'
      }),
    )
    expect(error).toBeInstanceOf(TransactionAbortedError)
    expect(error.cause).toBe(first)
    expect(await rows(database)).toEqual([])
  })

  test('and is not caught is thrown itself, without another error beside it', async () => {
    const database = await withTable()
    const error = await rejection(
      database.transaction((tx) => tx.execute('insert into t values (1), (1)')),
    )
    expect(error.message).toMatch(/^Constraint Error/)
    expect(error.suppressed).toBeUndefined()
    expect(error.cause).toBeUndefined()
  })

  test('stops the statements that were asked for after it, and none before', async () => {
    const database = await withTable()
    const session = await begun(database)
    const results = await Promise.allSettled([
      session.execute('insert into t values (2)'),
      session.execute('insert into t values (1)'),
      session.execute('insert into t values (3)'),
      session.execute('select 1'),
    ])
    expect(
      results.map((each) => (each.status === 'rejected' ? each.reason.constructor.name : 'done')),
    ).toEqual(['done', 'Error', 'TransactionAbortedError', 'TransactionAbortedError'])
    await session.rollback()
  })

  test('fails nothing but itself outside of a transaction', async () => {
    const database = await withTable({ pool: { max: 1 } })
    const session = database.connect()
    await run(session, 'insert into t values (1)')
    for (const [, fail] of failures) await rejection(fail(session))
    await run(session, 'insert into t values (2)')
    expect(await rows(database)).toEqual([1, 2])
    await expectIdle(database)
  })
})

describe('a statement that is refused before DuckDB has it', () => {
  const refusals: [
    string,
    (session: DuckDBSession) => Promise<unknown>,
    new (...a: never[]) => Error,
  ][] = [
    ['for its parameters', (tx) => tx.execute('select $1::integer', []), ParameterError],
    ['for too many parameters', (tx) => tx.execute('select 1', [1]), ParameterError],
    [
      'for what is no array of parameters',
      (tx) => tx.execute('select 1', 1 as unknown as unknown[]),
      ParameterError,
    ],
    ['for an option', (tx) => tx.execute('select 1', [], { row: 1 } as object), OptionError],
    [
      'for a policy',
      (tx) => tx.execute('select 1', [], { values: { int64: 'x' } } as object),
      OptionError,
    ],
    ['as several statements', (tx) => tx.execute('select 1; select 2'), DuckDBStatementError],
    ['as no statement', (tx) => tx.execute('-- nothing'), DuckDBStatementError],
    ['as a savepoint', (tx) => tx.execute('savepoint a'), SavepointsNotSupportedError],
    ['as the end of one', (tx) => tx.execute('/* x */ release a'), SavepointsNotSupportedError],
    [
      'as a rollback to one',
      (tx) => tx.execute('rollback transaction to savepoint a'),
      SavepointsNotSupportedError,
    ],
    ['as a begin', (tx) => tx.execute('begin'), DuckDBStatementError],
    ['as a commit', (tx) => tx.execute('commit'), DuckDBStatementError],
    ['as another word for it', (tx) => tx.execute('end'), DuckDBStatementError],
    ['as a rollback', (tx) => tx.execute('abort'), DuckDBStatementError],
    ['as a stream without rows', (tx) => tx.stream('delete from t').next(), DuckDBStatementError],
    ['as a begin within', (tx) => tx.begin(), DuckDBStatementError],
    [
      'for a signal that is aborted',
      (tx) => tx.execute('select 1', [], { signal: AbortSignal.abort(new TypeError('mine')) }),
      TypeError,
    ],
    [
      'in its turn, being aborted',
      async (tx) => {
        const controller = new AbortController()
        const first = tx.execute('select 1')
        const second = tx.execute('delete from t', [], { signal: controller.signal })
        controller.abort(new TypeError('mine'))
        const error = await rejection(second)
        await first
        throw error
      },
      TypeError,
    ],
    [
      'beside a stream',
      async (tx) => {
        const stream = tx.stream('select 1')
        await stream.next()
        const error = await rejection(tx.execute('select 1'))
        await stream.return!()
        throw error
      },
      ConnectionBusyError,
    ],
  ]

  test.for(refusals)('%s leaves its transaction as it was', async ([, attempt, kind]) => {
    const database = await withTable()
    const session = await begun(database)
    expect(await rejection(attempt(session))).toBeInstanceOf(kind)
    await run(session, 'insert into t values (2)')
    expect(await rejection(attempt(session))).toBeInstanceOf(kind)
    await session.commit()
    expect(await rows(database)).toEqual([1, 2])
    await expectIdle(database)
  })

  test('is told how to do without a savepoint, and without SQL for transactions', async () => {
    const database = await withTable()
    expect((await rejection(database.execute('savepoint "a"'))).message).toBe(
      '`savepoint "a"` is not possible: DuckDB has no savepoints, so no part of a transaction can be undone alone. ' +
        'Avoid the failure (ON CONFLICT DO NOTHING, TRY_CAST, a check before), or use a transaction of its own.',
    )
    const error = await rejection(database.execute('begin'))
    expect(error.code).toBe('TRANSACTION_CONTROL')
    expect(error.message).toContain('Use transaction(), or begin(), commit() and rollback()')
  })
})

describe('calls at the wrong time', () => {
  test('before begin() has resolved are refused, and it begins all the same', async () => {
    const database = await withTable()
    const session = database.connect()
    const beginning = session.begin()
    for (const attempt of [
      () => session.execute('insert into t values (1)'),
      () => session.stream('from t').next(),
      () => session.commit(),
      () => session.rollback(),
    ])
      expect(await rejection(attempt())).toMatchObject({ code: 'NO_TRANSACTION' })
    await beginning
    await run(session, 'insert into t values (2)')
    await session.commit()
    expect(await rows(database)).toEqual([2])
  })

  test('after commit() or rollback() was called are refused', async () => {
    const database = await withTable()
    for (const ending of ['commit', 'rollback'] as const) {
      const session = await begun(database)
      const ended = session[ending]()
      for (const attempt of [
        () => session.execute('insert into t values (5)'),
        () => session.stream('from t').next(),
        () => session.commit(),
        () => session.rollback(),
      ])
        expect(await rejection(attempt())).toBeInstanceOf(TransactionClosedError)
      expect(await rejection(session.begin())).toMatchObject({ code: 'TRANSACTION_OPEN' })
      await ended
      expect(await column(database, 'delete from t returning a')).toEqual(
        ending === 'commit' ? [1] : [],
      )
    }
    await expectIdle(database)
  })

  test('without a transaction: commit() throws, and rollback() does nothing', async () => {
    const database = await withTable()
    const session = database.connect()
    expect(await rejection(session.commit())).toMatchObject({ code: 'NO_TRANSACTION' })
    await session.rollback()
    await session.begin()
    await session.commit()
    expect(await rejection(session.commit())).toMatchObject({ code: 'NO_TRANSACTION' })
    await session.rollback()
  })

  test('on the session of a callback that is over never run in autocommit', async () => {
    const database = await withTable()
    let late: DuckDBSession | undefined
    let stream: AsyncIterator<unknown> | undefined
    await database.transaction(async (tx) => {
      late = tx
      stream = tx.stream('from t')
    })
    for (const attempt of [
      () => late!.execute('insert into t values (1)'),
      () => late!.stream('from t').next(),
      () => late!.begin(),
      () => stream!.next(),
    ])
      expect(await rejection(attempt())).toBeInstanceOf(TransactionClosedError)
    expect(await rows(database)).toEqual([])
  })

  test('a second begin() beside the first changes nothing about it', async () => {
    const database = await withTable({ pool: { max: 2 } })
    const session = database.connect()
    const [first, second] = await Promise.allSettled([session.begin(), session.begin()])
    expect(first.status).toBe('fulfilled')
    expect(second).toMatchObject({ reason: { code: 'TRANSACTION_OPEN' } })
    await session.release()
    await expectIdle(database)
  })
})

describe('release()', () => {
  test('rolls back what is open, after what was asked for before', async () => {
    const database = await withTable()
    const session = await begun(database)
    const last = session.execute('select 1')
    await session.release()
    expect((await last).rows).toHaveLength(1)
    expect(await rows(database)).toEqual([])
    await session.release()
    expect(await rejection(session.execute('select 1'))).toBeInstanceOf(TransactionClosedError)
    expect(await rejection(session.begin())).toBeInstanceOf(TransactionClosedError)
    await expectIdle(database)
  })

  test('during begin() ends it, wherever it is', async () => {
    const database = await withTable({ pool: { max: 1 } })
    const holder = await database.reserve()
    for (const isWaiting of [true, false]) {
      const session = database.connect()
      const beginning = session.begin().then(
        () => 'begun',
        (error: Error) => error.constructor.name,
      )
      if (!isWaiting) {
        const releasing = holder.release()
        await releasing
      }
      const second = rejection(session.begin())
      await session.release()
      expect(await second).toMatchObject({ code: 'TRANSACTION_OPEN' })
      expect(await beginning).toMatch(isWaiting ? /^TransactionClosedError$/ : /./)
      expect(session.inTransaction).toBe(false)
    }
    expect(database.poolStats).toMatchObject({ inUse: 0, waiting: 0 })
    expect(await rows(database)).toEqual([])
  })

  test('during commit() or rollback() waits for it', async () => {
    const database = await withTable({ pool: { max: 1 } })
    for (const ending of ['commit', 'rollback'] as const) {
      for (const isFailing of [false, true]) {
        const session = database.connect()
        await session.begin()
        await run(session, 'delete from t', 'insert into t values (1)')
        if (isFailing) await rejection(session.execute('insert into t values (1)'))
        const ended = session[ending]().then(
          () => 'ended',
          (error: Error) => error.constructor.name,
        )
        await session.release()
        expect(database.poolStats).toMatchObject({ inUse: 0 })
        expect(await ended).toBe(
          isFailing && ending === 'commit' ? 'TransactionAbortedError' : 'ended',
        )
        expect(await rows(database)).toEqual([1])
      }
    }
    await expectIdle(database)
  })

  test('of a reserved session during a commit that fails leaves its connection alone from then on', async () => {
    const database = await withTable({ pool: { max: 1 } })
    for (let again = 0; again < 20; again++) {
      const session = await database.reserve()
      await session.begin()
      await rejection(session.execute('selec 1'))
      const committing = rejection(session.commit())
      const releasing = session.release()
      // Waits for the only connection, and must not be rolled back on it by the one before.
      await database.transaction((tx) => tx.execute('insert into t values ($1)', [again]))
      expect((await committing).code).toBe('TRANSACTION_ABORTED')
      await releasing
    }
    expect(await rows(database)).toHaveLength(20)
  })
})

describe('a begin() that does not succeed', () => {
  test('for its signal, aborted before or while it waits, begins nothing', async () => {
    const database = await withTable({ pool: { max: 1 } })
    const holder = await database.reserve()
    const reason = new Error('enough')
    const session = database.connect()
    expect(await rejection(session.begin({ signal: AbortSignal.abort(reason) }))).toBe(reason)
    const controller = new AbortController()
    const waiting = rejection(session.begin({ signal: controller.signal }))
    await nextTurn()
    controller.abort(reason)
    expect(await waiting).toBe(reason)
    const cancelled = rejection(session.begin())
    await nextTurn()
    session.cancel(reason)
    expect(await cancelled).toBe(reason)
    expect(session.inTransaction).toBe(false)
    await holder.release()
    await session.begin({ signal: new AbortController().signal })
    await run(session, 'insert into t values (1)')
    await session.commit()
    expect(await rows(database)).toEqual([1])
    await expectIdle(database)
  })

  test('for want of a connection says who has them, and can be tried again', async () => {
    const database = await withTable({ pool: { max: 1, acquireTimeoutMs: 300 } })
    const holder = await database.reserve()
    await run(holder, 'select 7')
    const session = database.connect()
    const error = await rejection(session.begin())
    expect(error.code).toBe('POOL_ACQUIRE_TIMEOUT')
    expect(error.message).toMatch(/1 of 1 are leased\. Held by: lease \d+ \(session\) for /)
    expect(error.holders).toMatchObject([{ purpose: 'session', sql: 'select 7' }])
    await holder.release()
    await session.begin()
    await session.commit()
    await expectIdle(database)
  })
})

describe('a commit that fails', () => {
  test('throws the error of DuckDB, keeps nothing, and leaves a usable connection', async () => {
    const database = await withTable({ pool: { max: 2 } })
    for (let again = 0; again < 3; again++) {
      const [first, second] = [database.connect(), database.connect()]
      await first.begin()
      await second.begin()
      await first.execute('insert into t values ($1), ($2)', [again, again + 100])
      await second.execute('insert into t values ($1), ($2)', [again, again + 200])
      await first.commit()
      const error = await rejection(second.commit())
      expect(error.message).toMatch(/^TransactionContext Error: Failed to commit: PRIMARY KEY/)
      expect(error.suppressed).toBeUndefined()
      expect(second.inTransaction).toBe(false)
      await second.rollback()
      await run(second, `insert into t values (${again + 300})`)
    }
    expect(await rows(database)).toEqual([0, 1, 2, 100, 101, 102, 300, 301, 302])
    expect(database.poolStats).toMatchObject({ size: 2, closedBroken: 0 })
  })

  test('of a callback is thrown, whatever the callback returned', async () => {
    const database = await withTable()
    const both = signal()
    let inserts = 0
    const insert = (): Promise<string> =>
      database.transaction(async (tx) => {
        await run(tx, 'insert into t values (1)')
        if (++inserts === 2) both.go()
        await both.wait
        return 'done'
      })
    const results = Promise.allSettled([insert(), insert()])
    const failed = (await results).filter(({ status }) => status === 'rejected')
    expect(failed).toMatchObject([
      { reason: { message: expect.stringMatching(/Failed to commit/) } },
    ])
    expect(await rows(database)).toEqual([1])
  })
})

describe('a value that cannot be read', () => {
  test('fails the statement, but undoes nothing that was written in autocommit', async () => {
    const database = await open({ path: ':memory:' })
    await run(database, 'create table big (a bigint)')
    const error = await rejection(
      database.execute('insert into big values (9007199254740993) returning a'),
    )
    expect(error).toBeInstanceOf(Int64RangeError)
    expect(await value(database, 'select count(*) from big')).toBe(1)
  })
})
