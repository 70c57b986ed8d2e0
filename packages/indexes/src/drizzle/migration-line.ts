import { type Later, OptionError, type Steps, takeSteps, takeStepsNow } from '@keelson/core'
import { kindOf } from '@keelson/core/drizzle'
import { foreignKeysError, numberOf } from '../migrate/engine/sqlite-settings.ts'
import type { MigrationHost, MigrationLine, MigrationSession } from '../migrate/migration-host.ts'
import { type AnyDatabase, DrizzleHost, sessionOn } from './drizzle-host.ts'
import type { DrizzleDatabase, DrizzleSession, MigratingSession } from './internals.ts'

/** See `MigrationHost`. */
export class DrizzleMigrationHost extends DrizzleHost implements MigrationHost {
  readonly #db: DrizzleDatabase
  readonly #where: string

  constructor(db: AnyDatabase, where: string) {
    super(db, where)
    this.#db = db as unknown as DrizzleDatabase
    this.#where = where
  }

  async connected<R>(fn: (line: MigrationLine) => Promise<R>): Promise<R> {
    // A transaction of MySQL's is a connection: what its statements do is committed by the first CREATE or ALTER.
    if (this.engine === 'mysql') {
      return (await this.#db.transaction((tx) => fn(this.#transactionAsLine(tx)))) as R
    }
    return this.#isOurSqlite ? this.#onOurSqlite(fn) : fn(this.#line())
  }

  get #isOurSqlite(): boolean {
    return kindOf(this.#db.session) === 'KeelsonSqliteSession'
  }

  /** It suspends foreign keys itself, for as long as a transaction of `migration()` takes. */
  async #onOurSqlite<R>(fn: (line: MigrationLine) => Promise<R>): Promise<R> {
    const session = this.#db.session as MigratingSession
    const enforced = (await takeSteps(numberOf(this, 'foreign_keys'))) === 1
    const line: MigrationLine = {
      ...this.#migrationSession(session),
      isPinned: false,
      suspendedForeignKeys: enforced,
      waitsForLock: true,
      giveUp() {},
      outside: (steps) => steps(this.#migrationSession(session)),
      transaction: async <T>(steps: (session: MigrationSession) => Steps<T>): Promise<T> => {
        let result: T
        await session.migration(async (tx) => {
          result = await takeSteps(steps(this.#migrationSession(tx.session)))
        })
        return result!
      },
    }
    const result = await fn(line)
    if (enforced && (await takeSteps(numberOf(this, 'foreign_keys'))) !== 1)
      throw foreignKeysError(true)
    return result
  }

  #line(): MigrationLine {
    const config =
      this.engine === 'postgresql'
        ? // Under a stricter level it would not see what was committed while it waited.
          { isolationLevel: 'read committed' }
        : this.engine === 'sqlite'
          ? { behavior: 'immediate' }
          : undefined
    return {
      ...this.#migrationSession(this.#db.session),
      isPinned: this.#hasOneConnection(),
      suspendedForeignKeys: undefined,
      waitsForLock: false,
      giveUp() {},
      outside: (steps) => steps(this.#migrationSession(this.#db.session)),
      transaction: <T>(steps: (session: MigrationSession) => Steps<T>): Later<T> =>
        this.#db.transaction((tx) => {
          const taken = steps(this.#migrationSession(tx.session))
          return this.isSynchronous ? takeStepsNow(taken, waits) : takeSteps(taken)
        }, config) as Later<T>,
    }
  }

  #transactionAsLine(tx: DrizzleDatabase): MigrationLine {
    const session = this.#migrationSession(tx.session)
    return {
      ...session,
      isPinned: true,
      suspendedForeignKeys: undefined,
      waitsForLock: false,
      giveUp() {},
      outside: (steps) => steps(session),
      transaction: async <T>(steps: (session: MigrationSession) => Steps<T>): Promise<T> => {
        const result = await takeSteps(steps(session))
        await session.run('commit')
        return result
      },
    }
  }

  /** Whether statements on `db` all run on one connection; else a transaction keeps another one. */
  #hasOneConnection(): boolean {
    if (this.engine !== 'postgresql') return true
    const { client } = this.#db.session
    const pool = client as
      | { readonly options?: { readonly max?: unknown }; readonly totalCount?: unknown }
      | undefined
    const kind = kindOf(this.#db.session)
    if (kind === 'PgliteSession') return true
    if (kind === 'NodePgSession' && pool?.totalCount === undefined) return true
    return pool?.options?.max === 1 ? this.#refuseSmallPool() : false
  }

  #refuseSmallPool(): never {
    throw new OptionError(
      'INVALID_OPTION',
      'db',
      `${this.#where} needs two connections on PostgreSQL under Drizzle, and the pool has \`max: 1\`: the lock is kept by ` +
        'one while a migration without a transaction runs on the other. Give it a pool of two, or a `Client`.',
    )
  }

  #migrationSession(session: DrizzleSession): MigrationSession {
    return { ...sessionOn(session, this.engine), handle: undefined }
  }
}

function waits(): Error {
  return new Error('A statement of a synchronous driver has answered with a promise.')
}
