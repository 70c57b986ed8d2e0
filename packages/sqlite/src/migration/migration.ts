import { MigrationLock } from './migration-lock.ts'
import { migrationTimeoutMs } from './migration-timeout.ts'

/** A schema migration on the connection that writes, with foreign keys suspended. */
export abstract class Migration {
  #lock: Promise<MigrationLock> | undefined
  #unchecked = false
  #failed = false

  /** @throws {MigrationForeignKeyError} for violations that were not there when the migration began */
  abstract checkForeignKeys(): void | Promise<void>

  /** Restores enforcement; violations can still be checked for. */
  protected abstract restoreForeignKeys(): void | Promise<void>

  noteFailure(): void {
    this.#failed = true
  }

  /**
   * Before a statement outside a transaction, as migrators without transactions run them. Then no transaction keeps a
   * second process out, so a lock file beside the database does.
   *
   * @param path undefined where no second process can have it
   */
  protected async startUnchecked(path: string | undefined): Promise<void> {
    this.#unchecked = true
    if (path === undefined) return
    this.#lock ??= MigrationLock.acquire(path, migrationTimeoutMs)
    await this.#lock
  }

  /** Restores enforcement. @throws {MigrationForeignKeyError} when unchecked statements left violations */
  async end(): Promise<void> {
    // That it could not be had was told to the statement that wanted it.
    const lock = await this.#lock?.catch(() => undefined)
    lock?.release()
    await this.restoreForeignKeys()
    if (!this.#unchecked) return
    try {
      await this.checkForeignKeys()
    } catch (error) {
      if (!this.#failed) throw error
      // The migration may be ending because of that failure, whose error this one must not replace.
      process.emitWarning(error as Error)
    }
  }
}
