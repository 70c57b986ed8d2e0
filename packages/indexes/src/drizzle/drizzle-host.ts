import {
  type AmbientTransactions,
  ambientTransactions,
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
import { engineNameOfDatabase, kindOf, rowsOf } from '@keelson/core/drizzle'
import type { Host, HostSession, Row } from '../host/host.ts'
import { withoutForeignKeys } from '../host/without-foreign-keys.ts'
import {
  checkInternals,
  type DrizzleDatabase,
  drizzleSession,
  type DrizzleSession,
  type Prepared,
} from './internals.ts'
import { ownConnection } from './own-connection.ts'

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
    const session = drizzleSession(db)
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
    if (this.isInTransaction && !hasSavepoints) return yield* wait(run(this.#db))
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

  *onConnection<R>(fn: (host: Host) => Steps<R>): Steps<R> {
    // They have one connection that writes, whoever asks.
    if (this.engine === 'sqlite' || this.engine === 'duckdb') return yield* fn(this)
    return yield* wait(this.#onOwnConnection(fn))
  }

  async #onOwnConnection<R>(fn: (host: Host) => Steps<R>): Promise<R> {
    const own = await ownConnection(this.#db)
    if (own === undefined) {
      throw new KeelsonError(
        'NO_OWN_CONNECTION',
        `${this.#where} needs a connection of its own, and this driver of Drizzle sends each statement by itself. ` +
          'Use one with connections, such as node-postgres. Nothing was sent.',
      )
    }
    try {
      return await takeSteps(fn(new DrizzleHost(own.db, this.#where)))
    } finally {
      await own.release()
    }
  }

  outside<R>(fn: () => R): R {
    return this.#ambient === undefined ? fn() : this.#ambient.leave(fn)
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

/** Statements on a session of Drizzle's. */
export function sessionOn(session: DrizzleSession, engine: EngineName): HostSession {
  const prepare = (sql: string, params: readonly unknown[], method: 'all' | 'run'): Prepared =>
    engine === 'sqlite'
      ? session.prepareQuery({ sql, params }, undefined, method, false)
      : session.prepareQuery({ sql, params }, undefined, undefined, false)
  return {
    query: (sql, params = []) => {
      const prepared = prepare(sql, params, 'all')
      const found = prepared.all === undefined ? prepared.execute() : prepared.all()
      return found instanceof Promise ? found.then(rowsOf) : rowsOf(found)
    },
    run: (sql, params = []) => {
      const prepared = prepare(sql, params, 'run')
      return prepared.run === undefined ? prepared.execute() : prepared.run()
    },
  }
}
