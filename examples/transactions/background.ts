/**
 * Work that does not belong to the transaction in which it is started. Begun with nothing but `void work()` it would
 * belong to it: its statements run in the transaction, and are refused once that has ended.
 *
 * `afterCommit` starts what needs the commit, and what would be wrong after a rollback. `outside` starts what is to be
 * kept whatever becomes of the transaction; it needs a connection of its own, so a pool.
 *
 * Run it with `node examples/transactions/background.ts`.
 */
import { afterCommit, outside, transaction } from '@keelson/transactions/kysely'
import type { Kysely } from 'kysely'
import { add, type Database, openDatabase, openAccount } from './accounts.ts'

export interface Background {
  /** Runs for as long as it likes. */
  readonly work: () => Promise<unknown>
  /** Hears of its failure: nobody awaits it. */
  readonly report: (error: unknown) => void
}

/** Starts the work once the account is really open; never, when it is not. */
export function openAccountAndWelcome(
  db: Kysely<Database>,
  owner: string,
  { work, report }: Background,
): Promise<void> {
  return transaction(db, async () => {
    await openAccount(db, owner, 0)
    // The hook does not wait for the work. If it returned the promise, transaction() would.
    await afterCommit(db, () => {
      work().catch(report)
    })
  })
}

/** Starts the work at once, beside the transaction, whatever becomes of that. */
export function withdraw(
  db: Kysely<Database>,
  owner: string,
  amount: number,
  { work, report }: Background,
): Promise<void> {
  return transaction(db, async () => {
    outside(db, work).catch(report)
    if ((await add(db, owner, -amount)) < 0) throw new Error(`${owner} has less than ${amount}.`)
  })
}

if (import.meta.main) {
  const db = await openDatabase()
  const work = async () => {
    await new Promise((resolve) => setTimeout(resolve, 100))
    console.log('later:', await db.selectFrom('account').selectAll().execute())
  }
  await openAccountAndWelcome(db, 'Ada', { work, report: console.error })
  await withdraw(db, 'Ada', 50, { work, report: console.error }).catch((error) =>
    console.log(error.message),
  )
  await new Promise((resolve) => setTimeout(resolve, 300))
  await db.destroy()
}
