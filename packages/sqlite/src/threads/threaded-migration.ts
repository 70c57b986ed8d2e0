import { MigrationLock } from '../migration/migration-lock.ts'
import { migrationTimeoutMs } from '../migration/migration-timeout.ts'
import type { Thread } from './thread.ts'
import type { ThreadedEngine } from './threaded-engine.ts'

/** A schema migration on the thread that writes, with foreign keys suspended. */
export class ThreadedMigration {
  readonly #engine: ThreadedEngine
  readonly #thread: Thread
  #lock: Promise<MigrationLock> | undefined
  #unchecked = false
  #failed = false

  static async begin(engine: ThreadedEngine, thread: Thread): Promise<ThreadedMigration> {
    await engine.task(thread, 'pragma foreign_keys = off', 'suspendForeignKeys')
    return new ThreadedMigration(engine, thread)
  }

  private constructor(engine: ThreadedEngine, thread: Thread) {
    this.#engine = engine
    this.#thread = thread
  }

  noteFailure(): void {
    this.#failed = true
  }

  /** @throws {MigrationForeignKeyError} for violations that were not there when the migration began */
  async checkForeignKeys(): Promise<void> {
    await this.#engine.task(this.#thread, 'pragma foreign_key_check', 'checkForeignKeys')
  }

  /** Before a statement outside a transaction, which keeps no second process out: a lock file does. */
  async lock(): Promise<void> {
    this.#unchecked = true
    this.#lock ??= MigrationLock.acquire(this.#engine.path, migrationTimeoutMs)
    await this.#lock
  }

  /** Restores enforcement. @throws {MigrationForeignKeyError} when unchecked statements left violations */
  async end(): Promise<void> {
    // That it could not be had was told to the statement that wanted it.
    const lock = await this.#lock?.catch(() => undefined)
    lock?.release()
    let violations: unknown
    if (this.#unchecked)
      violations = await this.checkForeignKeys().then(
        () => undefined,
        (error: unknown) => error,
      )
    await this.#engine.task(this.#thread, 'pragma foreign_keys = on', 'restoreForeignKeys')
    if (violations === undefined) return
    if (!this.#failed) throw violations
    // The migration may be ending because of that failure, whose error this one must not replace.
    process.emitWarning(violations as Error)
  }
}
