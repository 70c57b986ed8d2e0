import { retryWhileBusy } from './busy-retry.ts'
import { ForeignKeySuspension } from '../migration/foreign-key-suspension.ts'
import type { InlineEngine } from './inline-engine.ts'
import { migrationTimeoutMs } from '../migration/migration-timeout.ts'
import { MigrationLock } from '../migration/migration-lock.ts'

/** A schema migration on the connection that writes, with foreign keys suspended. */
export class InlineMigration {
  readonly #engine: InlineEngine
  readonly #foreignKeys: ForeignKeySuspension
  #lock: Promise<MigrationLock> | undefined
  #unchecked = false
  #failed = false

  constructor(engine: InlineEngine) {
    this.#engine = engine
    engine.snapshot?.endAll()
    this.#foreignKeys = new ForeignKeySuspension(engine.writer)
  }

  noteFailure(): void {
    this.#failed = true
  }

  /** @throws {MigrationForeignKeyError} for violations that were not there when the migration began */
  checkForeignKeys(): void {
    this.#foreignKeys.check()
  }

  /**
   * Runs a statement outside a transaction, as migrators without transactions do. Then no transaction keeps a second
   * process out, so a lock file beside the database does.
   */
  async autocommit<T>(run: () => T): Promise<T> {
    this.#unchecked = true
    if (this.#engine.readers !== undefined) {
      this.#lock ??= MigrationLock.acquire(this.#engine.path, migrationTimeoutMs)
      await this.#lock
    }
    return retryWhileBusy(run, migrationTimeoutMs)
  }

  /** Restores enforcement. @throws {MigrationForeignKeyError} when unchecked statements left violations */
  async end(): Promise<void> {
    // That it could not be had was told to the statement that wanted it.
    const lock = await this.#lock?.catch(() => undefined)
    lock?.release()
    this.#engine.snapshot?.endAll()
    this.#foreignKeys.end()
    if (!this.#unchecked) return
    try {
      this.checkForeignKeys()
    } catch (error) {
      if (!this.#failed) throw error
      // The migration may be ending because of that failure, whose error this one must not replace.
      process.emitWarning(error as Error)
    }
  }
}
