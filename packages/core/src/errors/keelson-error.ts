/**
 * The base of every refusal and failure that Keelson itself reports.
 *
 * Errors of the engines pass through untouched (same object, same class); these classes stand for what Keelson
 * refuses or finds out on its own. `code` is stable and made to be matched on; `message` says what was asked, why
 * it cannot be, and what to do instead.
 */
export class KeelsonError extends Error {
  /** Stable, upper-case name of the failure, for example `UNKNOWN_OPTION`. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** An option is unknown, has a value that cannot be used, or did not take effect in the engine. */
export class OptionError extends KeelsonError {
  declare readonly code: 'UNKNOWN_OPTION' | 'INVALID_OPTION' | 'SETTING_NOT_APPLIED'
  /** The option's name as the user wrote it, for example `busyTimeoutMs` or `pragmas.cache_size`. */
  readonly option: string

  constructor(code: OptionError['code'], option: string, message: string, options?: ErrorOptions) {
    super(code, message, options)
    this.option = option
  }
}

/**
 * A statement could not start because its connection is owned by something else: an open transaction or an open
 * stream, which the message names.
 */
export class ConnectionBusyError extends KeelsonError {
  declare readonly code: 'CONNECTION_BUSY'

  constructor(message: string, options?: ErrorOptions) {
    super('CONNECTION_BUSY', message, options)
  }
}

/** A transaction handle was used after its transaction had ended. Nothing was sent to the engine. */
export class TransactionClosedError extends KeelsonError {
  declare readonly code: 'TRANSACTION_CLOSED'

  constructor(message: string, options?: ErrorOptions) {
    super('TRANSACTION_CLOSED', message, options)
  }
}

/**
 * The engine ended the transaction on its own (SQLite: `OR ROLLBACK`, a full disk, an I/O error). Nothing that was
 * written in it is kept, further statements are refused, and `cause` is the error that ended it.
 */
export class TransactionAbortedError extends KeelsonError {
  declare readonly code: 'TRANSACTION_ABORTED'

  constructor(message: string, options?: ErrorOptions) {
    super('TRANSACTION_ABORTED', message, options)
  }
}

/** The database was closed before or while the operation ran. */
export class DatabaseClosedError extends KeelsonError {
  declare readonly code: 'DATABASE_CLOSED'

  constructor(message: string, options?: ErrorOptions) {
    super('DATABASE_CLOSED', message, options)
  }
}

/** A statement ran into `queryTimeoutMs`. A write that ran into it has not been carried out. */
export class QueryTimeoutError extends KeelsonError {
  declare readonly code: 'QUERY_TIMEOUT'

  constructor(message: string, options?: ErrorOptions) {
    super('QUERY_TIMEOUT', message, options)
  }
}

/** A nested transaction was asked for on an engine that has no savepoints. Nothing was sent to it. */
export class SavepointsNotSupportedError extends KeelsonError {
  declare readonly code: 'SAVEPOINTS_NOT_SUPPORTED'

  constructor(message: string, options?: ErrorOptions) {
    super('SAVEPOINTS_NOT_SUPPORTED', message, options)
  }
}
