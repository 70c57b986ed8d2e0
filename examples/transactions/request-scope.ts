/**
 * Without a framework: one transaction for each request, around any function from a `Request` to a `Response`.
 *
 * The answer's status decides whether it commits. A client that goes away ends the transaction, and what only reads
 * begins as `read only`.
 *
 * Run it with `node examples/transactions/request-scope.ts`.
 */
import { transaction } from '@keelson/transactions/kysely'
import type { Kysely } from 'kysely'
import { add, type Database, openAccount, openDatabase, transfer } from './accounts.ts'

export type Handler = (request: Request) => Promise<Response>

export function transactional(db: Kysely<any>, handler: Handler): Handler {
  return (request) =>
    transaction(db, () => handler(request), {
      commitIf: (response) => response.ok,
      signal: request.signal,
      accessMode: ['GET', 'HEAD'].includes(request.method) ? 'read only' : 'read write',
    }).catch((error) => Response.json({ error: error.message }, { status: 500 }))
}

export function createHandler(db: Kysely<Database>): Handler {
  return transactional(db, async (request) => {
    const { pathname } = new URL(request.url)
    switch (`${request.method} ${pathname}`) {
      case 'GET /accounts':
        return Response.json(await db.selectFrom('account').selectAll().orderBy('owner').execute())

      case 'POST /accounts': {
        const { owner, balance, invitedBy = '' } = (await request.json()) as Record<string, any>
        await openAccount(db, owner, balance)
        // A savepoint: whoever invites and cannot pay does not keep the account from being opened.
        const bonus = await transfer(db, invitedBy, owner, 10).then(
          () => true,
          () => false,
        )
        return Response.json({ owner, bonus }, { status: 201 })
      }

      case 'POST /transfers': {
        const { from, to, amount } = (await request.json()) as Record<string, any>
        await add(db, to, amount)
        // Undone by its status.
        if ((await add(db, from, -amount)) < 0)
          return Response.json({ error: 'too little' }, { status: 409 })
        return Response.json({ from, to, amount })
      }

      default:
        return new Response('not found', { status: 404 })
    }
  })
}

if (import.meta.main) {
  const db = await openDatabase()
  const handle = createHandler(db)
  const url = 'http://localhost'
  const post = (path: string, body: object) =>
    handle(new Request(url + path, { method: 'POST', body: JSON.stringify(body) }))
  await post('/accounts', { owner: 'Ada', balance: 100 })
  await post('/accounts', { owner: 'Grace', balance: 0, invitedBy: 'Ada' })
  const refused = await post('/transfers', { from: 'Grace', to: 'Ada', amount: 50 })
  const accounts = await handle(new Request(`${url}/accounts`))
  console.log(refused.status, await accounts.text())
  await db.destroy()
}
