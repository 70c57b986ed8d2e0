import { describeError, KeelsonError, OptionError, ParameterError } from '@keelson/core'
import { BulkInsertError, RowError } from '../errors.ts'
import type { BulkOptions } from '../options.ts'
import type { BulkInsertReport } from '../report.ts'
import type { RowShaper } from '../shape/row-shaper.ts'
import type { TableInfo } from '../shape/table-info.ts'
import { columnOf } from './row-fault.ts'
import { withoutBareValues, withoutValues } from './without-values.ts'

/** Carries the row that is to blame to where the report is made. */
export class RowRejected extends Error {
  readonly rowIndex: number
  readonly row: unknown
  override readonly cause: unknown

  constructor(rowIndex: number, row: unknown, cause: unknown) {
    super('a row was rejected')
    this.rowIndex = rowIndex
    this.row = row
    this.cause = cause
  }
}

/** What is known of a bulk insert when it fails. */
export interface FailureContext {
  readonly report: BulkInsertReport
  readonly options: BulkOptions
  /** Its name. */
  readonly target: string
  readonly table: TableInfo | undefined
  readonly shaper: RowShaper | undefined
  /** Rows of the input that were sent before the input itself has failed; undefined where it has not. */
  readonly rowsBefore: number | undefined
}

/** What the caller is thrown. */
export function failureOf(error: unknown, context: FailureContext): unknown {
  const { report, options, rowsBefore } = context
  const { signal, atomic } = options
  // Of its own options it is told before the table is known; a later one is of something that the input or a callback has called.
  if (error instanceof OptionError && context.table === undefined && rowsBefore === undefined)
    return error
  const isAborted = signal?.aborted === true && error === signal.reason
  if (isAborted && atomic !== false) return error
  const kept =
    atomic === false
      ? `The first ${report.durableRows} rows of the input are decided and committed, what follows is not written.`
      : 'Nothing was written.'
  if (error instanceof RowRejected) {
    const { cause, rowIndex, row } = error
    const why =
      cause instanceof RowError
        ? withStop(rowErrorText(cause, row, context))
        : `was refused: ${withStop(messageOf(cause, row, context))}`
    const column = columnNamed(cause, context.shaper)
    return new BulkInsertError(`Row ${rowIndex} of the input ${why} ${kept}`, {
      report,
      rowIndex,
      column,
      cause,
    })
  }
  const insert = `The bulk insert into ${JSON.stringify(context.target)}`
  const details = { report, cause: error }
  if (isAborted) return new BulkInsertError(`${insert} was aborted. ${kept}`, details)
  if (rowsBefore !== undefined) {
    const why = withStop(error instanceof Error ? plain(error.message) : String(error))
    return new BulkInsertError(
      `${insert} failed after ${rowsBefore} rows of the input: ${why} ${kept}`,
      details,
    )
  }
  const why = withStop(messageOf(error, undefined, context))
  return new BulkInsertError(`${insert} failed: ${why} ${kept}`, details)
}

/** The column that an error speaks of, as the rows call it. */
export function columnNamed(error: unknown, shaper: RowShaper | undefined): string | undefined {
  const name = columnOf(error)
  return name === undefined ? undefined : (shaper?.keyOf(name) ?? name)
}

function messageOf(error: unknown, row: unknown, context: FailureContext): string {
  if (!(error instanceof Error)) return String(error)
  const { showValues = false } = context.options
  const { category, message } = describeError(error, { includeValues: showValues })
  // What it says of the row's place counts within the batch, and what was written is told after it.
  const text =
    error instanceof KeelsonError || category === 'unknown' ? plain(error.message) : message
  const mayQuote =
    error instanceof KeelsonError ? error instanceof ParameterError : category === 'value'
  if (showValues || !mayQuote) return text
  const columns = context.table?.columns.keys() ?? []
  return withoutValues(text, row, new Set([context.target, ...columns]))
}

/** What an encoder says may repeat the value that it was given. */
function rowErrorText(error: RowError, row: unknown, { options }: FailureContext): string {
  const { code, column, message } = error
  if (options.showValues === true || code !== 'VALUE' || column === undefined) return message
  return withoutBareValues(message, (row as Readonly<Record<string, unknown>>)[column])
}

function plain(message: string): string {
  return message.replace(/^Row \d+, /, '').replace(/ Nothing was written\.$/, '')
}

function withStop(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}
