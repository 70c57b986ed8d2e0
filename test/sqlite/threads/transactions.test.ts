import { ConnectionBusyError, type SqliteDatabase, TransactionClosedError } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { nextTurn } from '../../support/event-loop.ts'
import { rejection } from '../../support/rejection.ts'
import { column, otherProcess, plain, run, signal, value } from '../fixture.ts'
import { modes, upTo, withTable } from './fixture.ts'

const rows = (database: Pick<SqliteDatabase, 'execute'>): Promise<unknown[]> =>
  column(database, 'select a from t order by rowid')

describe.for(modes)('transactions: %s', (mode) => {
  test('have the writer for themselves; others get it in the order in which they asked', async () => {
    const database = await withTable({ mode })
    const order: string[] = []
    const insert = (name: string): Promise<unknown> =>
      database.execute('insert into t values (?)', [name]).then(() => order.push(name))
    const transaction = (name: string): Promise<unknown> =>
      database
        .transaction(async (tx) => {
          await tx.execute('insert into t values (?)', [`${name} begins`])
          await nextTurn()
          await tx.execute('insert into t values (?)', [`${name} ends`])
        })
        .then(() => order.push(name))
    await Promise.all([
      transaction('one'),
      insert('two'),
      insert('three'),
      transaction('four'),
      transaction('five'),
      insert('six'),
    ])
    expect(order).toEqual(['one', 'two', 'three', 'four', 'five', 'six'])
    expect(await rows(database)).toEqual([
      'one begins',
      'one ends',
      'two',
      'three',
      'four begins',
      'four ends',
      'five begins',
      'five ends',
      'six',
    ])
  })

  test('go on to the next when one fails, in whatever way', async () => {
    const database = await withTable({ mode })
    const results = await Promise.allSettled([
      database.transaction(async () => Promise.reject(new Error('one'))),
      database.transaction(() => {
        throw new Error('two')
      }),
      database.transaction((tx) => tx.execute('nonsense')),
      database.transaction((tx) =>
        tx.execute("insert or rollback into t values ('x'), (abs(-9223372036854775807 - 1))"),
      ),
      database.execute('insert into missing values (1)'),
      database.execute('insert into t values (1)'),
      database.transaction((tx) => tx.execute('insert into t values (2)')),
    ])
    expect(results.map(({ status }) => status)).toEqual([
      ...upTo(5).map(() => 'rejected'),
      'fulfilled',
      'fulfilled',
    ])
    expect(await rows(database)).toEqual([1, 2])
  })

  test('rethrow the error of their callback as it is, and leave nothing', async () => {
    const database = await withTable({ mode })
    const mine = new Error('mine')
    const error = await rejection(
      database.transaction(async (tx) => {
        await tx.execute('insert into t values (1)')
        throw mine
      }),
    )
    expect(error).toBe(mine)
    expect(await rows(database)).toEqual([])
  })

  test('by connect() are begun, nested and ended by hand', async () => {
    const database = await withTable({ mode })
    const session = database.connect()
    expect(session.inTransaction).toBe(false)
    await session.begin()
    expect(session.inTransaction).toBe(true)
    await session.execute('insert into t values (1)')
    await session.savepoint('a')
    await session.execute('insert into t values (2)')
    await session.rollbackToSavepoint('a')
    await session.execute('insert into t values (3)')
    await session.releaseSavepoint('a')
    expect(plain(database.path).prepare('select count(*) from t').pluck().get()).toBe(0)
    await session.commit()
    expect(session.inTransaction).toBe(false)
    expect(plain(database.path).prepare('select count(*) from t').pluck().get()).toBe(2)
    await session.execute('insert into t values (4)')
    await session.begin()
    await session.execute('insert into t values (5)')
    await session.rollback()
    expect(await rows(database)).toEqual([1, 3, 4])
    await session.begin()
    await session.execute('insert into t values (6)')
    await session.release()
    expect(await rows(database)).toEqual([1, 3, 4])
  })

  test('that did nothing are committed, rolled back and released', async () => {
    const database = await withTable({ mode })
    const session = database.connect()
    await session.begin()
    await session.commit()
    await session.begin()
    await session.rollback()
    await session.begin()
    await session.savepoint('a')
    await session.releaseSavepoint('a')
    await session.commit()
    await session.begin()
    await session.release()
    await database.transaction(async () => {})
    await run(database, 'insert into t values (1)')
    expect(await rows(database)).toEqual([1])
  })

  test('that SQLite ended by itself say so, and commit nothing', async () => {
    const database = await withTable({ mode })
    await run(database, 'create table u (a integer primary key)', 'insert into u values (1)')
    const error = await rejection(
      database.transaction(async (tx) => {
        await tx.execute('insert into t values (1)')
        await tx.execute('insert or rollback into u values (1)').catch(() => {})
        expect(tx.isAborted).toBe(true)
        expect((await rejection(tx.execute('insert into t values (2)'))).code).toBe(
          'TRANSACTION_ABORTED',
        )
      }),
    )
    expect(error.code).toBe('TRANSACTION_ABORTED')
    expect((error.cause as { code: string }).code).toBe('SQLITE_CONSTRAINT_PRIMARYKEY')
    expect(await rows(database)).toEqual([])
  })

  test('fail at COMMIT when a deferred foreign key is broken, and leave nothing', async () => {
    const database = await withTable({ mode })
    await run(
      database,
      'create table p (id integer primary key)',
      'create table c (p references p deferrable initially deferred)',
    )
    const error = await rejection(
      database.transaction(async (tx) => {
        await tx.execute('insert into t values (1)')
        await tx.execute('insert into c values (7)')
      }),
    )
    expect(error.code).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
    expect(await rows(database)).toEqual([])
    await database.transaction(async (tx) => {
      await tx.execute('insert into c values (7)')
      await tx.execute('insert into p values (7)')
    })
    expect(await column(database, 'select p from c')).toEqual([7])
  })

  // SQLite compiles a statement otherwise while foreign keys are deferred, and does not notice later that they are not:
  // it then refuses the row, and leaves it in the open transaction.
  test('keep no row that was refused by a statement from when foreign keys were deferred', async () => {
    const database = await withTable({ mode })
    await run(
      database,
      'create table p (id integer primary key)',
      'create table c (p not null references p)',
      'pragma defer_foreign_keys = on',
    )
    const sql = 'insert into c values (7)'
    expect((await rejection(database.execute(sql))).code).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
    await database.transaction(async (tx) => {
      expect((await rejection(tx.execute(sql))).code).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
    })
    expect(await column(database, 'select p from c')).toEqual([])
  })

  test('are over for a handle that is used later', async () => {
    const database = await withTable({ mode })
    const leaked = await database.transaction(async (tx) => ({ tx }))
    expect(await rejection(leaked.tx.execute('insert into t values (1)'))).toBeInstanceOf(
      TransactionClosedError,
    )
    expect(await rows(database)).toEqual([])
  })

  test('that never end are named to those who waited for busyTimeoutMs', async () => {
    const database = await withTable({ mode, busyTimeoutMs: 60 })
    const session = database.connect()
    await session.begin()
    await session.execute("insert into t values ('the last thing')")
    const errors = await Promise.all([
      rejection(database.execute("insert into t values ('waiting')")),
      rejection(database.transaction((tx) => tx.execute("insert into t values ('waiting')"))),
      rejection(database.stream("insert into t values ('waiting') returning a").next()),
    ])
    for (const error of errors) {
      expect(error).toBeInstanceOf(ConnectionBusyError)
      expect(error.code).toBe('CONNECTION_BUSY')
      expect(error.message).toMatch(
        /owned by a transaction, open for \d+ ms, begun at \S*transactions\.test\.ts:\d+:\d+, last statement: `insert into t values \('the last thing'\)`/,
      )
    }
    // Reads do not wait for it.
    expect(await rows(database)).toEqual([])
    await session.rollback()
    await run(database, 'insert into t values (1)')
    expect(await rows(database)).toEqual([1])
  })

  test('wait for another process, and are told when it keeps the file for too long', async () => {
    const database = await withTable({ mode, busyTimeoutMs: 50 })
    const other = await otherProcess(database.path)
    await other.run('begin immediate')
    const error = await rejection(
      database.transaction((tx) => tx.execute('insert into t values (1)')),
    )
    expect(error.code).toBe('SQLITE_BUSY')
    await other.run('commit')
    await database.transaction((tx) => tx.execute('insert into t values (2)'))
    expect(await rows(database)).toEqual([2])
  })

  test.for([
    ['select 1', {}],
    ['select 1', { accessMode: 'read only' }],
    ['insert into t values (1)', {}],
  ] as const)(
    'go on when the caller of the first statement has given up: %s %j',
    async ([sql, options]) => {
      const database = await withTable({ mode, readers: 1 })
      await run(database, 'insert into t values (0)')
      for (let time = 0; time < 300; time++) {
        const session = database.connect()
        await session.begin(options)
        const controller = new AbortController()
        const first = session.execute(sql, [], { signal: controller.signal })
        if (time % 2 === 1) await Promise.resolve()
        const end = performance.now() + (time % 30) / 500
        while (performance.now() < end);
        controller.abort(new Error('given up'))
        await Promise.allSettled([first])
        expect(await value(session, 'select count(*) > 0 from t')).toBe(1)
        await session.commit()
        await session.release()
      }
    },
  )

  test('go on with the second statement when the caller of the first one gives up', async () => {
    const database = await withTable({ mode })
    const session = database.connect()
    await session.begin()
    const controller = new AbortController()
    const first = session.execute('insert into t values (1)', [], { signal: controller.signal })
    const second = session.execute('insert into t values (2)')
    controller.abort(new Error('given up'))
    await Promise.allSettled([first, second])
    expect((await second).changes).toBe(1)
    await session.execute('insert into t values (3)')
    await session.commit()
    expect((await rows(database)).slice(-2)).toEqual([2, 3])
  })

  test('statements of one that are not awaited run in their order, before its COMMIT', async () => {
    const database = await withTable({ mode })
    await database.transaction(async (tx) => {
      const all = upTo(100).map((n) => tx.execute('insert into t values (?)', [n]))
      await Promise.all(all)
    })
    expect(await rows(database)).toEqual(upTo(100))
  })

  test('that only read see one state, and keep no writer waiting', async () => {
    const database = await withTable({ mode, readers: 2, busyTimeoutMs: 2_000 })
    await run(database, 'insert into t values (1)')
    await database.transaction(
      async (tx) => {
        expect(await value(tx, 'select count(*) from t')).toBe(1)
        await run(database, 'insert into t values (2)')
        await database.transaction((other) => other.execute('insert into t values (3)'))
        expect(await value(tx, 'select count(*) from t')).toBe(1)
        expect((await rejection(tx.execute('delete from t'))).code).toBe('SQLITE_READONLY')
      },
      { accessMode: 'read only' },
    )
    expect(await rows(database)).toEqual([1, 2, 3])
  })
})

describe('a transaction on the thread of the writer', () => {
  test('takes its lock with its first statement', async () => {
    const database = await withTable()
    const other = await otherProcess(database.path)
    const { wait: begun, go: hasBegun } = signal()
    const { wait, go } = signal()
    const transaction = database.transaction(async (tx) => {
      hasBegun()
      await wait
      await tx.execute('insert into t values (1)')
      expect(await other.run('insert into t values (2)')).toBe('SQLITE_BUSY')
    })
    await begun
    expect(await other.run('insert into t values (3)')).toBe('ok')
    go()
    await transaction
    expect(await rows(database)).toEqual([3, 1])
  })

  test('keeps others of its own process waiting from its begin() on', async () => {
    const database = await withTable()
    const order: string[] = []
    const session = database.connect()
    await session.begin()
    const insert = database.execute('insert into t values (2)').then(() => order.push('insert'))
    await nextTurn()
    await session.execute('insert into t values (1)')
    order.push('statement')
    await session.commit()
    await insert
    expect(order).toEqual(['statement', 'insert'])
    expect(await rows(database)).toEqual([1, 2])
  })

  test('says with its first statement that another process has the lock, and can be tried again', async () => {
    const database = await withTable({ busyTimeoutMs: 30 })
    const other = await otherProcess(database.path)
    await other.run('begin immediate')
    const session = database.connect()
    await session.begin()
    expect((await rejection(session.execute('insert into t values (1)'))).code).toBe('SQLITE_BUSY')
    await session.rollback()
    await other.run('commit')
    await session.begin()
    await session.execute('insert into t values (2)')
    await session.commit()
    expect(await rows(database)).toEqual([2])
  })

  test('says so with a stream, too, and goes on once the lock can be had', async () => {
    const database = await withTable({ busyTimeoutMs: 30 })
    await run(database, 'insert into t values (1)')
    const other = await otherProcess(database.path)
    await other.run('begin immediate')
    const session = database.connect()
    await session.begin()
    const error = await rejection(session.stream('select a from t').next())
    expect(error.code).toBe('SQLITE_BUSY')
    await other.run('commit')
    expect(await value(session, 'select a from t')).toBe(1)
    await session.commit()
  })

  test('commits nothing, and takes no lock for it, where every statement was given up', async () => {
    const database = await withTable({ busyTimeoutMs: 30 })
    const other = await otherProcess(database.path)
    const session = database.connect()
    await session.begin()
    const controller = new AbortController()
    const insert = session.execute('insert into t values (1)', [], { signal: controller.signal })
    controller.abort(new Error('given up'))
    expect((await rejection(insert)).message).toBe('given up')
    await other.run('begin immediate')
    await session.commit()
    await other.run('commit')
    expect(await rows(database)).toEqual([])
  })
})
