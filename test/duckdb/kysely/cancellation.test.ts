import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { open } from '../fixture.ts'
import { file, kysely, kyselyWithTables, names, slow } from './fixture.ts'

test.for(['ignore query', 'cancel query'] as const)(
  'an aborted signal interrupts the query (%s), and the connection serves the next one',
  async (inflightQueryAbortStrategy) => {
    const database = await open({ path: file(), pool: { max: 1, acquireTimeoutMs: 20_000 } })
    const db = kysely({ database })
    const controller = new AbortController()
    const reason = new Error('too slow')
    const start = performance.now()
    const running = rejection(
      slow.execute(db, { signal: controller.signal, inflightQueryAbortStrategy }),
    )
    setTimeout(() => controller.abort(reason), 50)
    expect(await running).toBe(reason)
    // The only connection is free again long before the query would have ended, which takes minutes.
    expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }])
    expect(performance.now() - start).toBeLessThan(20_000)
  },
)

test('an aborted signal ends the wait for a connection, and the query never runs', async () => {
  const db = await kyselyWithTables({ path: file(), pool: { max: 1 } })
  for (const inflightQueryAbortStrategy of ['ignore query', 'cancel query'] as const) {
    const controller = new AbortController()
    const reason = new Error('too slow')
    await db.transaction().execute(async () => {
      const waiting = rejection(
        db
          .insertInto('person')
          .values({ name: 'never' })
          .execute({ signal: controller.signal, inflightQueryAbortStrategy }),
      )
      await new Promise(setImmediate)
      controller.abort(reason)
      expect(await waiting).toBe(reason)
    })
    expect(await names(db)).toEqual([])
  }
})

test('a write that is interrupted has written nothing, and dooms the transaction it was in', async () => {
  const db = await kyselyWithTables()
  const write = sql`insert into person (id, name) select i, 'n' || i from range(100000000) r(i)`
  const interrupted = async (on: typeof db): Promise<unknown> => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(new Error('too slow')), 50)
    return rejection(write.execute(on, { signal: controller.signal }))
  }
  expect(await interrupted(db)).toMatchObject({ message: 'too slow' })
  let first: unknown
  const error = await rejection(
    db.transaction().execute(async (trx) => {
      first = await interrupted(trx)
    }),
  )
  expect(error).toMatchObject({ code: 'TRANSACTION_ABORTED' })
  expect(error.cause).toBe(first)
  expect(await names(db)).toEqual([])
})

test('a signal that is aborted already keeps the query from running', async () => {
  const db = await kyselyWithTables()
  const signal = AbortSignal.abort(new Error('too late'))
  await expect(
    db.insertInto('person').values({ name: 'never' }).execute({ signal }),
  ).rejects.toThrow('too late')
  expect(await names(db)).toEqual([])
})

test('a query with a signal that stays quiet runs like any other, also in a transaction', async () => {
  const db = await kyselyWithTables()
  const { signal } = new AbortController()
  await db
    .insertInto('person')
    .values({ name: 'Ada' })
    .execute({ signal, inflightQueryAbortStrategy: 'cancel query' })
  await db
    .transaction()
    .execute((trx) => trx.insertInto('person').values({ name: 'Alan' }).execute({ signal }))
  expect(await names(db)).toEqual(['Ada', 'Alan'])
})

test('cancelQuery() of a connection interrupts what runs on it', async () => {
  const db = kysely()
  await db.getExecutor().provideConnection(async (connection) => {
    const running = rejection(connection.executeQuery(slow.compile(db)))
    setTimeout(() => void connection.cancelQuery?.((use) => use(connection)), 50)
    expect((await running).name).toBe('AbortError')
  })
})

test('a query that runs into queryTimeoutMs says so', async () => {
  const db = kysely({ path: file(), queryTimeoutMs: 200 })
  expect(await rejection(slow.execute(db))).toMatchObject({ code: 'QUERY_TIMEOUT' })
})
