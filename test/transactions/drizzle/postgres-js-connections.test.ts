import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '@keelson/core'
import { transaction, withTransactions } from '@keelson/transactions/drizzle'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgresJs from 'postgres'
import { expect, onTestFinished, test } from 'vitest'
import { postgres } from '../../support/postgres.ts'
import { rejection } from '../../support/rejection.ts'
import { pgItem } from './drivers.ts'

async function open(max: number) {
  const { createDatabase } = await postgres()
  const url = await createDatabase()
  let closed = (): void => {}
  const client = postgresJs(url, { max, onnotice: () => {}, onclose: () => closed() })
  const other = postgresJs(url, { max: 1 })
  onTestFinished(async () => {
    await client.end({ timeout: 1 })
    await other.end({ timeout: 1 })
  })
  const db = withTransactions(drizzle(client))
  await db.execute(sql`create table item (name text not null unique)`)
  const names = async (): Promise<string> =>
    (await db.select().from(pgItem).orderBy(pgItem.name)).map(({ name }) => name).join()
  const kill = async (): Promise<void> => {
    const [row] = await db.execute(sql`select pg_backend_pid() as pid`)
    const heard = new Promise<void>((resolve) => (closed = resolve))
    await other`select pg_terminate_backend(${row!['pid'] as number}, 5000)`
    await heard
  }
  return { db, names, kill }
}

test('T24: what follows a connection that was closed never runs outside the transaction', async () => {
  const { db, names, kill } = await open(1)
  const late: string[] = []
  const error = await rejection(
    transaction(db, async () => {
      await db.insert(pgItem).values({ name: 'a' })
      await kill()
      for (const name of ['b', 'c'])
        late.push((await rejection(db.insert(pgItem).values({ name }))).name)
    }),
  )
  expect(error.name).toBe('TransactionAbortedError')
  expect(describeError(error['cause']).category).toBe('connection')
  expect(late).toHaveLength(2)
  expect(await names()).toBe('')
  await transaction(db, () => db.insert(pgItem).values({ name: 'next' }))
  expect(await names()).toBe('next')
})

test('T24: a transaction whose connection was closed before its end does not commit', async () => {
  const { db, names, kill } = await open(1)
  const error = await rejection(
    transaction(db, async () => {
      await db.insert(pgItem).values({ name: 'a' })
      await kill()
    }),
  )
  expect(error).toBeInstanceOf(Error)
  expect(await names()).toBe('')
  for (let n = 0; n < 5; n++)
    await transaction(db, () => db.insert(pgItem).values({ name: `next${n}` }))
  expect((await names()).split(',')).toHaveLength(5)
})

test('T30: a statement that runs is cancelled by the timeout', async () => {
  const { db, names } = await open(2)
  const error = await rejection(
    transaction(db, async () => db.execute(sql`select pg_sleep(30)`), { timeoutMs: 100 }),
  )
  expect(error.name).toBe('TransactionTimeoutError')
  expect(await names()).toBe('')
})

test('T30: what was to cancel a statement never cancels that of whoever has the connection next', async () => {
  const { db } = await open(2)
  const sleeping = (seconds: number, timeoutMs?: number): Promise<unknown> =>
    transaction(db, async () => db.execute(sql`select pg_sleep(${seconds}::float8)`), { timeoutMs })
  const timed = rejection(sleeping(0.8, 300))
  const other = sleeping(1.2)
  await sleep(100)
  // It waits for a connection before the limit is reached, and gets that of the one which was to be cancelled.
  const next = sleeping(1.2)
  expect((await timed).name).toBe('TransactionTimeoutError')
  await Promise.all([other, next])
})
