import { type Holder, KeelsonError } from '@keelson/core'
import type { ConnectionMigrationLock } from '@keelson/core/kysely'
import type { DuckDBDatabase } from '../database.ts'
import { turnsOf } from '../turns/database-turns.ts'
import type { Turn } from '../turns/turn.ts'

/** Another `Migrator` had the migration lock for longer than `migrationLockTimeoutMs`. Nothing was migrated. */
export class MigrationLockTimeoutError extends KeelsonError {
  declare readonly code: 'MIGRATION_LOCK_TIMEOUT'

  constructor(message: string, options?: ErrorOptions) {
    super('MIGRATION_LOCK_TIMEOUT', message, options)
  }
}

/** What the lock needs of the connection that it is taken on. */
export interface LockedConnection {
  readonly inTransaction: boolean
  /** No statement has run since the transaction began. */
  readonly isUntouched: boolean
  /** Ends the transaction and begins another one like it. */
  beginAnew(): Promise<void>
}

/**
 * Kysely's migration lock on one connection: nobody else migrates the database from acquire to release.
 *
 * DuckDB has no lock to wait for; two transactions that change the same conflict. One process at a time has a database
 * open for writing, so the lock is one in this process.
 */
export class MigrationLock implements ConnectionMigrationLock {
  readonly #database: DuckDBDatabase
  readonly #connection: LockedConnection
  readonly #timeoutMs: number
  #turn: Turn<Holder> | undefined
  #holder: Holder | undefined
  #isReleasedByCommit = false

  constructor(database: DuckDBDatabase, connection: LockedConnection, timeoutMs: number) {
    this.#database = database
    this.#connection = connection
    this.#timeoutMs = timeoutMs
  }

  async acquire(holder: Holder): Promise<void> {
    const { migration } = await turnsOf(this.#database)
    const isTaken = await migration.take(holder, this.#timeoutMs)
    if (!isTaken) throw this.#timeoutError(migration.holder)
    holder.since = performance.now()
    this.#holder = holder
    this.#turn = migration
    // Kysely before 0.29.3 takes the lock in the transaction it has just begun, which may not see what the last holder
    // has committed.
    if (this.#connection.inTransaction && this.#connection.isUntouched)
      await this.#connection.beginAnew()
  }

  async release(): Promise<void> {
    // The commit is still to come, and before it nobody else sees what was migrated.
    if (this.#connection.inTransaction) this.#isReleasedByCommit = true
    else this.free()
  }

  /** To be called when the connection's transaction has ended. */
  transactionEnded(): void {
    if (this.#isReleasedByCommit) this.free()
  }

  /** To be called with each statement on the connection, which the others in the line are told. */
  ran(sql: string): void {
    if (this.#holder !== undefined) this.#holder.lastSql = sql
  }

  /** To be called at the latest when the connection is released. */
  free(): void {
    const turn = this.#turn
    this.#turn = undefined
    this.#holder = undefined
    this.#isReleasedByCommit = false
    turn?.pass()
  }

  #timeoutError(holder: Holder | undefined): MigrationLockTimeoutError {
    return new MigrationLockTimeoutError(
      `Gave up after ${this.#timeoutMs} ms (migrationLockTimeoutMs) of waiting to migrate ${this.#database.path}: ` +
        `it is being migrated by ${holder?.describe() ?? 'somebody else'}. ` +
        'Let that end first; where it takes that long, give new DuckDBDialect() a longer `migrationLockTimeoutMs`.',
    )
  }
}
