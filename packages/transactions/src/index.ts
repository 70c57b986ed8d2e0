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
