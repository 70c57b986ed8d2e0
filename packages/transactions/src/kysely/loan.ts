import type { QueryExecutor } from 'kysely'
import type { DatabaseConnection } from 'kysely'
import type { Scope } from '../scope/scope.ts'

/**
 * A connection in the hands of one caller of `provideConnection`: a query, `db.transaction()`, `db.connection()`, or the
 * handle that one of these has made.
 */
export class Loan {
  connection: DatabaseConnection | undefined
  /** What the handle belongs to: a transaction, or a savepoint in one. */
  scope: Scope | undefined
  /** Kysely has made a handle of it. */
  isClaimed = false
  /** A transaction has been begun for it, or is being begun. */
  isBeginning = false
  /** It is the handle of a transaction that joined another one, whose failure is that one's. */
  joined: Scope | undefined
  /** The connection is that of a `db.connection()`, which has it until its callback ends. */
  isOfConnection = false
  /** The driver has the connection back, and may have lent it to somebody else. */
  isGivenBack = false
  /** The executor without any handle, from which connections outside can be had. */
  rootExecutor: QueryExecutor | undefined
  /** What hooks have thrown after the commit. */
  hookErrors: readonly unknown[] = []
  /** What failed while it was rolled back. */
  rollbackError: unknown
  /** Whether `provideConnection` waits for it, so that what hooks throw can be thrown there. */
  isAwaited = false
}
