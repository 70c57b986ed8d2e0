import type { BulkStatementsRequest } from '@keelson/core'
import { flat } from '../statement/bulk-run.ts'
import { bindableParameters, bindsAsIs } from '../values/parameters.ts'
import type { ColumnarRows } from '../worker/protocol.ts'
import { copyable } from '../worker/row-encoding.ts'

/**
 * Parameters that can be sent to another thread, as they are at this moment.
 *
 * @throws {ParameterError} for a value that SQLite has no type for
 */
export function sendable(parameters: readonly unknown[], sql: string): readonly unknown[] {
  const bindable = bindableParameters(parameters, sql)
  const copy: unknown[] = []
  for (const value of bindable) copy.push(copyable(value))
  return copy
}

/** Rows by column, up to the first that cannot be bound; and why not. */
export function sendableRows(request: BulkStatementsRequest): {
  readonly rows: ColumnarRows
  readonly refused: { readonly error: unknown } | undefined
} {
  const { rows, rowsPerStatement, statement, tail, countsUpserts } = request
  const width = rows[0]?.length ?? 0
  const columns: (Float64Array | unknown[])[] = []
  let usable = rows.length
  for (let column = 0; column < width; column++) {
    const values = numbers(rows, column, usable) ?? plain(rows, column, usable)
    if (typeof values === 'number') {
      usable = values
      column = -1
      columns.length = 0
    } else columns.push(values)
  }
  // A statement runs as a whole, or was not to be run.
  const rowCount =
    usable === rows.length ? usable : Math.floor(usable / rowsPerStatement) * rowsPerStatement
  const left = rowCount % rowsPerStatement
  return {
    rows: {
      full: statement(rowsPerStatement),
      rest: left === 0 ? undefined : statement(left),
      rowsPerStatement,
      rowCount,
      columns,
      tail: tail.map(copyable),
      countsUpserts,
    },
    refused: usable === rows.length ? undefined : refusal(request, rowCount),
  }
}

function numbers(
  rows: BulkStatementsRequest['rows'],
  column: number,
  count: number,
): Float64Array | undefined {
  const values = new Float64Array(count)
  for (let row = 0; row < count; row++) {
    const value = rows[row]![column]
    if (typeof value !== 'number' || value !== value) return undefined
    values[row] = value
  }
  return values
}

/** @returns the position of the first row with a value that cannot be bound, where there is one */
function plain(
  rows: BulkStatementsRequest['rows'],
  column: number,
  count: number,
): unknown[] | number {
  const values: unknown[] = []
  for (let row = 0; row < count; row++) {
    const value = rows[row]![column]
    if (typeof value === 'string' || value === null) values.push(value)
    else if (bindsAsIs(value)) values.push(copyable(value))
    else {
      try {
        values.push(copyable(bindableParameters([value], '')[0]))
      } catch {
        return row
      }
    }
  }
  return values
}

/** Why the statement for the rows from there on cannot be bound. */
function refusal(
  { rows, rowsPerStatement, statement, tail }: BulkStatementsRequest,
  from: number,
): { readonly error: unknown } {
  const count = Math.min(rowsPerStatement, rows.length - from)
  try {
    flat(rows, from, count, tail, statement(count))
  } catch (error) {
    return { error }
  }
  throw new Error('Rows were refused that can be bound.')
}
