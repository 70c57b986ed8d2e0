import { KeelsonError } from './keelson-error.ts'

/** Values and placeholders do not fit each other, or the engine has no type for a value. Nothing was written. */
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

/** An integer of the database does not fit into a JS number exactly, and the `int64` option says that this must not go unnoticed. */
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
