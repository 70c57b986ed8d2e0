import type { ConnectionMigrationLock } from '@keelson/core/kysely'
import type { SqliteSession } from '../contract.ts'
import { SqliteStatementError } from '../errors.ts'

/** What the lock needs of the transaction that an early Kysely takes it in. */
export interface LockedTransaction {
  /** No statement has run since it began. */
  readonly isUntouched: boolean
  begin(): Promise<void>
  rollback(): Promise<void>
}

/**
 * Kysely's migration lock on one connection: nobody else writes, and foreign keys are not enforced but checked before
 * each commit, from acquire to release.
 *
 * Enforcement cannot change inside a transaction. Kysely takes the lock before it begins one since 0.29.3; before, it
 * took the lock in the transaction it had just begun, so that transaction is begun anew.
 */
export class MigrationLock implements ConnectionMigrationLock {
  readonly #session: SqliteSession
  readonly #transaction: LockedTransaction
  #isHeld = false

  constructor(session: SqliteSession, transaction: LockedTransaction) {
    this.#session = session
    this.#transaction = transaction
  }

  get isHeld(): boolean {
    return this.#isHeld
  }

  async acquire(): Promise<void> {
    if (!this.#session.inTransaction) return this.#begin()
    if (this.#transaction.isUntouched) {
      await this.#transaction.rollback()
      await this.#begin()
      return this.#transaction.begin()
    }
    const { rows } = await this.#session.execute<{ enforced: number }>(
      'select foreign_keys as enforced from pragma_foreign_keys',
    )
    if (Number(rows[0]?.enforced) === 0) return
    throw new SqliteStatementError(
      'TRANSACTION_OPEN',
      'The Migrator was given a transaction. SQLite cannot turn foreign-key enforcement off inside one, and while it ' +
        'is on, a migration that rebuilds a table deletes the rows that refer to it. Give the Migrator the Kysely ' +
        'instance: it runs all migrations in one transaction of its own.',
    )
  }

  async release(): Promise<void> {
    // The commit is still to come; the migration then ends with the connection's release, which follows at once.
    if (this.#session.inTransaction) return
    this.#isHeld = false
    await this.#session.endMigration()
  }

  async #begin(): Promise<void> {
    await this.#session.beginMigration()
    this.#isHeld = true
  }
}
