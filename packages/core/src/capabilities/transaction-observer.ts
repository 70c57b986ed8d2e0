import type { TransactionEvent } from '../events/transaction-event.ts'

/**
 * The key of what hears of the transactions of one database, on the dialect of a Drizzle session: whoever begins and ends
 * them looks there, since they are not to be seen from outside.
 */
export const transactionObserver: unique symbol = Symbol.for('keelson.transactionObserver')

/** Hears of transactions and savepoints. It must not throw, and nothing waits for it. */
export interface TransactionObserver {
  /** BEGIN or SAVEPOINT is about to be sent. The event is filled in until it has ended. */
  begins(event: TransactionEvent): void
  ended(event: TransactionEvent): void
}
