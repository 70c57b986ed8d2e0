export type { TransactionDefaults } from './database.ts'
export {
  AfterCommitError,
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
export {
  afterCommit,
  afterRollback,
  beforeCommit,
  currentTransaction,
  inTransaction,
  outside,
  transaction,
  withRollback,
} from './kysely/transaction.ts'
export { withTransactions } from './kysely/with-transactions.ts'
export type { Policy, Propagation, RetryOptions, TransactionOptions } from './options.ts'
export type { TransactionScope } from './run/transaction-scope.ts'
export type { Hook } from './scope/hooks.ts'
