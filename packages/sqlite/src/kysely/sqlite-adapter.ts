import { engineOfAdapter } from '@keelson/core'
import { acquireMigrationLock, releaseMigrationLock } from '@keelson/core/kysely'
import { DialectAdapterBase, type Kysely } from 'kysely'

/** What SQLite can do, told to Kysely, and the migration lock. */
export class SqliteAdapter extends DialectAdapterBase {
  // --isolatedDeclarations lets no member of a class be named by a symbol.
  static {
    Object.defineProperty(this.prototype, engineOfAdapter, { value: 'sqlite' })
  }

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
    await acquireMigrationLock(db)
  }

  /** Turns enforcement back on and lets others write. Does nothing when the lock was not acquired. */
  override async releaseMigrationLock(db: Kysely<any>): Promise<void> {
    await releaseMigrationLock(db)
  }
}
