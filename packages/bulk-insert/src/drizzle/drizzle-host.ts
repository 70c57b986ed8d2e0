import {
  type AmbientTransactions,
  ambientTransactions,
  dooming,
  type EngineTraits,
  KeelsonError,
  type Later,
  type Steps,
  takeSteps,
  takeStepsNow,
  wait,
} from '@keelson/core'
import { kindOf } from '@keelson/core/drizzle'
import type { Host, HostSession } from '../host/host.ts'
import { DrizzleHostSession } from './drizzle-session.ts'
import { engineOf } from './engine-of.ts'
import { checkInternals, type DrizzleDatabase, type DrizzleDialect } from './internals.ts'
import { LibsqlTurns } from './libsql-turns.ts'
import { SyncHostSession } from './sync-session.ts'

/** See `Host`. */
export class DrizzleHost implements Host {
  readonly traits: EngineTraits
  readonly ambient: AmbientTransactions | undefined
  readonly dates: 'local' | 'utc'
  readonly isSynchronous: boolean
  readonly #db: DrizzleDatabase
  readonly #where: string
  readonly #turns: LibsqlTurns | undefined

  constructor(db: DrizzleDatabase, where: string) {
    this.traits = engineOf(db, where)
    const { session } = db
    checkInternals(session)
    this.#db = db
    this.#where = where
    this.ambient = (session.dialect as { readonly [ambientTransactions]?: AmbientTransactions })[
      ambientTransactions
    ]
    this.dates = kindOf(session) === 'NodePgSession' ? 'local' : 'utc'
    this.isSynchronous = kindOf(session) === 'BetterSQLiteSession'
    this.#turns = this.ambient === undefined ? LibsqlTurns.of(session) : undefined
  }

  get dialect(): DrizzleDialect {
    return this.#db.session.dialect
  }

  get isInTransaction(): boolean {
    return this.#db.rollback !== undefined || this.ambient?.isOpen === true
  }

  *atomically<R>(fn: (session: HostSession) => Steps<R>): Steps<R> {
    const { traits, ambient, isInTransaction } = this
    if (this.isSynchronous) return this.#atOnce(fn)
    const hasSavepoints = traits.savepoint !== undefined
    const run = (tx: unknown): Promise<R> => {
      const session = new DrizzleHostSession(tx as DrizzleDatabase, traits, ambient)
      const work = (): Steps<R> => fn(session)
      return takeSteps(isInTransaction && !hasSavepoints ? dooming(session, work) : work())
    }
    if (ambient !== undefined) {
      return yield* wait(ambient.transaction(this.#db, run, hasSavepoints ? 'savepoint' : 'part'))
    }
    if (isInTransaction && !hasSavepoints) return yield* wait(run(this.#db))
    const begin = (): Later<R> => this.#db.transaction(run, this.#config) as Later<R>
    if (isInTransaction || this.#turns === undefined) return yield* wait(begin())
    return yield* wait(this.#turns.take(async () => begin()))
  }

  asCaller<R>(fn: () => R): R {
    return this.#turns === undefined ? fn() : this.#turns.recognize(fn)
  }

  #atOnce<R>(fn: (session: HostSession) => Steps<R>): R {
    const { ambient } = this
    const run = (tx: unknown): R =>
      takeStepsNow(fn(new SyncHostSession((tx as DrizzleDatabase).session)), () => this.#waits())
    if (ambient === undefined) return this.#db.transaction(run, this.#config) as R
    // Of a synchronous database the capability is synchronous, too.
    return ambient.transaction(this.#db, run as never, 'savepoint') as R
  }

  /** SQLite takes the lock when it begins: one that reads first and writes later can fail at once. */
  get #config(): object | undefined {
    const isOutermost = this.traits.engine === 'sqlite' && !this.isInTransaction
    return isOutermost ? { behavior: 'immediate' } : undefined
  }

  #waits(): KeelsonError {
    return new KeelsonError(
      'SYNCHRONOUS_DRIVER',
      `${this.#where}: better-sqlite3 under Drizzle is synchronous, so that a transaction cannot wait for its rows, a ` +
        'validation or a callback: others would write in it meanwhile. Give the rows as an array or an iterable, or with ' +
        '`atomic: false` as they come, and let validation and callbacks answer at once; or use @keelson/sqlite. Nothing was written.',
    )
  }
}
