import { excerpt } from '@keelson/core/base'
import { SqliteStatementError } from '../errors.ts'
import { type PreparedStatement } from './prepared-statement.ts'
import { isPragma, pragmaAssignment } from './verb.ts'

/**
 * Refuses text that would begin or end a transaction behind the driver's back, and a setting that SQLite ignores
 * inside one.
 *
 * @throws {SqliteStatementError} `TRANSACTION_CONTROL`, `FOREIGN_KEYS_PRAGMA`
 */
export function refuseControl(statement: PreparedStatement, inTransaction: boolean): void {
  const { verb, sql } = statement
  if (verb === 'begin' || verb === 'commit' || verb === 'rollback') {
    throw new SqliteStatementError(
      'TRANSACTION_CONTROL',
      `${excerpt(sql)} as plain SQL would begin or end a transaction behind the driver's back. ` +
        'Use the transaction API of the database, Kysely or Drizzle.',
    )
  }
  if (!inTransaction && (verb === 'savepoint' || verb === 'release' || verb === 'rollback to')) {
    throw new SqliteStatementError(
      'TRANSACTION_CONTROL',
      `${excerpt(sql)} outside a transaction. Begin one first.`,
    )
  }
  if (inTransaction && verb === 'pragma' && setsForeignKeys(sql)) {
    throw new SqliteStatementError(
      'FOREIGN_KEYS_PRAGMA',
      `${excerpt(sql)} has no effect inside a transaction (https://www.sqlite.org/pragma.html#pragma_foreign_keys). ` +
        'Run it outside, or use the migrator, which turns enforcement off and checks before it commits.',
    )
  }
}

/** `PRAGMA foreign_keys = ...`; merely reading it is no setting. */
export function setsForeignKeys(sql: string): boolean {
  if (!isPragma(sql)) return false
  const pragma = pragmaAssignment(sql)
  return pragma?.name === 'foreign_keys' && pragma.value !== undefined
}
