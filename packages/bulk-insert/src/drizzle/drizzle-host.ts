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
import { type Place, Turns, withinTransaction } from '../host/turns.ts'
import { DrizzleHostSession } from './drizzle-session.ts'
import { engineOf } from './engine-of.ts'
import {
  checkInternals,
  type DrizzleDatabase,
  type DrizzleDialect,
  type DrizzleSession,
} from './internals.ts'
import { SyncHostSession } from './sync-session.ts'

/** See `Host`. */
export class DrizzleHost implements Host {
  readonly traits: EngineTraits
  readonly ambient: AmbientTransactions | undefined
  readonly dates: 'local' | 'utc'
  readonly isSynchronous: boolean
  readonly #db: DrizzleDatabase
  readonly #where: string
  readonly #turns: Turns

  constructor(db: DrizzleDatabase, where: string) {
    this.traits = engineOf(db, where)
    const { session } = db
    checkInternals(session)
    this.#db = db
    this.#turns = new Turns(where)
    this.#where = where
    this.ambient = (session.dialect as { readonly [ambientTransactions]?: AmbientTransactions })[
      ambientTransactions
    ]
    this.dates = kindOf(session) === 'NodePgSession' ? 'local' : 'utc'
    this.isSynchronous = kindOf(session) === 'BetterSQLiteSession'
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
    const place = this.#turnsOn
    return yield* wait(place === undefined ? begin() : this.#turns.take(place, async () => begin()))
  }

  asCaller<R>(fn: () => R): R {
    return this.#turns.recognize(fn)
  }

  /** What has room for one transaction, or savepoint, of its own at a time, without making the others wait. */
  get #turnsOn(): Place | undefined {
    const { session } = this.#db
    if (!this.isInTransaction) return fileOfLibsql(session)
    return withinTransaction((session.tx ?? session.client ?? session) as object)
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

/**
 * A client of libsql begins each transaction on a connection of its own, and SQLite, which lets one write, refuses the
 * others at once. Nor is that all: `@libsql/client` 0.18.0 does not reset the statement that was refused, so that its
 * connection keeps the file locked from its next read on, outside of WAL mode for every other one. A server has turns of its
 * own. https://docs.turso.tech/sdk/ts/reference
 */
function fileOfLibsql(session: DrizzleSession): Place | undefined {
  if (kindOf(session) !== 'LibSQLSession') return undefined
  const client = session.client as { readonly protocol: string }
  if (client.protocol !== 'file') return undefined
  return {
    of: client,
    why: 'in the one transaction that SQLite lets write, so that each would wait for the other',
  }
}
