import { engineOfAdapter } from '@keelson/core'
import { acquireMigrationLock, releaseMigrationLock } from '@keelson/core/kysely'
import { DialectAdapterBase, type Kysely } from 'kysely'

/** What DuckDB can do, told to Kysely, and the migration lock. */
export class DuckDBAdapter extends DialectAdapterBase {
  // --isolatedDeclarations lets no member of a class be named by a symbol.
  static {
    Object.defineProperty(this.prototype, engineOfAdapter, { value: 'duckdb' })
  }

  /** The driver has a pool. */
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
   * Waits until nobody else in this process migrates the database, whichever `Kysely` they do it with. Other processes
   * cannot have its file open meanwhile: DuckDB lets one process write.
   *
   * @throws {MigrationLockTimeoutError} after `migrationLockTimeoutMs`, naming who migrates
   */
  override async acquireMigrationLock(db: Kysely<any>): Promise<void> {
    await acquireMigrationLock(db)
  }

  /** Lets the next one migrate. Does nothing when the lock was not acquired. */
  override async releaseMigrationLock(db: Kysely<any>): Promise<void> {
    await releaseMigrationLock(db)
  }
}
