export type { TransactionDefaults } from './database.ts'
export { UnsupportedDrizzleError } from '@keelson/core/drizzle'
export type {
  AnyDatabase,
  AsyncDatabase,
  NotAwaited,
  SyncDrizzleDatabase,
  TransactionOf,
} from './drizzle/database-type.ts'
export {
  afterCommit,
  afterRollback,
  beforeCommit,
  currentTransaction,
  inTransaction,
  outside,
  type Registered,
  transaction,
  withRollback,
} from './drizzle/transaction.ts'
export { withTransactions } from './drizzle/with-transactions.ts'
export {
  AfterCommitError,
  AsyncCallbackError,
  CommitOutcomeUnknownError,
  NotWrappedError,
  TransactionAcquireTimeoutError,
  TransactionControlError,
  TransactionDeadlockError,
  TransactionOptionsError,
  TransactionPropagationError,
  TransactionTimeoutError,
  TransactionWaitTimeoutError,
  UnexpectedRollbackError,
} from './errors.ts'
export type { Policy, Propagation, RetryOptions, TransactionOptions } from './options.ts'
export type { TransactionScope } from './run/transaction-scope.ts'
export type { Hook } from './scope/hooks.ts'
export type { SyncTransactionOptions } from './sync/run-sync-transaction.ts'
export type { SyncTransactionScope } from './sync/sync-transaction-scope.ts'
