import { MigrationForeignKeyError, SqliteOpenError } from '../errors.ts'
import { retryWhileBusy } from './busy-retry.ts'
import type { InlineEngine } from './inline-engine.ts'
import { MigrationLock } from './migration-lock.ts'

/** How long one migrator waits for another, in milliseconds: they may take long, and there are few of them. */
export const migrationTimeoutMs = 60_000

/**
 * Foreign keys during a schema migration, as https://www.sqlite.org/lang_altertable.html#otheralter asks for: off
 * before the transaction begins, since the setting cannot change inside one and a rebuilt table would delete the rows
 * that refer to it; checked before it commits; back as they were at the end.
 */
export class Migration {
  readonly #engine: InlineEngine
  readonly #enforced: boolean
  readonly #before: ReadonlyMap<string, number>
  #lock: Promise<MigrationLock> | undefined
  #unchecked = false
  #failed = false

  constructor(engine: InlineEngine) {
    this.#engine = engine
    this.#enforced = engine.pluck('pragma foreign_keys') === 1
    this.#before = this.#enforced ? this.#violations() : new Map()
    if (this.#enforced) this.#enforce(false)
  }

  noteFailure(): void {
    this.#failed = true
  }

  /** @throws {MigrationForeignKeyError} for violations that were not there when the migration began */
  checkForeignKeys(): void {
    if (!this.#enforced) return
    const added = [...this.#violations()].filter(
      ([key, rows]) => rows > (this.#before.get(key) ?? 0),
    )
    if (added.length === 0) return
    throw new MigrationForeignKeyError(
      `The migration leaves rows without a parent: ${added.map(([key, rows]) => `${rows} in ${key}`).join('; ')}. ` +
        'Delete or correct these rows in the migration.',
    )
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
    if (!this.#enforced) return
    this.#enforce(true)
    if (!this.#unchecked) return
    try {
      this.checkForeignKeys()
    } catch (error) {
      if (!this.#failed) throw error
      // The migration may be ending because of that failure, whose error this one must not replace.
      process.emitWarning(error as Error)
    }
  }

  #enforce(on: boolean): void {
    this.#engine.control(`pragma foreign_keys = ${on ? 'on' : 'off'}`)
    if ((this.#engine.pluck('pragma foreign_keys') === 1) !== on) {
      throw new SqliteOpenError(
        'OPEN_FAILED',
        `SQLite did not turn foreign-key enforcement ${on ? 'on' : 'off'} for the migration. Close what else uses this connection.`,
      )
    }
  }

  #violations(): Map<string, number> {
    const counts = new Map<string, number>()
    const statement = this.#engine.writer.prepare('pragma foreign_key_check')
    for (const [table, , parent] of statement.as('arrays', false).all() as [
      string,
      unknown,
      string,
    ][]) {
      const key = `"${table}" (parent "${parent}")`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    return counts
  }
}
