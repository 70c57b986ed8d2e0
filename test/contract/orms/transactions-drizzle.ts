import {
  transaction,
  withTransactions,
  type TransactionDefaults,
} from '@keelson/transactions/drizzle'
import type { Orm } from '../orm.ts'
import { drizzle } from './drizzle.ts'
import { driverRefusals, explicitHandles } from './transactions-lack.ts'

/** Drizzle's own `db.transaction()`, with the layer installed. */
export function wrappedDrizzle(options?: TransactionDefaults): Orm {
  const orm = drizzle((db) => withTransactions(db, options))
  return {
    ...orm,
    name: 'drizzle, wrapped by transactions',
    lacks: { ...orm.lacks, driverRefusals, explicitHandles },
  }
}

/** `transaction(db, fn)`. */
export function transactionsDrizzle(options?: TransactionDefaults): Orm {
  const orm = drizzle(
    (db) => withTransactions(db, options),
    (db, fn, settings) => transaction(db, (tx) => fn(tx), settings),
  )
  return {
    ...orm,
    name: 'drizzle, transaction()',
    lacks: { ...orm.lacks, driverRefusals, explicitHandles },
  }
}
