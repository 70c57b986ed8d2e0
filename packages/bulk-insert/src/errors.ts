import { KeelsonError } from '@keelson/core'
import type { BulkInsertReport } from './report.ts'

/**
 * A bulk insert failed. What is in the table is what `report` says: nothing with `atomic: true`; with `atomic: false`
 * everything up to `report.durableRows`.
 */
export class BulkInsertError extends KeelsonError {
  declare readonly code: 'BULK_INSERT'
  readonly report: BulkInsertReport
  /** The position of the row that is to blame, from 0, where there is one. */
  readonly rowIndex: number | undefined
  /** The column that is to blame, as the row calls it, where that is known. */
  readonly column: string | undefined

  constructor(
    message: string,
    details: {
      readonly report: BulkInsertReport
      readonly rowIndex?: number | undefined
      readonly column?: string | undefined
      readonly cause?: unknown
    },
  ) {
    super('BULK_INSERT', message, 'cause' in details ? { cause: details.cause } : undefined)
    this.report = details.report
    this.rowIndex = details.rowIndex
    this.column = details.column
  }
}

/** A row cannot be inserted, which was seen before anything was sent. */
export class RowError extends KeelsonError {
  declare readonly code:
    | 'NOT_A_ROW'
    | 'UNKNOWN_COLUMN'
    | 'MISSING_COLUMN'
    | 'VALUE'
    | 'INVALID_ROW'
    | 'DUPLICATE_IN_INPUT'
  /** The column that is to blame, as the row calls it. */
  readonly column: string | undefined

  constructor(
    code: RowError['code'],
    message: string,
    column?: string,
    options?: { readonly cause?: unknown },
  ) {
    super(code, message, options)
    this.column = column
  }
}
