import { TransactionClosedError } from '@keelson/core'
import type { SqliteDatabase, SqliteSession } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { microtasks, nextTurn } from '../support/event-loop.ts'
import { column, open, run } from './fixture.ts'

const depths = Array.from({ length: 51 }, (_, depth) => depth)

const statements: [string, (tx: SqliteSession) => Promise<unknown>][] = [
  ['execute', (tx) => tx.execute("insert into t values ('late')")],
  ['execute with RETURNING', (tx) => tx.execute("insert into t values ('late') returning a")],
  [
    'execute with a signal',
    (tx) =>
      tx.execute("insert into t values ('late')", [], { signal: new AbortController().signal }),
  ],
  ['stream', (tx) => tx.stream("insert into t values ('late') returning a").next()],
  [
    'begin',
    (tx) =>
      tx
        .begin()
        .then(() => tx.execute("insert into t values ('late')"))
        .then(() => tx.commit()),
  ],
]

async function withTable(): Promise<SqliteDatabase> {
  const database = open({ path: ':memory:' })
  await run(database, 'create table t (a)')
  return database
}

/**
 * A statement that comes so many microtasks after its transaction began to end takes part in the transaction, or is
 * refused: it is never kept by itself. https://www.sqlite.org/lang_transaction.html
 */
describe.for(statements)('a late statement, by %s', ([, late]) => {
  test.for(['commits', 'rolls back'])('while database.transaction() %s', async (ending) => {
    const database = await withTable()
    for (const depth of depths) {
      await run(database, 'delete from t')
      let statement: Promise<unknown> | undefined
      const transaction = database.transaction(async (tx) => {
        await tx.execute("insert into t values ('early')")
        statement = microtasks(depth).then(() => late(tx))
        statement.catch(() => {})
        if (ending === 'rolls back') throw new Error('mine')
      })
      const [ended] = await Promise.allSettled([transaction])
      const [lateEnded] = await Promise.allSettled([statement!])
      await nextTurn()
      const kept = await column(database, 'select a from t')
      const accepted = ended.status === 'fulfilled' && lateEnded.status === 'fulfilled'
      expect({ depth, kept }).toEqual({
        depth,
        kept: [...(ended.status === 'fulfilled' ? ['early'] : []), ...(accepted ? ['late'] : [])],
      })
      if (ending === 'rolls back') expect(ended.status).toBe('rejected')
    }
  })
})

describe('a statement issued after commit() or rollback() was called', () => {
  test.for(['commit', 'rollback'] as const)('%s(): is refused while it runs', async (ending) => {
    const database = await withTable()
    for (const [, late] of statements.slice(0, 4)) {
      const session = database.connect()
      await session.begin()
      await session.execute("insert into t values ('early')")
      const ended = session[ending]()
      const [refused] = await Promise.allSettled([late(session)])
      await ended
      expect(refused).toMatchObject({
        status: 'rejected',
        reason: expect.any(TransactionClosedError),
      })
      expect((refused as PromiseRejectedResult).reason.message).toMatch(
        /is being committed or rolled back\. Await every statement before the transaction ends\./,
      )
      await session.release()
      expect(await column(database, 'select a from t')).toEqual(
        ending === 'commit' ? ['early'] : [],
      )
      await run(database, 'delete from t')
    }
  })

  test('of a session that is released right behind it is never kept by itself', async () => {
    const database = await withTable()
    for (const ending of ['commit', 'rollback'] as const) {
      for (const depth of depths) {
        await run(database, 'delete from t')
        const session = database.connect()
        await session.begin()
        await session.execute("insert into t values ('early')")
        const late = microtasks(depth).then(() => session.savepoint('late'))
        late.catch(() => {})
        await session[ending]()
        await session.release()
        await Promise.allSettled([late])
        expect(await column(database, 'select a from t')).toEqual(
          ending === 'commit' ? ['early'] : [],
        )
      }
    }
  })
})

test('statements of two transactions never mix, whatever they do not await', async () => {
  const database = await withTable()
  for (const depth of depths) {
    await run(database, 'delete from t')
    const one = (name: string, fails: boolean): Promise<unknown> =>
      database.transaction(async (tx) => {
        void tx.execute('insert into t values (?)', [`${name} 1`]).catch(() => {})
        void microtasks(depth)
          .then(() => tx.execute('insert into t values (?)', [`${name} 2`]))
          .catch(() => {})
        await tx.execute('insert into t values (?)', [`${name} 3`])
        if (fails) throw new Error('mine')
      })
    await Promise.allSettled([one('a', true), one('b', false), one('c', true), one('d', false)])
    await nextTurn()
    const kept = await column(database, 'select distinct substr(a, 1, 1) from t order by 1')
    expect({ depth, kept }).toEqual({ depth, kept: ['b', 'd'] })
  }
})
