import { type BulkStatementsRequest, valuesByRow } from '@keelson/core'
import { bindableParameters, bindsAsIs } from '../values/parameters.ts'
import type { ColumnarRows } from '../worker/protocol.ts'

/**
 * Parameters that can be sent to another thread, as they are at this moment.
 *
 * @throws {ParameterError} for a value that SQLite has no type for
 */
export function sendable(parameters: readonly unknown[], sql: string): readonly unknown[] {
  const bindable = bindableParameters(parameters, sql)
  const copy: unknown[] = []
  for (const value of bindable) copy.push(ownCopy(value))
  return copy
}

/** Bytes may be changed by who has bound them while the statement waits to be sent. */
function ownCopy(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? new Uint8Array(value as Uint8Array) : value
}

/** Rows up to the first that cannot be bound; and why not. */
export function sendableRows(request: BulkStatementsRequest): {
  readonly rows: ColumnarRows
  readonly refused: { readonly error: unknown } | undefined
} {
  const { rowsPerStatement, statement, countsUpserts } = request
  const tail = plain(request.tail, request.tail.length)
  // It is bound by each statement.
  let usable = typeof tail === 'number' ? 0 : request.rowCount
  let columns: readonly (Float64Array | readonly unknown[])[]
  for (;;) {
    const sent = request.columns.map((items) => numbers(items, usable) ?? plain(items, usable))
    const refused = sent.filter((items) => typeof items === 'number')
    columns = sent as typeof columns
    if (refused.length === 0) break
    usable = Math.min(...refused)
  }
  // A statement runs as a whole, or was not to be run.
  const rowCount =
    usable === request.rowCount ? usable : Math.floor(usable / rowsPerStatement) * rowsPerStatement
  const left = rowCount % rowsPerStatement
  return {
    rows: {
      full: statement(rowsPerStatement),
      rest: left === 0 ? undefined : statement(left),
      rowsPerStatement,
      rowCount,
      columns,
      tail: typeof tail === 'number' ? [] : tail,
      countsUpserts,
    },
    refused: usable === request.rowCount ? undefined : refusal(request, rowCount),
  }
}

function numbers(items: readonly unknown[], count: number): Float64Array | undefined {
  if (typeof items[0] !== 'number') return undefined
  const values = new Float64Array(count)
  for (let row = 0; row < count; row++) {
    const value = items[row]
    if (typeof value !== 'number' || value !== value) return undefined
    values[row] = value
  }
  return values
}

/**
 * Values that can be bound, and be sent: most often those that there are.
 *
 * @returns the position of the first one that cannot be bound, where there is one
 */
function plain(items: readonly unknown[], count: number): readonly unknown[] | number {
  for (let row = 0; row < count; row++) {
    const value = items[row]
    if (typeof value !== 'string' && value !== null) return converted(items, count)
  }
  return items.length === count ? items : items.slice(0, count)
}

function converted(items: readonly unknown[], count: number): readonly unknown[] | number {
  // Grown by push(), since V8 copies one with holes as an object.
  const values: unknown[] = []
  for (let row = 0; row < count; row++) {
    const value = items[row]
    try {
      values.push(ownCopy(bindsAsIs(value) ? value : bindableParameters([value], '')[0]))
    } catch {
      return row
    }
  }
  return values
}

/** Why the statement for the rows from there on cannot be bound. */
function refusal(
  { columns, rowCount, rowsPerStatement, statement, tail }: BulkStatementsRequest,
  from: number,
): { readonly error: unknown } {
  const count = Math.min(rowsPerStatement, rowCount - from)
  try {
    bindableParameters(valuesByRow(columns, from, from + count, tail), statement(count))
  } catch (error) {
    return { error }
  }
  throw new Error('Rows were refused that can be bound.')
}
