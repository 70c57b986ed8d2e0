import { createHTTPHandler } from '@trpc/server/adapters/standalone'
import { expect, test } from 'vitest'
import { createCaller, router } from '../../../examples/transactions/trpc.ts'
import { describeRecipe, engines, openRecipeDatabase } from './describe-recipe.ts'
import { serve } from './serve.ts'

describeRecipe('tRPC', (db) => serve(createHTTPHandler({ router, createContext: () => ({ db }) })))

test('a caller inside a transaction of the server makes savepoints of its procedures', async () => {
  const { db, accounts, log } = await openRecipeDatabase(engines[0]!)
  const caller = createCaller({ db })
  await db.transaction().execute(async () => {
    await caller.accounts({ owner: 'Ada', balance: 100 })
    await caller.transfers({ from: 'nobody', to: 'Ada', amount: 1 }).catch(() => {})
  })
  expect(await accounts()).toEqual({ Ada: 100 })
  expect(log.filter((statement) => /^(begin|commit|savepoint)/.test(statement))).toEqual([
    'begin immediate',
    'savepoint "keelson_1"',
    'savepoint "keelson_2"',
    'savepoint "keelson_3"',
    'commit',
  ])
})
