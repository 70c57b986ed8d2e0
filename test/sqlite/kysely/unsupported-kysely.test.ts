import { SqliteDialect } from '@keelson/sqlite/kysely'
import { Kysely, SingleConnectionProvider, sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { rejection } from './fixture.ts'

test('refuses a Kysely whose SingleConnectionProvider works in another way', async () => {
  // This file has a copy of Kysely to itself, so that nobody else meets the changed one.
  const { prototype } = SingleConnectionProvider
  const original = provideConnection()
  prototype.provideConnection = async function (consumer) {
    await Promise.resolve()
    return original.call(this, consumer) as never
  }
  const db = new Kysely({ dialect: new SqliteDialect({ path: ':memory:' }) })
  onTestFinished(() => db.destroy())
  const error = await rejection(sql`select 1`.execute(db))
  expect(error).toMatchObject({ code: 'UNSUPPORTED_KYSELY' })
  expect(error.message).toContain(
    'Install a version that the peer dependency of @keelson/sqlite allows',
  )

  prototype.provideConnection = original
  expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }])
})

test('patches SingleConnectionProvider with the first query and once, and leaves other connections alone', async () => {
  const before = provideConnection()
  const [first, second] = [1, 2].map(
    () => new Kysely({ dialect: new SqliteDialect({ path: ':memory:' }) }),
  )
  onTestFinished(() => Promise.all([first!.destroy(), second!.destroy()]).then(() => {}))
  await sql`select 1`.execute(first!)
  await sql`select 1`.execute(second!)
  expect(provideConnection()).toBe(before)

  const foreign = { executeQuery: async () => ({ rows: [] }), streamQuery: async function* () {} }
  const provider = new SingleConnectionProvider(foreign)
  const order: string[] = []
  const slow = provider.provideConnection(async (connection) => {
    await new Promise(setImmediate)
    order.push('slow')
    return connection
  })
  const quick = provider.provideConnection(async (connection) => {
    order.push('quick')
    return connection
  })
  expect(await Promise.all([slow, quick])).toEqual([foreign, foreign])
  expect(order).toEqual(['slow', 'quick'])
  const mine = new Error('mine')
  await expect(provider.provideConnection(() => Promise.reject(mine))).rejects.toBe(mine)
})

function provideConnection(): SingleConnectionProvider['provideConnection'] {
  return Reflect.get(SingleConnectionProvider.prototype, 'provideConnection')
}
