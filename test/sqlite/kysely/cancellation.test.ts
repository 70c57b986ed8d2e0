import { expect, test } from 'vitest'
import { kyselyWithTables, names, rejection } from './fixture.ts'

test('an aborted signal ends the wait for another transaction, and the query never runs', async () => {
  const db = await kyselyWithTables()
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

test('cancelQuery() of a connection ends what waits on it', async () => {
  const db = await kyselyWithTables()
  await db.transaction().execute(async () => {
    await db.getExecutor().provideConnection(async (connection) => {
      const waiting = rejection(
        connection.executeQuery(db.insertInto('person').values({ name: 'never' }).compile()),
      )
      await connection.cancelQuery?.((use) => use(connection))
      expect((await waiting).name).toBe('AbortError')
    })
  })
  expect(await names(db)).toEqual([])
})
