import { type BulkIngestRequest, checkOptionNames, invalidOption } from '@keelson/core'

/** Throws what can be seen to be wrong with a request. */
export function checkIngest(request: BulkIngestRequest): void {
  const where = 'ingest()'
  const names = [
    'table',
    'schema',
    'columns',
    'rows',
    'values',
    'ordinal',
    'statement',
    'parameters',
    'after',
    'signal',
  ]
  checkOptionNames(where, request, names)
  const { columns, rows, values, statement } = request
  if (!Array.isArray(columns) || columns.length === 0)
    invalidOption(where, 'columns', columns, 'an array of at least one name')
  if (values === undefined || rows !== undefined) {
    if (!Array.isArray(rows) || values !== undefined)
      invalidOption(where, 'rows', rows, 'an array of rows, unless there are `values`')
  } else if (!areColumns(values, columns.length))
    invalidOption(where, 'values', values, 'an array of as many values for each column')
  if (typeof statement !== 'function')
    invalidOption(where, 'statement', statement, 'a function that makes the statement')
}

function areColumns(values: unknown, width: number): boolean {
  if (!Array.isArray(values) || values.length !== width) return false
  const [first] = values as readonly unknown[]
  return values.every(
    (items) => Array.isArray(items) && items.length === (first as unknown[]).length,
  )
}

/** A request whose arrays are the driver's own: its `values` are converted in their place. */
export interface OwnIngestRequest extends BulkIngestRequest {
  readonly values?: unknown[][] | undefined
}

/** What is in the arrays now goes in, whatever becomes of them while a request waits. */
export function ownRequest(given: BulkIngestRequest): OwnIngestRequest {
  return {
    ...given,
    rows: given.rows && [...given.rows],
    values: given.values?.map((items) => [...items]),
  }
}

/** How many rows a request has, which is checked. */
export function rowCountOf({ rows, values }: BulkIngestRequest): number {
  return rows === undefined ? values![0]!.length : rows.length
}
