import Database from 'better-sqlite3'
import { retryWhileBusy } from '../inline/busy-retry.ts'

/**
 * A lock among processes that the operating system drops when its holder dies: an exclusive transaction on an empty
 * database beside the real one. The file stays, since removing it would let two processes lock two files of one name.
 */
export class MigrationLock {
  readonly #database: Database.Database

  private constructor(database: Database.Database) {
    this.#database = database
  }

  /** @throws the engine's SQLITE_BUSY after `timeoutMs` */
  static async acquire(path: string, timeoutMs: number): Promise<MigrationLock> {
    const database = new Database(`${path}-migration-lock`, { timeout: 0 })
    try {
      await retryWhileBusy(() => database.exec('begin exclusive'), timeoutMs)
      return new MigrationLock(database)
    } catch (error) {
      database.close()
      throw error
    }
  }

  release(): void {
    this.#database.close()
  }
}
