import { describeError, type ErrorCategory, KeelsonError, ParameterError } from '@keelson/core'
import { RowError } from '../errors.ts'
import { isMarkedDuplicate } from '../method/duckdb-method.ts'
import { isDuplicateComplaint } from '../method/postgres-method.ts'

/** What a row can be to blame for. Everything else would fail for every row: a table that is missing, a full disk. */
export const rowFaults: ReadonlySet<ErrorCategory> = new Set([
  'unique',
  'foreignKey',
  'notNull',
  'check',
  'value',
])

/** Whether an error is of a row, so that the rows beside it may well go in. */
export function isRowFault(error: unknown): boolean {
  if (error instanceof RowError) return true
  if (error instanceof ParameterError) return error.code === 'PARAMETER_TYPE'
  if (error instanceof KeelsonError) return false
  const { category } = describeError(error)
  if (rowFaults.has(category)) return true
  // What a driver refuses to bind has no code: better-sqlite3, DuckDB's client. Nor has what it says once it is closed.
  return (error instanceof TypeError || error instanceof RangeError) && category !== 'connection'
}

/** Whether two rows of one statement have one key, which an engine refuses that takes them as a set. */
export function isDuplicate(error: unknown): boolean {
  return isMarkedDuplicate(error) || isDuplicateComplaint(error)
}

/** The columns an error speaks of, as the database calls them. */
export function columnOf(error: unknown): string | undefined {
  const own = (error as { readonly column?: unknown } | undefined)?.column
  if (typeof own === 'string') return own
  // Of a value that DuckDB's driver does not take the message alone names the column.
  if (error instanceof ParameterError) return /\bcolumn "([^"]+)"/.exec(error.message)?.[1]
  return describeError(error).columns?.[0]
}
