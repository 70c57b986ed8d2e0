import { KeelsonError } from '@keelson/core'

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

/** Values and placeholders do not fit each other, or SQLite has no type for a value. Nothing was written. */
export class ParameterError extends KeelsonError {
  declare readonly code: 'PARAMETER_TYPE' | 'PARAMETER_COUNT' | 'TOO_MANY_PARAMETERS'
  /** Position of the parameter, from 0; `undefined` when the count is what is wrong. */
  readonly index: number | undefined
  /** The column it was meant for, where the statement's text tells. */
  readonly column: string | undefined

  constructor(
    code: ParameterError['code'],
    message: string,
    details: { index?: number; column?: string | undefined; cause?: unknown } = {},
  ) {
    super(code, message, 'cause' in details ? { cause: details.cause } : undefined)
    this.index = details.index
    this.column = details.column
  }
}

/** An INTEGER does not fit into a JS number exactly, and the `int64` option says that this must not go unnoticed. */
export class Int64RangeError extends KeelsonError {
  declare readonly code: 'INT64_RANGE'
  readonly column: string
  readonly value: bigint

  constructor(column: string, value: bigint) {
    super(
      'INT64_RANGE',
      `Column "${column}" holds ${value}, which a JavaScript number cannot represent exactly. ` +
        `Open the database with int64: 'bigint' or 'string', or with 'lossyNumber' to accept rounding.`,
    )
    this.column = column
    this.value = value
  }
}

/** A statement ran into `queryTimeoutMs`. A write that ran into it has not been carried out. */
export class QueryTimeoutError extends KeelsonError {
  declare readonly code: 'QUERY_TIMEOUT'

  constructor(message: string, options?: ErrorOptions) {
    super('QUERY_TIMEOUT', message, options)
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
