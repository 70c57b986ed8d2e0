import { setTimeout as sleep } from 'node:timers/promises'
import { type TransactionEvent, transactionChannel } from '@keelson/core'
import { addLayer, interceptConnection } from '@keelson/core/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import {
  afterCommit,
  currentTransaction,
  inTransaction,
  transaction,
  withRollback,
  withTransactions,
} from '@keelson/transactions/kysely'
import Database from 'better-sqlite3'
import {
  CamelCasePlugin,
  type Dialect,
  Kysely,
  SqliteDialect as KyselySqliteDialect,
  sql,
} from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import {
  describeOn,
  engines,
  open,
  pglite,
  postgresql,
  sqliteKysely,
  sqliteOurs,
} from './engines.ts'

test('T39: a scope says its number, depth, age and statements', async () => {
  const { db, add } = await open(sqliteOurs)
  expect(currentTransaction(db)).toBeUndefined()
  await transaction(db, async (tx, outer) => {
    await add('a')
    expect([inTransaction(db), inTransaction(tx)]).toEqual([true, true])
    expect(outer).toMatchObject({ depth: 0, attempt: 1, statements: 1, savepoint: undefined })
    expect(outer.elapsedMs).toBeGreaterThan(0)
    await transaction(db, async (_tx, inner) => {
      expect(inner).toMatchObject({ depth: 1, statements: 0, savepoint: 'keelson_1' })
      expect(inner.id).not.toBe(outer.id)
      expect(currentTransaction(db)!.id).toBe(inner.id)
      expect(currentTransaction(tx)!.id).toBe(inner.id)
    })
  })
  expect(inTransaction(db)).toBe(false)
})

test('T39: transactions and savepoints are published, with how they ended', async () => {
  const seen: string[] = []
  const channel = {
    asyncEnd: ({ depth, outcome, parentId, queries, system }: TransactionEvent) =>
      void seen.push(
        `${system} ${depth} ${parentId === undefined ? 'root' : 'inside'} ${outcome} ${queries}`,
      ),
  }
  transactionChannel.subscribe(channel as never)
  onTestFinished(() => {
    transactionChannel.unsubscribe(channel as never)
  })
  const { db, add } = await open(sqliteKysely)
  await transaction(db, async () => {
    await add('a')
    await transaction(db, () => add('b'))
    await transaction(db, () => Promise.reject(new Error('no'))).catch(() => {})
  })
  await transaction(db, () => Promise.reject(new Error('no'))).catch(() => {})
  expect(seen).toEqual([
    'sqlite 1 inside committed 1',
    'sqlite 1 inside rolled_back 0',
    'sqlite 0 root committed 1',
    'sqlite 0 root rolled_back 0',
  ])
})

describeOn(
  engines.filter(({ hasSavepoints }) => hasSavepoints),
  'T38: withRollback()',
  (engine) => {
    test('undoes everything, while transactions inside it are what they would be', async () => {
      const { db, add, names } = await open(engine)
      const log: string[] = []
      const seen = await withRollback(db, async () => {
        await transaction(
          db,
          async (_tx, { depth }) => {
            expect(depth).toBe(0)
            await add('a')
            await afterCommit(db, async () => log.push(`committed ${await names()}`))
          },
          { durable: true, retry: 2 },
        )
        await transaction(db, async () => {
          await add('b')
          throw new Error('no')
        }).catch(() => {})
        await transaction(db, () => transaction(db, () => add('c')))
        return names()
      })
      expect(seen).toBe('a,c')
      expect(log).toEqual(['committed a'])
      expect(await names()).toBe('')
    })

    // InnoDB checks every constraint at once.
    test.skipIf(engine.kind === 'mysql')('tells what a commit would have told', async () => {
      const { db } = await open(engine)
      if (engine.kind === 'sqlite') await sql`pragma foreign_keys = on`.execute(db)
      await sql`create table part (item integer references item (id) deferrable initially deferred)`.execute(
        db,
      )
      onTestFinished(async () => {
        if (engine !== postgresql) await sql`drop table part`.execute(db)
      })
      const error = await rejection(
        withRollback(db, () => sql`insert into part values (99)`.execute(db)),
      )
      expect(error.message).toMatch(/foreign.key/i)
      expect((await sql`select * from part`.execute(db)).rows).toEqual([])
    })
  },
)

describeOn([sqliteOurs, sqliteKysely, postgresql], 'the end of withRollback()', (engine) => {
  test('does not wait for a stream that is left open', async () => {
    const { db, add, names } = await open(engine)
    await add('a')
    const stream = db.selectFrom('item').select('name').stream(1)[Symbol.asyncIterator]()
    await withRollback(db, async () => {
      await add('b')
      await stream.next()
    })
    expect((await rejection(stream.next() as Promise<unknown>)).name).toBe('TransactionClosedError')
    expect(await names()).toBe('a')
  })

  test("is the test's own error, however long it took, and defaults are for the transactions inside", async () => {
    const { db, add } = await open(engine, { defaults: { timeoutMs: 50, retry: 2 } })
    const failure = new Error('expected 1 to be 2')
    const attempts: number[] = []
    const error = await rejection(
      withRollback(db, async () => {
        await transaction(db, async (_tx, { attempt }) => {
          attempts.push(attempt)
          await add('a')
          if (attempt === 1) throw Object.assign(new Error('busy'), { code: 'SQLITE_BUSY' })
        })
        await sleep(80)
        throw failure
      }),
    )
    expect(error).toBe(failure)
    expect(attempts).toEqual([1, 2])
  })
})

test('currentTransaction() is one object for each scope, which its callback is given, too', async () => {
  const { db } = await open(sqliteOurs)
  await transaction(db, async (_tx, scope) => {
    expect(currentTransaction(db)).toBe(scope)
    await transaction(db, async (_inner, nested) => {
      expect(currentTransaction(db)).toBe(nested)
      expect(nested).not.toBe(scope)
    })
    expect(currentTransaction(db)).toBe(scope)
  })
})

describe('layers', () => {
  /** A second layer, as timing will be one: it sees each statement and changes none. */
  function observe(dialect: Dialect, seen: string[]): Dialect {
    return addLayer(dialect, {
      name: 'observer',
      rank: 20,
      install: (_instance, inner) => ({
        init: (options) => inner.init(options),
        async acquireConnection(options) {
          const connection = await inner.acquireConnection(options)
          interceptConnection(connection, 20, {
            executeQuery(next, query, options) {
              seen.push(query.sql)
              return next(query, options)
            },
            streamQuery: (next, query, chunkSize, options) => next(query, chunkSize, options),
          })
          return connection
        },
        releaseConnection: (connection, options) => inner.releaseConnection(connection, options),
        beginTransaction: (connection, settings) => inner.beginTransaction(connection, settings),
        commitTransaction: (connection) => inner.commitTransaction(connection),
        rollbackTransaction: (connection) => inner.rollbackTransaction(connection),
        savepoint: (...args) => inner.savepoint!(...args),
        rollbackToSavepoint: (...args) => inner.rollbackToSavepoint!(...args),
        releaseSavepoint: (...args) => inner.releaseSavepoint!(...args),
        destroy: (options) => inner.destroy(options),
      }),
    })
  }

  test.for([sqliteOurs, sqliteKysely, pglite, postgresql])(
    'both call orders see the same on $name',
    async (engine) => {
      const runs = await Promise.all(
        [
          (dialect: Dialect, seen: string[]) => withTransactions(observe(dialect, seen)),
          (dialect: Dialect, seen: string[]) => observe(withTransactions(dialect), seen),
        ].map(async (wrapBoth) => {
          const seen: string[] = []
          const db = new Kysely<any>({ dialect: wrapBoth(await engine.dialect(), seen) })
          onTestFinished(() => db.destroy())
          await sql`drop table if exists item`.execute(db)
          await sql`create table item (name text)`.execute(db)
          await transaction(db, async () => {
            await Promise.all([
              transaction(db, () => db.insertInto('item').values({ name: 'a' }).execute()),
              db.insertInto('item').values({ name: 'b' }).execute(),
            ])
          })
          expect(await db.selectFrom('item').selectAll().execute()).toHaveLength(2)
          return seen
        }),
      )
      expect(runs[0]).toEqual(runs[1])
      expect(runs[0]).toContain('savepoint "keelson_1"')
    },
  )

  test('one dialect in two Kysely instances is two databases', async () => {
    const dialect = withTransactions(new SqliteDialect({ path: ':memory:' }))
    const [one, other] = [new Kysely<any>({ dialect }), new Kysely<any>({ dialect })]
    onTestFinished(async () => void (await Promise.all([one.destroy(), other.destroy()])))
    for (const db of [one, other]) await sql`create table item (name text)`.execute(db)
    await transaction(one, async () => {
      expect(inTransaction(other)).toBe(false)
      await other.insertInto('item').values({ name: 'a' }).execute()
      throw new Error('no')
    }).catch(() => {})
    expect(await other.selectFrom('item').selectAll().execute()).toHaveLength(1)
  })

  test('wrapped twice is wrapped once', async () => {
    const seen: string[] = []
    const db = new Kysely<any>({
      dialect: withTransactions(withTransactions(new SqliteDialect({ path: ':memory:' }))),
      log: ({ query }) => void seen.push(query.sql),
    })
    onTestFinished(() => db.destroy())
    await transaction(db, async () => {})
    expect(seen).toEqual(['begin immediate', 'commit'])
  })

  test('an existing Kysely gives one that shares its connections, plugins and all', async () => {
    const plain = new Kysely<any>({
      dialect: new KyselySqliteDialect({ database: new Database(':memory:') }),
      plugins: [new CamelCasePlugin()],
    })
    const db = withTransactions(plain)
    onTestFinished(() => db.destroy())
    await sql`create table item (full_name text)`.execute(plain)
    await transaction(db, async () => {
      await db.insertInto('item').values({ fullName: 'a' }).execute()
      await transaction(db, async () => {
        await db.insertInto('item').values({ fullName: 'b' }).execute()
        throw new Error('no')
      }).catch(() => {})
    })
    expect(await plain.selectFrom('item').selectAll().execute()).toEqual([{ fullName: 'a' }])
  })

  test('a Kysely that was not wrapped is told what to add', async () => {
    const db = new Kysely<any>({ dialect: new SqliteDialect({ path: ':memory:' }) })
    onTestFinished(() => db.destroy())
    const error = await rejection(transaction(db, async () => {}))
    expect(error.name).toBe('NotWrappedError')
    expect(error.message).toContain('new Kysely({ dialect: withTransactions(dialect) })')
  })
})
