import { drizzle } from '@keelson/sqlite/drizzle'
import { beforeCommit, transaction, withTransactions } from '@keelson/transactions/drizzle'
import { sql } from 'drizzle-orm'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/temporary-directory.ts'

// A query of Drizzle begins when it is awaited: one that a callback returns has to begin where the callback ran.

test('a query that a beforeCommit hook returns runs in the transaction', async () => {
  const db = await open()
  await transaction(db, async () => {
    await beforeCommit(db, () => db.run(sql`insert into a values (1)`))
    await db.run(sql`insert into a values (2)`)
  })
  expect(await db.all(sql`select x from a`)).toEqual([{ x: 2 }, { x: 1 }])
})

test("a query that the callback of 'notSupported' returns runs outside the transaction", async () => {
  const db = await open()
  await transaction(db, async () => {
    await db.run(sql`insert into a values (1)`)
    const seen = transaction(db, () => db.all(sql`select x from a`), {
      propagation: 'notSupported',
    })
    expect(await seen).toEqual([])
  })
})

test('a query that a hook returns is sent at once where there is no transaction', async () => {
  const db = await open()
  await transaction(
    db,
    async (_tx, { afterCommit }) => {
      afterCommit(() => db.run(sql`insert into a values (1)`))
    },
    { propagation: 'supports' },
  )
  expect(await db.all(sql`select x from a`)).toEqual([{ x: 1 }])
})

async function open() {
  const db = withTransactions(drizzle(`${temporaryDirectory()}/test.db`))
  onTestFinished(async () => void (await db.$client.close()))
  await db.run(sql`create table a (x integer)`)
  return db
}
