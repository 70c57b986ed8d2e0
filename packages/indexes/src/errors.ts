import { KeelsonError } from '@keelson/core'

/** A table cannot be made of what was given. Nothing was sent to a database. */
export class SchemaError extends KeelsonError {
  declare readonly code:
    | 'NOT_A_SCHEMA'
    | 'UNSUPPORTED_TYPE'
    | 'UNKNOWN_META'
    | 'INVALID_META'
    | 'INVALID_DEFAULT'
    | 'INVALID_ROW'
    | 'NO_COLUMN'
    | 'DUPLICATE_COLUMN'
    | 'DUPLICATE_TABLE'
    | 'INVALID_KEY'
    | 'INVALID_PREDICATE'
  readonly table: string
  /** The field or column that is to blame, as the source calls it. */
  readonly field: string | undefined

  constructor(
    code: SchemaError['code'],
    table: string,
    field: string | undefined,
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options)
    this.table = table
    this.field = field
  }
}
