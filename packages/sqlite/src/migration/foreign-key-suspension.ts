import { MigrationForeignKeyError, SqliteOpenError } from '../errors.ts'
import type { StatementEngine } from '../statement/statement-engine.ts'

/**
 * Foreign keys during a schema migration, as https://www.sqlite.org/lang_altertable.html#otheralter asks for: off
 * before the transaction begins, since the setting cannot change inside one and a rebuilt table would delete the rows
 * that refer to it; checked before it commits; back as they were at the end.
 */
export class ForeignKeySuspension {
  readonly #connection: StatementEngine
  readonly #enforced: boolean
  readonly #before: ReadonlyMap<string, number>

  constructor(connection: StatementEngine) {
    this.#connection = connection
    this.#enforced = this.#isEnforced
    this.#before = this.#enforced ? this.#violations() : new Map()
    if (this.#enforced) this.#enforce(false)
  }

  /** @throws {MigrationForeignKeyError} for violations that were not there when the migration began */
  check(): void {
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

  /** Restores enforcement. */
  end(): void {
    if (this.#enforced) this.#enforce(true)
  }

  get #isEnforced(): boolean {
    return this.#connection.database.pragma('foreign_keys', { simple: true }) === 1
  }

  #enforce(on: boolean): void {
    this.#connection
      .prepare(`pragma foreign_keys = ${on ? 'on' : 'off'}`)
      .forRun()
      .run()
    if (this.#isEnforced === on) return
    throw new SqliteOpenError(
      'OPEN_FAILED',
      `SQLite did not turn foreign-key enforcement ${on ? 'on' : 'off'} for the migration. Close what else uses this connection.`,
    )
  }

  #violations(): Map<string, number> {
    const counts = new Map<string, number>()
    const statement = this.#connection.prepare('pragma foreign_key_check')
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
