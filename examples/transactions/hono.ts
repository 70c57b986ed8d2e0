/**
 * Hono: one transaction for each request, by a middleware. Handlers use plain `db`.
 *
 * `next()` resolves also after a handler has thrown, because Hono has made an answer of the error by then. What was
 * written is therefore kept by the answer's status, with `commitIf`. The answer is sent after the COMMIT, whose failure
 * becomes the answer. A body that is streamed is sent later: it cannot use the transaction.
 *
 * Run it with `node examples/transactions/hono.ts`.
 */
import { transaction } from '@keelson/transactions/kysely'
import { Hono, type MiddlewareHandler } from 'hono'
import type { Kysely } from 'kysely'
import { add, type Database, openAccount, openDatabase, transfer } from './accounts.ts'

export function transactional(db: Kysely<any>): MiddlewareHandler {
  return (context, next) =>
    transaction(db, () => next(), { commitIf: () => context.res.status < 400 })
}

export function createApp(db: Kysely<Database>): Hono {
  const app = new Hono()
  app.use(transactional(db))

  app.post('/accounts', async (context) => {
    const { owner, balance, invitedBy = '' } = await context.req.json()
    await openAccount(db, owner, balance)
    // A savepoint: whoever invites and cannot pay does not keep the account from being opened.
    const bonus = await transfer(db, invitedBy, owner, 10).then(
      () => true,
      () => false,
    )
    return context.json({ owner, bonus }, 201)
  })

  app.post('/transfers', async (context) => {
    const { from, to, amount } = await context.req.json()
    await add(db, to, amount)
    // Undone by its status.
    if ((await add(db, from, -amount)) < 0) return context.json({ error: 'too little' }, 409)
    return context.json({ from, to, amount })
  })

  app.onError((error, context) => context.json({ error: error.message }, 500))
  return app
}

if (import.meta.main) {
  const db = await openDatabase()
  const app = createApp(db)
  const post = (path: string, body: object) =>
    app.request(path, { method: 'POST', body: JSON.stringify(body) })
  await post('/accounts', { owner: 'Ada', balance: 100 })
  await post('/accounts', { owner: 'Grace', balance: 0, invitedBy: 'Ada' })
  const refused = await post('/transfers', { from: 'Grace', to: 'Ada', amount: 50 })
  console.log(refused.status, await db.selectFrom('account').selectAll().execute())
  await db.destroy()
}
