import { transaction } from '@keelson/transactions/kysely'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createApp, transactional } from '../../../examples/transactions/hono.ts'
import { Hono } from 'hono'
import { describeRecipe, engines, openRecipeDatabase } from './describe-recipe.ts'

describeRecipe('Hono', async (db) => {
  const app = createApp(db)
  return async (path, body) => {
    const response = await app.request(path, { method: 'POST', body: JSON.stringify(body) })
    return { status: response.status, body: await response.json() }
  }
})

test('without commitIf a handler that throws would commit: next() resolves', async () => {
  const { db, accounts } = await openRecipeDatabase(engines[0]!)
  const app = new Hono()
  app.use((_context, next) => transaction(db, () => next()))
  app.post('/', async () => {
    await db.insertInto('account').values({ owner: 'Ada', balance: 1 }).execute()
    throw new Error('failed')
  })
  app.onError((_error, context) => context.text('', 500))
  expect((await app.request('/', { method: 'POST' })).status).toBe(500)
  expect(await accounts()).toEqual({ Ada: 1 })
})

test('answers 500 when PostgreSQL will not commit what a handler calls a success', async () => {
  const { db, accounts } = await openRecipeDatabase(engines[1]!)
  const app = new Hono()
  app.use(transactional(db))
  app.post('/', async (context) => {
    await db.insertInto('account').values({ owner: 'Ada', balance: 1 }).execute()
    await sql`select 1 / 0`.execute(db).catch(() => {})
    return context.text('done')
  })
  app.onError((error, context) => context.text(error.name, 500))
  const response = await app.request('/', { method: 'POST' })
  expect([response.status, await response.text()]).toEqual([500, 'TransactionAbortedError'])
  expect(await accounts()).toEqual({})
})
