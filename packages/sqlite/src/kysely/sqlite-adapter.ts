import { KeelsonError } from '@keelson/core'
import { DialectAdapterBase, type Kysely } from 'kysely'
import { migrationLock, type MigrationLockable } from './migration-lock.ts'

/** What SQLite can do, told to Kysely, and the migration lock. */
export class SqliteAdapter extends DialectAdapterBase {
  /** The driver lets one transaction write at a time by itself; Kysely's own mutex would make reads wait as well. */
  override get supportsMultipleConnections(): boolean {
    return true
  }

  /** A migration that fails half-way leaves nothing behind. */
  override get supportsTransactionalDdl(): boolean {
    return true
  }

  override get supportsReturning(): boolean {
    return true
  }

  /**
   * Keeps every other writer waiting, in this process and in others, and turns foreign-key enforcement off: a
   * migration may rebuild a table that others refer to. Rows that lost their parent are refused before the commit.
   *
   * @throws {SqliteStatementError} `TRANSACTION_OPEN` when the Migrator was given a transaction while foreign keys are
   * enforced
   */
  override async acquireMigrationLock(db: Kysely<any>): Promise<void> {
    await withLock(db, (lock) => lock.acquire())
  }

  /** Turns enforcement back on and lets others write. Does nothing when the lock was not acquired. */
  override async releaseMigrationLock(db: Kysely<any>): Promise<void> {
    await withLock(db, (lock) => lock.release())
  }
}

function withLock(
  db: Kysely<any>,
  use: (lock: MigrationLockable[typeof migrationLock]) => Promise<void>,
): Promise<void> {
  return db.getExecutor().provideConnection(async (connection) => {
    const lock = (connection as Partial<MigrationLockable>)[migrationLock]
    if (lock === undefined) {
      throw new KeelsonError(
        'FOREIGN_CONNECTION',
        'The migration lock needs the connection that the SQLite driver made, and was given another object. ' +
          'A wrapper around the dialect must pass connections on as they are.',
      )
    }
    await use(lock)
  })
}
