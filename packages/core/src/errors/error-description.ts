import type { EngineName } from '../engine-traits.ts'

/**
 * What went wrong, the same word on every engine.
 *
 * - `unique`: another row has that key already (also an exclusion constraint)
 * - `foreignKey`: a parent row is missing, or a child row is in the way
 * - `notNull`, `check`: the row breaks that constraint; `check` also stands for a trigger or procedure that refused
 * - `value`: a value cannot be converted, is out of range, or is too big for what is to hold it
 * - `syntax`: the statement's words, or the names and types in it, do not fit together
 * - `missingObject`: a table, column, function, savepoint, ... of that name does not exist
 * - `permission`: the engine does not allow it to this user or under its settings
 * - `readOnly`: a write where only reading is possible
 * - `busy`: somebody else holds the lock, or the connection has something else to do
 * - `serialization`, `deadlock`: this transaction lost against another one
 * - `timeout`, `cancelled`: a time limit ended it; somebody ended it
 * - `connection`: the database cannot be reached, or the connection is gone
 * - `resource`: disk, memory, connections or a limit of the engine is used up
 * - `corruption`: what is stored cannot be right, or is not a database
 * - `misuse`: the call or statement does not fit the state (already exists, no transaction, wrong parameter count)
 * - `unknown`: none of these could be told
 */
export type ErrorCategory =
  | 'unique'
  | 'foreignKey'
  | 'notNull'
  | 'check'
  | 'value'
  | 'syntax'
  | 'missingObject'
  | 'permission'
  | 'readOnly'
  | 'busy'
  | 'serialization'
  | 'deadlock'
  | 'timeout'
  | 'cancelled'
  | 'connection'
  | 'resource'
  | 'corruption'
  | 'misuse'
  | 'unknown'

/**
 * What became of the open transaction, if there was one, by the engine's rules.
 *
 * - `kept`: the statement did not start; the transaction is as it was
 * - `statement`: what the statement had done is undone; the transaction goes on
 * - `aborted`: nothing but ROLLBACK is possible any more
 * - `rolledBack`: the transaction is over, nothing of it is kept
 * - `unknown`: the error does not tell; ask the engine
 *
 * The rules are those for statements that do not themselves end transactions. SQLite's `OR ROLLBACK` clause ends
 * the transaction under the same error code, and MySQL has already committed when a `CREATE` or `ALTER` fails.
 */
export type TransactionFate = 'kept' | 'statement' | 'aborted' | 'rolledBack' | 'unknown'

/** An error of any engine in the words that all of them share. */
export interface ErrorDescription {
  /** The engine it comes from; `undefined` when it does not say. */
  readonly engine: EngineName | undefined
  readonly category: ErrorCategory
  /**
   * The engine's own name for it: `SQLITE_CONSTRAINT_UNIQUE` (through every SQLite driver), the SQLSTATE `23505`,
   * `ER_DUP_ENTRY`, DuckDB's exception type `Constraint`; `undefined` for errors that have none.
   */
  readonly code: string | undefined
  readonly sqlState?: string
  /**
   * The name of the broken constraint or unique index. SQLite gives the expression of a CHECK that has no name, and
   * no name for a UNIQUE constraint; DuckDB names none.
   */
  readonly constraint?: string
  /** The table whose row is wrong. */
  readonly table?: string
  /** Columns of `table` that are wrong, where the engine names them beyond doubt. */
  readonly columns?: readonly string[]
  /**
   * Whether running the whole transaction again can succeed: another transaction was in the way, and nothing of
   * this attempt is kept. Reconnecting is not meant by it.
   */
  readonly retryable: boolean
  readonly transactionFate: TransactionFate
  /**
   * What the engine said, without wrappers. The values of keys and rows are replaced by `...` unless
   * `includeValues` is set. An error about converting a value quotes that value all the same.
   */
  readonly message: string
}
