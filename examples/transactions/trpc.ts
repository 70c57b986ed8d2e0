/**
 * tRPC: mutations in a transaction, by a middleware of their procedure. Resolvers use plain `db`.
 *
 * `next()` resolves also after a resolver has thrown, with `{ ok: false }`: `commitIf` looks at it. Of requests that
 * were sent as one batch each is a transaction of its own.
 *
 * Run it with `node examples/transactions/trpc.ts`.
 */
import { transaction } from '@keelson/transactions/kysely'
import { initTRPC, TRPCError } from '@trpc/server'
import type { Kysely } from 'kysely'
import { add, type Database, openAccount, openDatabase, transfer } from './accounts.ts'

export interface Context {
  readonly db: Kysely<Database>
}

const t = initTRPC.context<Context>().create()

export const mutation = t.procedure.use(({ ctx, next }) =>
  transaction(ctx.db, () => next(), { commitIf: (result) => result.ok }),
)

export const router = t.router({
  accounts: mutation
    .input((input) => input as { owner: string; balance: number; invitedBy?: string })
    .mutation(async ({ ctx: { db }, input: { owner, balance, invitedBy = '' } }) => {
      await openAccount(db, owner, balance)
      // A savepoint: whoever invites and cannot pay does not keep the account from being opened.
      const bonus = await transfer(db, invitedBy, owner, 10).then(
        () => true,
        () => false,
      )
      return { owner, bonus }
    }),

  transfers: mutation
    .input((input) => input as { from: string; to: string; amount: number })
    .mutation(async ({ ctx: { db }, input: { from, to, amount } }) => {
      await add(db, to, amount)
      if ((await add(db, from, -amount)) < 0)
        throw new TRPCError({ code: 'CONFLICT', message: 'too little' })
      return { from, to, amount }
    }),
})

export const createCaller = t.createCallerFactory(router)

if (import.meta.main) {
  const db = await openDatabase()
  const caller = createCaller({ db })
  await caller.accounts({ owner: 'Ada', balance: 100 })
  await caller.accounts({ owner: 'Grace', balance: 0, invitedBy: 'Ada' })
  await caller
    .transfers({ from: 'Grace', to: 'Ada', amount: 50 })
    .catch((error) => console.log(error.message))
  console.log(await db.selectFrom('account').selectAll().execute())
  await db.destroy()
}
