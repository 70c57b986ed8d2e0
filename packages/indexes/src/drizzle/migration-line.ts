import { type Later, type Steps, takeSteps, takeStepsNow } from '@keelson/core'
import { kindOf } from '@keelson/core/drizzle'
import { engines } from '../migrate/engine/engines.ts'
import { numberOf, restoring } from '../migrate/engine/sqlite-settings.ts'
import type { MigrationHost, MigrationLine, MigrationSession } from '../migrate/migration-host.ts'
import { type AnyDatabase, DrizzleHost } from './drizzle-host.ts'
import type { DrizzleDatabase, DrizzleSession, MigratingSession } from './internals.ts'
import { hasOneConnection } from './own-connection.ts'
import { sessionOn } from './session-on.ts'

/** See `MigrationHost`. */
export class DrizzleMigrationHost extends DrizzleHost implements MigrationHost {
  readonly #db: DrizzleDatabase

  constructor(db: AnyDatabase, where: string) {
    super(db, where)
    this.#db = db as unknown as DrizzleDatabase
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
    return restoring(this, enforced, () => fn(line))
  }

  #line(): MigrationLine {
    const { isolationLevel } = engines[this.engine]
    const behavior = this.traits.begin.behavior && 'immediate'
    const config = isolationLevel === undefined ? behavior && { behavior } : { isolationLevel }
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
    const { session } = this.#db
    const pool = session.client as { readonly options?: { readonly max?: unknown } } | undefined
    return hasOneConnection(session) || pool?.options?.max === 1
  }

  #migrationSession(session: DrizzleSession): MigrationSession {
    return { ...sessionOn(session, this.engine), handle: undefined }
  }
}

function waits(): Error {
  return new Error('A statement of a synchronous driver has answered with a promise.')
}
