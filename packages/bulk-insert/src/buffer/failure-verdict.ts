import { describeError, type ErrorCategory, type ErrorDescription } from '@keelson/core'
import { RowError } from '../errors.ts'
import { rowFaults } from '../insert/row-fault.ts'
import { RunAgain } from './outside-host.ts'

/**
 * What a failed batch calls for.
 *
 * - `row`: a row of it is to blame, and the others may well go in
 * - `retry`: the same may work later, and nothing of it is written
 * - `unknown`: it may be written or not
 * - `stop`: it would fail for every row and every time, until somebody does something about it
 */
export type FailureVerdict = 'row' | 'retry' | 'unknown' | 'stop'

const passing: ReadonlySet<ErrorCategory> = new Set([
  'busy',
  'serialization',
  'deadlock',
  'timeout',
  'cancelled',
  'connection',
])
/** No connection is free: PostgreSQL, MySQL, and pools of Keelson. */
const passingCodes: ReadonlySet<string> = new Set([
  '53300',
  'ER_CON_COUNT_ERROR',
  'ER_TOO_MANY_USER_CONNECTIONS',
  'POOL_QUEUE_FULL',
])
const closedCodes: ReadonlySet<string> = new Set(['DATABASE_CLOSED', 'POOL_CLOSED'])

/** @param atCommit whether it came while the transaction was being committed */
export function failureVerdict(error: unknown, atCommit: boolean): FailureVerdict {
  if (error instanceof RowError) return 'row'
  if (error instanceof RunAgain) return 'retry'
  const description = describeError(error)
  if (rowFaults.has(description.category)) return 'row'
  if (atCommit && !isDefinite(description)) return 'unknown'
  const { category, code, engine, retryable } = description
  if (closedCodes.has(String(code))) return 'stop'
  // A database in the process has no connection that could come back: it is closed, or its file cannot be opened.
  if (category === 'connection' && (engine === 'sqlite' || engine === 'duckdb')) return 'stop'
  return retryable || passing.has(category) || passingCodes.has(String(code)) ? 'retry' : 'stop'
}

/** Whether a COMMIT that has failed with it has certainly not worked. */
function isDefinite({ category, engine, sqlState, transactionFate }: ErrorDescription): boolean {
  if (transactionFate === 'rolledBack') return true
  // What is in the process says itself what it did not do. A server has answered, when there is a state.
  if (engine === 'sqlite' || engine === 'duckdb') return true
  return category !== 'connection' && sqlState !== undefined
}
