import { KeelsonError } from '@keelson/core/base'

/** The database could not be opened. Nothing was left open. */
export class SqliteOpenError extends KeelsonError {
  declare readonly code:
    | 'PATH_INVALID'
    | 'PATH_OUTSIDE_DIRECTORY'
    | 'PATH_IS_DIRECTORY'
    | 'DIRECTORY_MISSING'
    | 'FILE_MISSING'
    | 'NOT_A_DATABASE'
    | 'WAL_UNAVAILABLE'
    | 'OPEN_FAILED'

  constructor(code: SqliteOpenError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** A statement was refused before SQLite ran any of it. */
export class SqliteStatementError extends KeelsonError {
  declare readonly code:
    | 'TRANSACTION_CONTROL'
    | 'MULTIPLE_STATEMENTS'
    | 'EMPTY_STATEMENT'
    | 'NUL_IN_SQL'
    | 'FOREIGN_KEYS_PRAGMA'
    | 'SETTING_PRAGMA'
    | 'TRANSACTION_OPEN'
    | 'NO_TRANSACTION'
    | 'NO_ROWS_TO_STREAM'

  constructor(code: SqliteStatementError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** A backup was not made; no file of the requested name was left behind. */
export class SqliteBackupError extends KeelsonError {
  declare readonly code: 'BACKUP_EXISTS' | 'BACKUP_FAILED' | 'BACKUP_CORRUPT'

  constructor(code: SqliteBackupError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** A schema migration would have committed rows whose parent is missing. It was rolled back, unless it ran outside a transaction. */
export class MigrationForeignKeyError extends KeelsonError {
  declare readonly code: 'MIGRATION_FOREIGN_KEYS'

  constructor(message: string) {
    super('MIGRATION_FOREIGN_KEYS', message)
  }
}

/** What a statement returns is more than was allowed; nothing of it is delivered. */
export class SqliteResultError extends KeelsonError {
  declare readonly code: 'TOO_MANY_ROWS'

  constructor(code: SqliteResultError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/**
 * A thread of SQLite did not answer. `THREAD_EXITED`: it ended, and nothing was changed by the statement.
 * `OUTCOME_UNKNOWN`: it ended or is stuck, and the statement may have been committed or not: look before you try again.
 */
export class SqliteThreadError extends KeelsonError {
  declare readonly code: 'THREAD_EXITED' | 'OUTCOME_UNKNOWN'

  constructor(code: SqliteThreadError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
