import {
  type AmbientTransactions,
  ambientTransactions,
  dooming,
  type EngineName,
  type EngineTraits,
  engineTraits,
  KeelsonError,
  type Later,
  OptionError,
  type Steps,
  takeSteps,
  takeStepsNow,
  wait,
} from '@keelson/core'
import { drizzleSession, engineNameOfDatabase, kindOf } from '@keelson/core/drizzle'
import type { Host, HostSession, PinnedHost, Row } from '../host/host.ts'
import { withoutForeignKeys } from '../host/without-foreign-keys.ts'
import { checkInternals, type DrizzleDatabase, type DrizzleSession } from './internals.ts'
import { hasOneConnection, ownConnection } from './own-connection.ts'
import { sessionOn } from './session-on.ts'

/** A Drizzle database, or the handle of one of its transactions. */
export interface AnyDatabase {
  transaction(fn: (tx: any) => any, config?: any): any
}

/** See `Host`. */
export class DrizzleHost implements Host {
  readonly engine: EngineName
  readonly traits: EngineTraits
  readonly identity: object
  readonly isSynchronous: boolean
  readonly #db: DrizzleDatabase
  readonly #where: string
  readonly #ambient: AmbientTransactions | undefined

  /** @throws {OptionError} for anything that drizzle() has not returned */
  constructor(db: AnyDatabase, where: string) {
    const session = drizzleSession<DrizzleSession>(db)
    const engine = engineNameOfDatabase(db)
    if (session === undefined || engine === undefined) {
      throw new OptionError(
        'INVALID_OPTION',
        'db',
        `${where} takes what drizzle() has returned for SQLite, PostgreSQL, MySQL or DuckDB, or a transaction of it. ` +
          'For Kysely import it from @keelson/indexes/kysely.',
      )
    }
    checkInternals(session)
    this.#db = db as unknown as DrizzleDatabase
    this.#where = where
    this.#ambient = (session.dialect as { readonly [ambientTransactions]?: AmbientTransactions })[
      ambientTransactions
    ]
    this.engine = engine
    this.traits = engineTraits[engine]
    this.identity = session.dialect
    this.isSynchronous = kindOf(session) === 'BetterSQLiteSession'
  }

  get isInTransaction(): boolean {
    return this.#db.rollback !== undefined || this.#ambient?.isOpen === true
  }

  query(sql: string, parameters: readonly unknown[] = []): Later<readonly Row[]> {
    return sessionOn(this.#db.session, this.engine).query(sql, parameters)
  }

  run(sql: string, parameters: readonly unknown[] = []): Later<unknown> {
    return sessionOn(this.#db.session, this.engine).run(sql, parameters)
  }

  *atomically<R>(fn: (session: HostSession) => Steps<R>): Steps<R> {
    const ambient = this.#ambient
    const run = (tx: unknown): Later<R> => {
      const steps = fn(sessionOn((tx as DrizzleDatabase).session, this.engine))
      return this.isSynchronous ? takeStepsNow(steps, () => this.#waits()) : takeSteps(steps)
    }
    const hasSavepoints = this.traits.savepoint !== undefined
    if (ambient !== undefined) {
      // Of a synchronous database the capability is synchronous, too.
      const inside = hasSavepoints ? 'savepoint' : 'part'
      return yield* wait(ambient.transaction(this.#db, run as () => Promise<R>, inside))
    }
    if (this.isInTransaction && !hasSavepoints) return yield* dooming(this, () => fn(this))
    return yield* wait(this.#db.transaction(run, this.#config) as Later<R>)
  }

  *atomicallyWithoutForeignKeys<R>(fn: (session: HostSession) => Steps<R>): Steps<R> {
    const { session } = this.#db
    if (session.migration === undefined) return yield* withoutForeignKeys(this, this.#where, fn)
    let result!: R
    const run = async (tx: DrizzleDatabase): Promise<void> => {
      result = await takeSteps(fn(sessionOn(tx.session, this.engine)))
    }
    yield* wait(session.migration(run))
    return result
  }

  *onConnection<R>(fn: (pinned: PinnedHost) => Steps<R>): Steps<R> {
    // Those of SQLite and DuckDB have one connection that writes, whoever asks.
    if (this.engine !== 'postgresql' || hasOneConnection(this.#db.session)) return yield* fn(this)
    return yield* wait(this.#onOwnConnection(fn))
  }

  async #onOwnConnection<R>(fn: (pinned: PinnedHost) => Steps<R>): Promise<R> {
    const own = await ownConnection(this.#db.session, this.identity)
    if (own === undefined) {
      throw new KeelsonError(
        'NO_OWN_CONNECTION',
        `${this.#where} needs a connection of its own, and this driver of Drizzle sends each statement by itself. ` +
          'Use one with connections, such as node-postgres. Nothing was sent.',
      )
    }
    try {
      return await takeSteps(fn(own))
    } finally {
      await own.release()
    }
  }

  /** SQLite takes the lock when it begins: one that reads first and writes later can fail at once. */
  get #config(): object | undefined {
    const isOutermost = this.engine === 'sqlite' && !this.isInTransaction
    return isOutermost ? { behavior: 'immediate' } : undefined
  }

  #waits(): KeelsonError {
    return new KeelsonError(
      'SYNCHRONOUS_DRIVER',
      `${this.#where}: better-sqlite3 under Drizzle is synchronous, so that a transaction cannot wait. ` +
        'Use @keelson/sqlite. Nothing was written.',
    )
  }
}
