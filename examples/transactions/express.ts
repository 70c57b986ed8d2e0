/**
 * Express: a wrapper for handlers, which run in a transaction and return what is to be answered.
 *
 * They return it instead of calling `response.json()`, because what is sent before the COMMIT cannot be taken back when
 * the COMMIT fails. A middleware around `next()` is no way: Express does not say when a handler is done.
 *
 * Run it with `node examples/transactions/express.ts`.
 */
import { transaction } from '@keelson/transactions/kysely'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import type { Kysely } from 'kysely'
import { add, type Database, openAccount, openDatabase, transfer } from './accounts.ts'

export interface Reply {
  readonly status: number
  readonly body: unknown
}

export function transactional(
  db: Kysely<any>,
  handler: (request: express.Request) => Promise<Reply>,
): RequestHandler {
  // Express 5 gives what this rejects with to the error handler; Express 4 needs `.catch(next)`.
  return async (request, response) => {
    const { status, body } = await transaction(db, () => handler(request), {
      commitIf: (reply) => reply.status < 400,
    })
    response.status(status).json(body)
  }
}

export function createApp(db: Kysely<Database>): Express {
  const app = express()
  app.use(express.json())

  app.post(
    '/accounts',
    transactional(db, async ({ body: { owner, balance, invitedBy = '' } }) => {
      await openAccount(db, owner, balance)
      // A savepoint: whoever invites and cannot pay does not keep the account from being opened.
      const bonus = await transfer(db, invitedBy, owner, 10).then(
        () => true,
        () => false,
      )
      return { status: 201, body: { owner, bonus } }
    }),
  )

  app.post(
    '/transfers',
    transactional(db, async ({ body: { from, to, amount } }) => {
      await add(db, to, amount)
      // Undone by its status.
      if ((await add(db, from, -amount)) < 0) return { status: 409, body: { error: 'too little' } }
      return { status: 200, body: { from, to, amount } }
    }),
  )

  app.use(((error: Error, _request, response, _next) => {
    response.status(500).json({ error: error.message })
  }) satisfies ErrorRequestHandler)
  return app
}

if (import.meta.main) {
  const db = await openDatabase()
  const server = createApp(db).listen(3000, () => {
    console.log('http://localhost:3000; Ctrl-C ends it. For example:')
    console.log(
      `curl -d '{"owner":"Ada","balance":100}' -H 'content-type: application/json' localhost:3000/accounts`,
    )
  })
  process.once('SIGINT', () => server.close(() => void db.destroy()))
}
