import { TransactionAbortedError } from '@keelson/core'
import type { SqliteDatabase, SqliteSession } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { column, open, plain, run, value } from './fixture.ts'

/** Ways in which SQLite ends a transaction by itself: https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction */
const ways: [string, string, string][] = [
  ['OR ROLLBACK', 'insert or rollback into t values (1)', 'SQLITE_CONSTRAINT_UNIQUE'],
  [
    'OR ROLLBACK with RETURNING',
    'insert or rollback into t values (1) returning a',
    'SQLITE_CONSTRAINT_UNIQUE',
  ],
  ['UPDATE OR ROLLBACK', 'update or rollback t set a = 1', 'SQLITE_CONSTRAINT_UNIQUE'],
  ['RAISE(ROLLBACK)', 'insert into t values (666)', 'SQLITE_CONSTRAINT_TRIGGER'],
  [
    'a constraint ON CONFLICT ROLLBACK',
    'insert into strict_one values (1)',
    'SQLITE_CONSTRAINT_UNIQUE',
  ],
  [
    'RAISE(ROLLBACK) in an upsert',
    'insert into t values (666) on conflict (a) do update set a = 5',
    'SQLITE_CONSTRAINT_TRIGGER',
  ],
]

async function withTables(path?: ':memory:'): Promise<SqliteDatabase> {
  const database = open(path === undefined ? {} : { path })
  await run(
    database,
    'create table t (a unique)',
    "create trigger evil before insert on t when new.a = 666 begin select raise(rollback, 'evil'); end",
    'create table strict_one (a unique on conflict rollback)',
    'insert into t values (1)',
    'insert into t values (3)',
    'insert into strict_one values (1)',
  )
  return database
}

const rows = (database: Pick<SqliteDatabase, 'execute'>): Promise<unknown[]> =>
  column(database, 'select a from t order by a')

/** What may still be tried in a transaction. */
const attempts: [string, (tx: SqliteSession) => Promise<unknown>][] = [
  ['a write', (tx) => tx.execute("insert into t values ('late')")],
  ['a write with RETURNING', (tx) => tx.execute("insert into t values ('late') returning a")],
  ['a read', (tx) => tx.execute('select * from t')],
  ['a stream', (tx) => tx.stream('select * from t').next()],
  ['a savepoint', (tx) => tx.savepoint('late')],
  ['a release', (tx) => tx.releaseSavepoint('late')],
]

describe.for([undefined, ':memory:'] as const)(
  'a transaction that SQLite has rolled back, in %s',
  (path) => {
    for (const [way, sql, code] of ways) {
      test(`by ${way} refuses everything, with the first error as cause`, async () => {
        const database = await withTables(path)
        let first: Error | undefined
        const failed = await rejection(
          database.transaction(async (tx) => {
            await tx.execute("insert into t values ('early')")
            first = await rejection(tx.execute(sql))
            expect(first).toMatchObject({ code })
            for (const [what, attempt] of attempts) {
              const error = await rejection(attempt(tx))
              expect(error, what).toBeInstanceOf(TransactionAbortedError)
              expect(error.cause, what).toBe(first)
            }
            return 'caught everything'
          }),
        )
        expect(failed).toBeInstanceOf(TransactionAbortedError)
        expect(failed.code).toBe('TRANSACTION_ABORTED')
        expect(failed.message).toMatch(
          /SQLite has rolled this transaction back .* Nothing of it was kept, and nothing more can be done in it: begin a new one\./,
        )
        expect(failed.cause).toBe(first)
        expect(await rows(database)).toEqual([1, 3])
      })
    }

    test('throws the error itself when the callback does not catch it', async () => {
      const database = await withTables(path)
      for (const [, sql, code] of ways) {
        const error = await rejection(database.transaction((tx) => tx.execute(sql)))
        expect(error).toMatchObject({ name: 'SqliteError', code })
        expect(error.suppressed).toBeUndefined()
      }
      expect(await rows(database)).toEqual([1, 3])
    })

    test('can be rolled back by its owner as if it were open, and begun anew', async () => {
      const database = await withTables(path)
      const session = database.connect()
      for (const [, sql] of ways) {
        await session.begin()
        await session.execute("insert into t values ('early')")
        await rejection(session.execute(sql))
        expect(session.inTransaction).toBe(true)
        await session.rollback()
        expect(session.inTransaction).toBe(false)
      }
      await session.begin()
      await session.execute("insert into t values ('kept')")
      await session.commit()
      await session.release()
      expect(await rows(database)).toEqual([1, 3, 'kept'])
    })

    test('leaves the connection to the next in line', async () => {
      const database = await withTables(path)
      const results = await Promise.allSettled([
        database.transaction((tx) => tx.execute('insert into t values (666)').catch(() => {})),
        database.transaction((tx) => tx.execute("insert into t values ('next')")),
        database.execute("insert into t values ('single')"),
      ])
      expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
      expect(await rows(database)).toEqual([1, 3, 'next', 'single'])
    })

    test('inside a savepoint is gone as a whole', async () => {
      const database = await withTables(path)
      const failed = await rejection(
        database.transaction(async (tx) => {
          await tx.execute("insert into t values ('early')")
          await tx.savepoint('inner')
          await tx.execute('insert into t values (666)').catch(() => {})
          await tx.rollbackToSavepoint('inner').catch(() => {})
        }),
      )
      expect(failed).toBeInstanceOf(TransactionAbortedError)
      expect(await rows(database)).toEqual([1, 3])
    })

    test('by a stream of rows is over as well', async () => {
      const database = await withTables(path)
      const failed = await rejection(
        database.transaction(async (tx) => {
          await tx.execute("insert into t values ('early')")
          const sql = "insert or rollback into t values ('streamed'), (1) returning a"
          expect((await rejection(tx.stream(sql).next())).code).toBe('SQLITE_CONSTRAINT_UNIQUE')
          expect(await rejection(tx.execute('select 1'))).toBeInstanceOf(TransactionAbortedError)
        }),
      )
      expect(failed).toBeInstanceOf(TransactionAbortedError)
      expect(await rows(database)).toEqual([1, 3])
    })
  },
)

describe('outside a transaction', () => {
  test('the same errors undo their own statement, and the next one runs', async () => {
    const database = await withTables()
    for (const [, sql, code] of ways) {
      expect((await rejection(database.execute(sql))).code).toBe(code)
      if (!sql.includes('returning')) continue
      expect((await rejection(database.stream(sql).next())).code).toBe(code)
    }
    await run(database, "insert into t values ('kept')")
    expect(await rows(database)).toEqual([1, 3, 'kept'])
    expect(plain(database.path).prepare('select count(*) as n from t').get()).toEqual({ n: 3 })
  })
})

describe('a full disk', () => {
  async function almostFull(): Promise<SqliteDatabase> {
    const database = open({ pragmas: { max_page_count: 30 } })
    await run(database, 'create table t (a, filling)')
    return database
  }
  const filling = 'x'.repeat(3000)
  const fill = async (session: Pick<SqliteDatabase, 'execute'>): Promise<void> => {
    for (let row = 0; row < 100; row++)
      await session.execute('insert into t values (?, ?)', [row, filling])
  }

  test('is the error of the statement that met it', async () => {
    const database = await almostFull()
    expect((await rejection(fill(database))).code).toBe('SQLITE_FULL')
    const kept = Number(await value(database, 'select count(*) from t'))
    expect(kept).toBeGreaterThan(5)
    await run(database, 'delete from t')
    await database.execute('insert into t values (1, ?)', [filling])
    expect(await database.maintenance.integrityCheck()).toEqual({ ok: true, problems: [] })
  })

  test('in a transaction keeps nothing of it, or is as if the statement had not run', async () => {
    const database = await almostFull()
    await database.execute("insert into t values ('before', '')")
    let ended: Error | undefined
    const failed = await rejection(
      database.transaction(async (tx) => {
        ended = await rejection(fill(tx))
        expect(ended).toMatchObject({ code: 'SQLITE_FULL' })
        throw ended
      }),
    )
    expect(failed).toBe(ended)
    expect(await rows(database)).toEqual(['before'])
    await database.transaction((tx) => tx.execute("insert into t values ('after', '')"))
    expect(await rows(database)).toEqual(['after', 'before'])
  })

  test('that was caught and ended the transaction makes its commit fail', async () => {
    const database = await almostFull()
    const session = database.connect()
    await session.begin()
    const full = await rejection(fill(session))
    const outcome = await session.commit().then(
      () => 'committed',
      (error: Error) => error,
    )
    await session.release()
    const kept = Number(await value(database, 'select count(*) from t'))
    if (outcome === 'committed') {
      expect(kept).toBeGreaterThan(5)
    } else {
      expect(outcome).toBeInstanceOf(TransactionAbortedError)
      expect((outcome as Error).cause).toBe(full)
      expect(kept).toBe(0)
    }
  })
})
