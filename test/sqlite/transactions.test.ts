import { OptionError, TransactionAbortedError, TransactionClosedError } from '@keelson/core'
import { SqliteStatementError, type BeginOptions, type SqliteDatabase } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { column, open, plain, run, signal, value } from './fixture.ts'

async function withTable(path?: ':memory:'): Promise<SqliteDatabase> {
  const database = open(path === undefined ? {} : { path })
  await run(database, 'create table t (a)')
  return database
}

const rows = (database: Pick<SqliteDatabase, 'execute'>): Promise<unknown[]> =>
  column(database, 'select a from t order by rowid')

describe.for([undefined, ':memory:'] as const)('a transaction in %s', (path) => {
  test('keeps everything when its callback resolves, and returns its result', async () => {
    const database = await withTable(path)
    const result = await database.transaction(async (tx) => {
      await tx.execute('insert into t values (1)')
      await tx.execute('insert into t values (2)')
      return 'done'
    })
    expect(result).toBe('done')
    expect(await rows(database)).toEqual([1, 2])
  })

  test('keeps nothing when its callback throws, and throws the same object', async () => {
    const database = await withTable(path)
    const mine = Object.freeze(new Error('mine'))
    for (const thrown of [mine, 'a string', undefined, 0, null]) {
      const outcome = await database
        .transaction(async (tx) => {
          await tx.execute('insert into t values (1)')
          throw thrown
        })
        .then(
          () => 'resolved',
          (error: unknown) => ({ error }),
        )
      expect(outcome).toEqual({ error: thrown })
      expect(await rows(database)).toEqual([])
    }
  })

  test('goes on after a statement that failed', async () => {
    const database = await withTable(path)
    await run(database, 'create unique index u on t (a)')
    await database.transaction(async (tx) => {
      await tx.execute('insert into t values (1)')
      expect((await rejection(tx.execute('insert into t values (1)'))).code).toBe(
        'SQLITE_CONSTRAINT_UNIQUE',
      )
      expect((await rejection(tx.execute('insert into t values (2), (1)'))).code).toBe(
        'SQLITE_CONSTRAINT_UNIQUE',
      )
      expect((await rejection(tx.execute('nonsense'))).code).toBe('SQLITE_ERROR')
      await tx.execute('insert into t values (3)')
    })
    expect(await rows(database)).toEqual([1, 3])
  })

  test('says whether it is open', async () => {
    const database = await withTable(path)
    const session = database.connect()
    const states = [session.inTransaction]
    await session.begin()
    states.push(session.inTransaction)
    await session.commit()
    states.push(session.inTransaction)
    await session.begin()
    await session.rollback()
    states.push(session.inTransaction)
    await session.release()
    expect(states).toEqual([false, true, false, false])
  })

  test('that only reads refuses every write and leaves the connection as it was', async () => {
    const database = await withTable(path)
    await run(database, 'insert into t values (1)')
    const writes = [
      'insert into t values (2)',
      'insert into t values (2) returning a',
      "insert into t values (2) on conflict do update set a = 'x'",
      'update t set a = 2',
      'delete from t',
      'create table u (a)',
      'create temp table u (a)',
      'drop table t',
    ]
    await database.transaction(
      async (tx) => {
        for (const sql of writes)
          expect((await rejection(tx.execute(sql))).code, sql).toBe('SQLITE_READONLY')
        expect(await rows(tx)).toEqual([1])
      },
      { accessMode: 'read only' },
    )
    await run(database, 'insert into t values (3)')
    await rejection(
      database.transaction(async () => Promise.reject(new Error('mine')), {
        accessMode: 'read only',
      }),
    )
    await run(database, 'insert into t values (4)')
    await database.transaction(async (tx) => tx.execute('insert into t values (5)'))
    expect(await rows(database)).toEqual([1, 3, 4, 5])
  })

  test('takes savepoints of any name', async () => {
    const database = await withTable(path)
    const names = [
      'a',
      'A b',
      '"',
      `"; drop table t; --`,
      "it's",
      '🦆',
      'select',
      'keelson_returning',
      'keelson_stream',
      'x'.repeat(500),
      '1',
      ' ',
    ]
    await database.transaction(async (tx) => {
      for (const name of names) {
        await tx.savepoint(name)
        await tx.execute('insert into t values (?)', [`kept in ${name}`])
        await tx.savepoint(name)
        await tx.execute('insert into t values (?)', ['gone'])
        await tx.rollbackToSavepoint(name)
        await tx.releaseSavepoint(name)
        await tx.releaseSavepoint(name)
      }
    })
    expect(await rows(database)).toEqual(names.map((name) => `kept in ${name}`))
  })

  test('refuses a savepoint without a name, or with a NUL in it', async () => {
    const database = await withTable(path)
    await database.transaction(async (tx) => {
      for (const name of ['', 'a\0b', undefined as unknown as string]) {
        for (const call of ['savepoint', 'rollbackToSavepoint', 'releaseSavepoint'] as const) {
          expect((await rejection(tx[call](name))).code).toBe('INVALID_IDENTIFIER')
        }
      }
      expect((await rejection(tx.releaseSavepoint('missing'))).code).toBe('SQLITE_ERROR')
      await tx.execute('insert into t values (1)')
    })
    expect(await rows(database)).toEqual([1])
  })

  test('keeps its values apart from statements with RETURNING inside savepoints of the same name', async () => {
    const database = await withTable(path)
    await database.transaction(async (tx) => {
      await tx.savepoint('keelson_returning')
      await tx.execute('insert into t values (1) returning a')
      await rejection(tx.execute('insert into t values (9007199254740993) returning a'))
      await tx.execute('insert into t values (2)')
      await tx.rollbackToSavepoint('keelson_returning')
      await tx.execute('insert into t values (3)')
    })
    expect(await rows(database)).toEqual([3])
  })
})

describe('begin', () => {
  /** What another connection may do while the transaction is open, before it has written. */
  async function locks(options: BeginOptions): Promise<{ reads: boolean; writes: boolean }> {
    const database = await withTable()
    const other = plain(database.path)
    const may = (sql: string): boolean => {
      try {
        other.exec(sql)
        return true
      } catch {
        return false
      }
    }
    return database.transaction(
      async () => ({ reads: may('select * from t'), writes: may('insert into t values (1)') }),
      options,
    )
  }

  test('takes the write lock at once, unless it is told to wait for the first write', async () => {
    expect(await locks({})).toEqual({ reads: true, writes: false })
    expect(await locks({ behavior: 'immediate' })).toEqual({ reads: true, writes: false })
    expect(await locks({ behavior: 'exclusive' })).toEqual({ reads: true, writes: false })
    expect(await locks({ behavior: 'deferred' })).toEqual({ reads: true, writes: true })
    expect(await locks({ accessMode: 'read only' })).toEqual({ reads: true, writes: true })
  })

  test('follows the option of the database unless it says otherwise', async () => {
    const database = open({ behavior: 'deferred' })
    await run(database, 'create table t (a)')
    const other = plain(database.path)
    await database.transaction(async () => void other.exec('insert into t values (1)'))
    await database.transaction(
      async () => expect(() => other.exec('insert into t values (1)')).toThrow(/locked/),
      { behavior: 'immediate' },
    )
  })

  test('refuses options that it does not know, and values that mean nothing', async () => {
    const database = await withTable()
    const wrong: [Record<string, unknown>, string][] = [
      [{ behaviour: 'deferred' }, 'behaviour'],
      [{ isolationLevel: 'serializable' }, 'isolationLevel'],
      [{ behavior: 'immediate; drop table t' }, 'behavior'],
      [{ accessMode: 'readonly' }, 'accessMode'],
      [{ accessMode: 'read-only' }, 'accessMode'],
    ]
    for (const [options, option] of wrong) {
      let hasRun = false
      const error = await rejection(
        database.transaction(async () => {
          hasRun = true
        }, options as BeginOptions),
      )
      expect(error).toBeInstanceOf(OptionError)
      expect(error).toMatchObject({ option })
      expect(hasRun).toBe(false)
    }
    await run(database, 'insert into t values (1)')
  })

  test('inside a transaction is refused, and the transaction goes on', async () => {
    const database = await withTable()
    const session = database.connect()
    await session.begin()
    const error = await rejection(session.begin())
    expect(error).toBeInstanceOf(SqliteStatementError)
    expect(error.code).toBe('TRANSACTION_OPEN')
    expect(error.message).toMatch(/SQLite has one level\. Use savepoint\(\) to nest\./)
    await session.execute('insert into t values (1)')
    await session.commit()
    await session.release()
    expect(await rows(database)).toEqual([1])
  })

  test('called twice without waiting begins once', async () => {
    const database = await withTable()
    const session = database.connect()
    const results = await Promise.allSettled([
      session.begin(),
      session.begin(),
      session.execute('insert into t values (0)'),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    await session.execute('insert into t values (1)')
    await session.rollback()
    await session.begin()
    await session.execute('insert into t values (2)')
    await session.commit()
    expect(await rows(database)).toEqual([2])
    await run(database, 'insert into t values (3)')
    expect(plain(database.path).prepare('select count(*) as n from t').get()).toEqual({ n: 2 })
  })

  test('refuses commit, rollback, savepoints and statements until it has finished', async () => {
    const database = await withTable()
    const session = database.connect()
    const beginning = session.begin()
    for (const call of [
      () => session.commit(),
      () => session.rollback(),
      () => session.savepoint('a'),
      () => session.execute('insert into t values (1)'),
      () => session.stream('select * from t').next(),
      () => session.beginMigration(),
    ]) {
      expect(await rejection(call)).toBeInstanceOf(SqliteStatementError)
      if (session.inTransaction) break
    }
    await beginning
    await session.rollback()
    expect(await rows(database)).toEqual([])
  })

  test('of a session that is released meanwhile owns nothing', async () => {
    const database = await withTable()
    const session = database.connect()
    const beginning = rejection(session.begin())
    await session.release()
    expect(await beginning).toBeInstanceOf(TransactionClosedError)

    await database.transaction(async () => {
      const waiting = database.connect()
      const begun = rejection(waiting.begin())
      await waiting.release()
      expect(await begun).toBeInstanceOf(TransactionClosedError)
    })
    await run(database, 'insert into t values (1)')
    expect(await rows(database)).toEqual([1])
  })
})

describe('a session', () => {
  test('outside a transaction has nothing to commit', async () => {
    const session = (await withTable()).connect()
    for (const call of [
      () => session.commit(),
      () => session.savepoint('a'),
      () => session.releaseSavepoint('a'),
      () => session.rollbackToSavepoint('a'),
    ]) {
      const error = await rejection(call)
      expect(error).toBeInstanceOf(SqliteStatementError)
      expect(error.code).toBe('NO_TRANSACTION')
      expect(error.message).toMatch(/Call begin\(\) first\./)
    }
    await session.rollback()
  })

  test('runs one transaction after the other, and single statements in between', async () => {
    const database = await withTable()
    const session = database.connect()
    for (let round = 0; round < 20; round++) {
      await session.begin()
      await session.execute('insert into t values (?)', [round])
      await (round % 2 === 0 ? session.commit() : session.rollback())
      await session.execute('insert into t values (?)', [`single ${round}`])
    }
    await session.release()
    expect(await value(database, 'select count(*) from t')).toBe(30)
  })

  test('that is released rolls back what is open, and is of no more use', async () => {
    const database = await withTable()
    const session = database.connect()
    await session.begin()
    await session.execute('insert into t values (1)')
    await session.release()
    await session.release()
    expect(await rows(database)).toEqual([])
    for (const call of [
      () => session.execute('select 1'),
      () => session.begin(),
      () => session.stream('select 1').next(),
      () => session.beginMigration(),
    ]) {
      const error = await rejection(call)
      expect(error).toBeInstanceOf(TransactionClosedError)
      expect(error.message).toMatch(/has ended\. Use the database itself, or begin a new one\./)
    }
  })

  test('of a transaction is of no more use after it, whether it was kept or not', async () => {
    const database = await withTable()
    for (const fails of [false, true]) {
      let leaked: Parameters<Parameters<SqliteDatabase['transaction']>[0]>[0] | undefined
      await database
        .transaction(async (tx) => {
          leaked = tx
          if (fails) throw new Error('mine')
        })
        .catch(() => {})
      expect(await rejection(leaked!.execute('insert into t values (1)'))).toBeInstanceOf(
        TransactionClosedError,
      )
      expect(await rejection(leaked!.begin())).toBeInstanceOf(TransactionClosedError)
      expect(await rejection(leaked!.stream('select 1').next())).toBeInstanceOf(
        TransactionClosedError,
      )
    }
    expect(await rows(database)).toEqual([])
  })
})

describe('reads outside an open transaction', () => {
  test('see what is committed, and do not wait', async () => {
    const database = await withTable()
    await run(database, 'insert into t values (1)')
    await database.transaction(async (tx) => {
      await tx.execute('insert into t values (2)')
      expect(await rows(database)).toEqual([1])
      expect(await rows(database.connect())).toEqual([1])
      for await (const chunk of database.stream('select a from t'))
        expect(chunk).toEqual([{ a: 1 }])
      expect(await database.transaction(rows, { accessMode: 'read only' })).toEqual([1])
      expect(await database.maintenance.foreignKeyCheck()).toEqual([])
    })
    expect(await rows(database)).toEqual([1, 2])
  })

  test('see the committed schema', async () => {
    const database = await withTable()
    await run(database, 'insert into t values (1)', 'create table u (b)', 'select * from t')
    await rejection(
      database.transaction(async (tx) => {
        await run(tx, 'drop table t', 'alter table u rename column b to c', 'create table w (a)')
        expect(await rows(database)).toEqual([1])
        expect((await database.execute('select a, 5 as fresh from t')).rows).toEqual([
          { a: 1, fresh: 5 },
        ])
        for await (const chunk of database.stream('select a from t'))
          expect(chunk).toEqual([{ a: 1 }])
        expect((await database.execute('select b from u')).rows).toEqual([])
        expect((await rejection(database.execute('select c from u'))).message).toMatch(
          /no such column: c/,
        )
        for (let again = 0; again < 10; again++) {
          expect((await rejection(database.execute('select * from w'))).message).toMatch(
            /no such table: w/,
          )
          expect((await rejection(database.stream('select * from w').next())).message).toMatch(
            /no such table: w/,
          )
        }
        throw new Error('undo')
      }),
    )
    expect(await rows(database)).toEqual([1])
  })

  test('writes that wait are judged by the schema that they meet', async () => {
    const database = await withTable()
    const waiting: Promise<unknown>[] = []
    const settled = (promise: Promise<unknown>): void =>
      void waiting.push(
        promise.then(
          () => 'ok',
          (error: Error) => error.message,
        ),
      )
    await rejection(
      database.transaction(async (tx) => {
        await run(tx, 'drop table t', 'create table u (b)')
        settled(database.execute('insert into t values (1)'))
        settled(database.execute('insert into u values (1)'))
        settled(database.execute('insert into t values (2) returning a'))
        throw new Error('undo')
      }),
    )
    expect(await Promise.all(waiting)).toEqual(['ok', 'no such table: u', 'ok'])
    await database.transaction(async (tx) => {
      await run(tx, 'create table u (b)')
      waiting.length = 0
      settled(database.execute('insert into u values (1)'))
    })
    expect(await Promise.all(waiting)).toEqual(['ok'])
  })
})

describe('commit', () => {
  test('that fails for a deferred foreign key keeps the transaction open to be repaired', async () => {
    const database = open()
    await run(
      database,
      'create table parent (id integer primary key)',
      'create table child (p references parent deferrable initially deferred)',
    )
    const session = database.connect()
    await session.begin()
    await session.execute('insert into child values (5)')
    const error = await rejection(session.commit())
    expect(error.code).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
    expect(session.inTransaction).toBe(true)
    await session.execute('insert into parent values (5)')
    await session.commit()
    await session.release()
    expect(await value(database, 'select count(*) from child')).toBe(1)

    const failed = await rejection(
      database.transaction((tx) => tx.execute('insert into child values (6)')),
    )
    expect(failed.code).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
    expect(await value(database, 'select count(*) from child')).toBe(1)
    expect((await rejection(database.execute('insert into child values (7)'))).code).toBe(
      'SQLITE_CONSTRAINT_FOREIGNKEY',
    )
    expect(
      (await rejection(database.execute('insert into child values (7) returning p'))).code,
    ).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
    expect(
      (
        await rejection(async () => {
          for await (const _ of database.stream('insert into child values (7) returning p'));
        })
      ).code,
    ).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
    expect(await value(database, 'select count(*) from child')).toBe(1)
    await run(database, 'insert into parent values (8)', 'insert into child values (8)')
  })

  test('called twice at once commits once', async () => {
    const database = await withTable()
    const session = database.connect()
    await session.begin()
    await session.execute('insert into t values (1)')
    const [first, second] = await Promise.allSettled([session.commit(), session.commit()])
    expect([first.status, second.status]).toEqual(['fulfilled', 'rejected'])
    expect((second as PromiseRejectedResult).reason).toBeInstanceOf(TransactionClosedError)
    expect(await rows(database)).toEqual([1])
  })

  test('and rollback at once end one transaction, not that of the next in line', async () => {
    for (const order of [
      ['commit', 'rollback'],
      ['rollback', 'commit'],
      ['rollback', 'rollback'],
    ] as const) {
      const database = await withTable()
      const session = database.connect()
      await session.begin()
      await session.execute('insert into t values (1)')
      const next = database.transaction(async (tx) => {
        await tx.execute('insert into t values (2)')
        await new Promise((resolve) => setImmediate(resolve))
        await tx.execute('insert into t values (3)')
      })
      await Promise.allSettled(order.map((call) => session[call]()))
      await next
      await session.release()
      const kept = await rows(database)
      expect(kept.slice(-2)).toEqual([2, 3])
      expect(await value(database, 'select count(*) from t where a = 1')).toBe(
        order[0] === 'commit' ? 1 : 0,
      )
    }
  })
})

describe('rollback', () => {
  test('that fails does not take the place of the error before it', async () => {
    const handle = plain(':memory:')
    const database = open({ database: handle })
    await run(database, 'create table t (a)', 'insert into t values (1), (2)')
    const mine = new Error('mine')
    let reading: IterableIterator<unknown> | undefined
    const thrown = await rejection(
      database.transaction(async (tx) => {
        await tx.execute('select 1')
        reading = handle.prepare('select a from t').iterate()
        throw mine
      }),
    )
    expect(thrown).toBe(mine)
    expect(thrown.suppressed).toEqual([expect.objectContaining({ name: 'TypeError' })])
    expect(Object.keys(thrown)).not.toContain('suppressed')
    expect(await rejection(database.execute('insert into t values (3)'))).toBeInstanceOf(Error)
    reading!.return?.()
  })
})

test('a transaction of another session is not ended by one that has ended', async () => {
  const database = await withTable()
  const first = database.connect()
  const second = database.connect()
  const { wait, go } = signal()
  await first.begin()
  const begun = second.begin().then(go)
  await first.commit()
  await wait
  await first.rollback()
  await first.release()
  await second.execute('insert into t values (1)')
  await second.commit()
  await begun
  expect(await rows(database)).toEqual([1])
  expect(await rejection(second.commit())).not.toBeInstanceOf(TransactionAbortedError)
})
