import { TransactionClosedError } from '@keelson/core'
import { SqliteStatementError } from '../errors.ts'

export function beginningError(what: string): SqliteStatementError {
  return new SqliteStatementError(
    'NO_TRANSACTION',
    `${what} before begin() has finished. Await begin() first.`,
  )
}

export function endingError(call: string): TransactionClosedError {
  return new TransactionClosedError(
    `${call} while the transaction is already ending. Await the first call.`,
  )
}

export function releasedError(): TransactionClosedError {
  return new TransactionClosedError(
    'The transaction or connection this handle belongs to has ended. Use the database itself, or begin a new one.',
  )
}
