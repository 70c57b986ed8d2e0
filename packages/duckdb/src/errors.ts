import { KeelsonError } from '@keelson/core'

/** The database could not be opened. Nothing was left open. */
export class DuckDBOpenError extends KeelsonError {
  declare readonly code:
    | 'PATH_INVALID'
    | 'PATH_IS_DIRECTORY'
    | 'DIRECTORY_MISSING'
    | 'FILE_MISSING'
    | 'NOT_A_DATABASE'
    | 'FILE_LOCKED'
    | 'OPEN_IN_THIS_PROCESS'
    | 'OPEN_FAILED'

  constructor(code: DuckDBOpenError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** A statement was refused before DuckDB ran any of it. */
export class DuckDBStatementError extends KeelsonError {
  declare readonly code:
    | 'TRANSACTION_CONTROL'
    | 'MULTIPLE_STATEMENTS'
    | 'EMPTY_STATEMENT'
    | 'SESSION_STATE'
    | 'SETTING_GUARDED'
    | 'TRANSACTION_OPEN'
    | 'NO_TRANSACTION'
    | 'NO_ROWS_TO_STREAM'

  constructor(code: DuckDBStatementError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/**
 * DuckDB ended a stream before its end: a row could not be computed, the statement was interrupted, or the connection
 * was used for something else. Its client reports that like the end of the data and does not pass the reason on.
 */
export class StreamCutShortError extends KeelsonError {
  declare readonly code: 'STREAM_CUT_SHORT'
  /** Rows that were delivered before. */
  readonly rowsDelivered: number

  constructor(message: string, rowsDelivered: number, options?: ErrorOptions) {
    super('STREAM_CUT_SHORT', message, options)
    this.rowsDelivered = rowsDelivered
  }
}

/** A timestamp has digits that a `Date` cannot hold, and the `timestamp` option says that this must not go unnoticed. */
export class TimestampPrecisionError extends KeelsonError {
  declare readonly code: 'TIMESTAMP_PRECISION'
  readonly column: string
  /** The timestamp as text, with all its digits. */
  readonly value: string

  constructor(column: string, value: string) {
    super(
      'TIMESTAMP_PRECISION',
      `Column "${column}" holds ${value}, and a Date holds milliseconds. ` +
        "Use timestamp: 'string', or 'lossyDate' to have it cut to milliseconds.",
    )
    this.column = column
    this.value = value
  }
}

/** A date or timestamp is infinite, and the `infinity` option says that this must not go unnoticed. */
export class InfiniteTimestampError extends KeelsonError {
  declare readonly code: 'INFINITE_TIMESTAMP'
  readonly column: string
  readonly value: 'infinity' | '-infinity'

  constructor(column: string, value: 'infinity' | '-infinity') {
    super(
      'INFINITE_TIMESTAMP',
      `Column "${column}" holds ${value}, which the option infinity: 'throw' does not let pass. ` +
        "Use infinity: 'string' or 'number' to read it.",
    )
    this.column = column
    this.value = value
  }
}
