/**
 * DataLoader: a loader for each transaction and savepoint, instead of one for all.
 *
 * A DataLoader collects the keys of one tick and runs its query where the first of them was asked for. With one loader
 * for all, keys that were asked for in two transactions are read in one of them: the other one does not see what it has
 * written itself, and sees what may yet be rolled back. So a batch must not leave its scope.
 *
 * Run it with `node examples/transactions/dataloader.ts`.
 */
import { currentTransaction, transaction } from '@keelson/transactions/kysely'
import DataLoader from 'dataloader'
import type { Kysely } from 'kysely'
import { type Database, openAccount, openDatabase } from './accounts.ts'

/** A function that returns the loader of the scope it is called in. */
export function loaderPerScope<K, V>(
  db: Kysely<any>,
  load: (keys: readonly K[]) => Promise<readonly V[]>,
): () => DataLoader<K, V> {
  const loaders = new Map<number, DataLoader<K, V>>()
  return () => {
    const scope = currentTransaction(db)
    const id = scope?.id ?? 0
    let loader = loaders.get(id)
    if (loader === undefined) {
      // No cache: what a transaction has read it may change next.
      loader = new DataLoader(load, { cache: false })
      loaders.set(id, loader)
      const forget = () => loaders.delete(id)
      scope?.afterCommit(forget)
      scope?.afterRollback(forget)
    }
    return loader
  }
}

export async function loadBalances(
  db: Kysely<Database>,
  owners: readonly string[],
): Promise<(number | undefined)[]> {
  const accounts = await db.selectFrom('account').selectAll().where('owner', 'in', owners).execute()
  return owners.map((owner) => accounts.find((account) => account.owner === owner)?.balance)
}

if (import.meta.main) {
  const db = await openDatabase()
  const balances = loaderPerScope(db, (owners: readonly string[]) => loadBalances(db, owners))
  await openAccount(db, 'Ada', 100)
  await transaction(db, async () => {
    await openAccount(db, 'Grace', 50)
    // One query for both.
    console.log(await Promise.all(['Ada', 'Grace'].map((owner) => balances().load(owner))))
  })
  await db.destroy()
}
