import { sessionLayer } from '@keelson/core/drizzle'
import { NotWrappedError } from '../errors.ts'
import { type DrizzleTransactions, layerName } from './drizzle-transactions.ts'
import { drizzleSession } from '@keelson/core/drizzle'
import type { DrizzleSession } from './internals.ts'
import type { SyncDrizzleTransactions } from './sync-drizzle-transactions.ts'
import { SyncTransactionLayer } from './sync-transaction-layer.ts'
import { TransactionLayer } from './transaction-layer.ts'

/**
 * The state of a database, or of the one that a handle belongs to.
 *
 * @throws {NotWrappedError} saying what is missing
 */
export function transactionsOf(db: unknown): DrizzleTransactions | SyncDrizzleTransactions {
  const session = drizzleSession<DrizzleSession>(db)
  const layer = session && sessionLayer(session, layerName)
  if (layer instanceof TransactionLayer || layer instanceof SyncTransactionLayer)
    return layer.transactions
  throw new NotWrappedError(
    'This Drizzle database does not know of transactions that nest. Wrap it: `const db = withTransactions(drizzle(...))`, ' +
      "with withTransactions from '@keelson/transactions/drizzle'. Nothing was sent.",
  )
}
