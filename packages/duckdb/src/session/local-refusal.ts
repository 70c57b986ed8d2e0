import { ConnectionBusyError, ParameterError, SavepointsNotSupportedError } from '@keelson/core'
import { DuckDBStatementError } from '../errors.ts'

/** Whether an error was made here, before anything was sent to DuckDB, so that its transaction is as it was. */
export function leavesTransactionOpen(error: unknown): boolean {
  return (
    error instanceof ParameterError ||
    error instanceof DuckDBStatementError ||
    error instanceof SavepointsNotSupportedError ||
    error instanceof ConnectionBusyError
  )
}
