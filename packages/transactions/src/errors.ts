import { callSite, describeValue, KeelsonError } from '@keelson/core'

/** The database was not given to `withTransactions()`. Nothing was sent. */
export class NotWrappedError extends KeelsonError {
  declare readonly code: 'NOT_WRAPPED'

  constructor(message: string) {
    super('NOT_WRAPPED', message)
  }
}

/** An option of a transaction is unknown, impossible on this engine, or has no meaning where it was given. */
export class TransactionOptionsError extends KeelsonError {
  declare readonly code: 'TRANSACTION_OPTIONS'
  /** The option as the user wrote it, for example `isolationLevel`. */
  readonly option: string

  constructor(option: string, message: string, options?: ErrorOptions) {
    super('TRANSACTION_OPTIONS', message, options)
    this.option = option
  }
}

/** `mandatory` without an open transaction, `never` or `durable` inside one. Nothing was sent. */
export class TransactionPropagationError extends KeelsonError {
  declare readonly code: 'TRANSACTION_PROPAGATION'

  constructor(message: string) {
    super('TRANSACTION_PROPAGATION', message)
  }
}

/**
 * A transaction whose callback succeeded was rolled back, because a part that had joined it (`propagation: 'required'`)
 * has failed before; `cause` is what that part threw.
 */
export class UnexpectedRollbackError extends KeelsonError {
  declare readonly code: 'UNEXPECTED_ROLLBACK'

  constructor(message: string, options?: ErrorOptions) {
    super('UNEXPECTED_ROLLBACK', message, options)
  }
}

/**
 * The transaction **was committed**, and a hook registered with `afterCommit` threw. The other hooks have run. Do not run
 * the transaction again.
 */
export class AfterCommitError extends KeelsonError {
  declare readonly code: 'AFTER_COMMIT'
  readonly committed = true as const
  /** What the transaction's callback returned. `undefined` for a controlled transaction of Kysely, which has none. */
  readonly result: unknown
  /** What the hooks threw, in their order. */
  readonly errors: readonly unknown[]

  /** @param begun where the transaction was asked for */
  constructor(errors: readonly unknown[], result: unknown, begun?: Error) {
    const [first] = errors
    const site = begun && callSite(begun)
    super(
      'AFTER_COMMIT',
      `The transaction${site === undefined ? '' : ` begun at ${site}`} was committed, but ${errors.length === 1 ? 'a hook' : `${errors.length} hooks`} registered with ` +
        `afterCommit() failed: ${first instanceof Error ? first.message : describeValue(first)}. Everything that the ` +
        'transaction wrote is kept; do not run it again. `errors` has what was thrown, `result` what the callback returned.',
      { cause: first },
    )
    this.errors = errors
    this.result = result
  }
}

/**
 * A statement or nested transaction waited too long for another branch of its transaction; the message names the holder
 * and where it began. Nothing was sent.
 */
export class TransactionWaitTimeoutError extends KeelsonError {
  declare readonly code: 'TRANSACTION_WAIT_TIMEOUT'

  constructor(message: string) {
    super('TRANSACTION_WAIT_TIMEOUT', message)
  }
}

/** The transaction ran into its `timeoutMs`. It was rolled back. */
export class TransactionTimeoutError extends KeelsonError {
  declare readonly code: 'TRANSACTION_TIMEOUT'
  /** Milliseconds since the transaction was asked for. */
  readonly elapsedMs: number
  /** The limit, in milliseconds. */
  readonly limitMs: number
  /** The last statement that it sent. */
  readonly lastSql: string | undefined

  constructor(
    message: string,
    details: { elapsedMs: number; limitMs: number; lastSql: string | undefined },
  ) {
    super('TRANSACTION_TIMEOUT', message)
    this.elapsedMs = details.elapsedMs
    this.limitMs = details.limitMs
    this.lastSql = details.lastSql
  }
}

/** No connection was to be had within `acquireTimeoutMs`. Nothing was begun. */
export class TransactionAcquireTimeoutError extends KeelsonError {
  declare readonly code: 'TRANSACTION_ACQUIRE_TIMEOUT'

  constructor(message: string) {
    super('TRANSACTION_ACQUIRE_TIMEOUT', message)
  }
}

/**
 * The connection was lost between COMMIT and its answer: the transaction may have been committed or not, and only the
 * data can tell. Never retried; `cause` is the connection's error.
 */
export class CommitOutcomeUnknownError extends KeelsonError {
  declare readonly code: 'COMMIT_OUTCOME_UNKNOWN'

  constructor(message: string, options?: ErrorOptions) {
    super('COMMIT_OUTCOME_UNKNOWN', message, options)
  }
}

/**
 * A second connection was asked for while a transaction holds the only one, or while every connection of the pool is held
 * by a transaction that waits for a second one: none of them would ever get it. Nothing was sent.
 */
export class TransactionDeadlockError extends KeelsonError {
  declare readonly code: 'TRANSACTION_POOL_DEADLOCK'

  constructor(message: string) {
    super('TRANSACTION_POOL_DEADLOCK', message)
  }
}

/** A statement as text would begin or end a transaction behind the back of the one it is in. Nothing was sent. */
export class TransactionControlError extends KeelsonError {
  declare readonly code: 'TRANSACTION_CONTROL'

  constructor(message: string) {
    super('TRANSACTION_CONTROL', message)
  }
}

/** A synchronous database was given an async callback. Nothing was begun, or what was begun is rolled back. */
export class AsyncCallbackError extends KeelsonError {
  declare readonly code: 'ASYNC_CALLBACK'

  constructor(message: string) {
    super('ASYNC_CALLBACK', message)
  }
}
