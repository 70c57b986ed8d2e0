import { expect, test } from 'vitest'
import { createHandler, transactional } from '../../../examples/transactions/request-scope.ts'
import { describeRecipe, engines, openRecipeDatabase } from './describe-recipe.ts'

const url = 'http://localhost'

describeRecipe('a function from Request to Response', async (db) => {
  const handle = createHandler(db)
  return async (path, body) => {
    const response = await handle(
      new Request(url + path, { method: 'POST', body: JSON.stringify(body) }),
    )
    return { status: response.status, body: await response.json() }
  }
})

test.for(engines)('a client that goes away ends the transaction on $name', async (engine) => {
  const { db, accounts } = await openRecipeDatabase(engine)
  const client = new AbortController()
  const handle = transactional(db, async () => {
    await db.insertInto('account').values({ owner: 'Ada', balance: 1 }).execute()
    client.abort(new Error('the client is gone'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    return new Response('nobody reads this')
  })
  const response = await handle(new Request(url, { method: 'POST', signal: client.signal }))
  expect(await response.json()).toEqual({ error: 'the client is gone' })
  expect(await accounts()).toEqual({})
})

test.for(engines)('a GET cannot write on $name', async (engine) => {
  const { db, accounts } = await openRecipeDatabase(engine)
  const handle = transactional(db, async () => {
    await db.insertInto('account').values({ owner: 'Ada', balance: 1 }).execute()
    return new Response('written')
  })
  expect((await handle(new Request(url))).status).toBe(500)
  expect(await accounts()).toEqual({})
  expect(await (await createHandler(db)(new Request(`${url}/accounts`))).json()).toEqual([])
})
