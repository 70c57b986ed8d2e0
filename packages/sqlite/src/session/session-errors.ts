/** What the calls of a session are refused with, in either mode. */
import {
  ConnectionBusyError,
  excerpt,
  TransactionAbortedError,
  TransactionClosedError,
} from '@keelson/core'
import { SqliteStatementError } from '../errors.ts'

export function beginningError(what: string): SqliteStatementError {
  return new SqliteStatementError(
    'NO_TRANSACTION',
    `${what} before begin() has finished. Await begin() first.`,
  )
}

export function nestedBeginError(): SqliteStatementError {
  return new SqliteStatementError(
    'TRANSACTION_OPEN',
    'begin() inside an open transaction: SQLite has one level. Use savepoint() to nest.',
  )
}

export function noTransactionError(call: string): SqliteStatementError {
  return new SqliteStatementError(
    'NO_TRANSACTION',
    `${call} without an open transaction. Call begin() first.`,
  )
}

export function savepointOutsideError(sql: string): SqliteStatementError {
  return new SqliteStatementError(
    'NO_TRANSACTION',
    `${excerpt(sql)} outside a transaction. Call begin() first.`,
  )
}

export function bulkOutsideError(): SqliteStatementError {
  return new SqliteStatementError(
    'NO_TRANSACTION',
    'Rows in bulk outside a transaction. Call begin() first.',
  )
}

export function migrationInsideError(): SqliteStatementError {
  return new SqliteStatementError(
    'TRANSACTION_OPEN',
    'A migration was started inside an open transaction, where foreign-key enforcement can no longer be turned ' +
      'off and rebuilding a table would delete the rows that refer to it. Start it outside the transaction.',
  )
}

export function secondMigrationError(): SqliteStatementError {
  return new SqliteStatementError(
    'TRANSACTION_OPEN',
    'A migration has been started on this session already. End it first.',
  )
}

export function streamOpenError(sql: string, streamed: string): ConnectionBusyError {
  return new ConnectionBusyError(
    `Cannot run ${excerpt(sql)} while a stream of the same transaction is open: ${excerpt(streamed)}. ` +
      'Read the stream to its end, leave its loop, or collect what you need first.',
  )
}

/** @param why what has ended it */
export function streamEndedError(why: string): TransactionClosedError {
  return new TransactionClosedError(`${why} End the loop over it first.`)
}

export function lateStatementError(sql: string): TransactionClosedError {
  return new TransactionClosedError(
    `Cannot run ${excerpt(sql)}: its transaction is being committed or rolled back. ` +
      'Await every statement before the transaction ends.',
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

export function closedMeanwhileError(cause: unknown): TransactionAbortedError {
  return new TransactionAbortedError(
    'The database was closed while the transaction was open, which rolled it back. Nothing of it was kept.',
    { cause },
  )
}

/** @param first the error because of which SQLite has done so, where it is known */
export function rolledBackError(
  first: { readonly error: unknown } | undefined,
): TransactionAbortedError {
  return new TransactionAbortedError(
    'SQLite has rolled this transaction back because of an earlier error, which is the cause of this one. ' +
      'Nothing of it was kept, and nothing more can be done in it: begin a new one.',
    first && { cause: first.error },
  )
}
