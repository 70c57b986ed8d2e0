import { captureCallSite } from '@keelson/core'
import type { TransactionOptions } from '../options.ts'
import { directFrames } from '../run/call-site-frames.ts'
import { runSyncTransaction, type SyncHost } from '../sync/run-sync-transaction.ts'
import { type SyncDatabase, syncDatabaseFor } from '../sync/sync-database.ts'
import type { SyncLine } from '../sync/sync-line.ts'
import type { SyncScope } from '../sync/sync-scope.ts'
import { BetterSqlite3Line } from './better-sqlite3-line.ts'
import {
  captureHandleClass,
  cloneSession,
  type DrizzleDatabase,
  type DrizzleSession,
  type HandleClass,
  newHandle,
} from './internals.ts'
import { optionsOf } from './transaction-config.ts'

/** What one Drizzle database over better-sqlite3 with `withTransactions()` keeps. */
export class SyncDrizzleTransactions {
  readonly db: DrizzleDatabase
  /** That of the database itself. */
  readonly session: DrizzleSession
  readonly database: SyncDatabase
  readonly defaults: TransactionOptions
  #handleClass: HandleClass | undefined

  constructor(db: DrizzleDatabase, session: DrizzleSession, defaults: TransactionOptions) {
    this.db = db
    this.session = session
    this.defaults = defaults
    this.database = syncDatabaseFor(session.client as object)
  }

  /** The scope of a handle, by its session. */
  scopeOf(session: object): SyncScope | undefined {
    return (session as { readonly [scopeKey]?: SyncScope })[scopeKey]
  }

  /** The handle of a scope, which is on the one connection there is. */
  handle(scope: SyncScope): DrizzleDatabase {
    this.#handleClass ??= captureHandleClass(this.session, { client: stub }) as HandleClass
    const session = cloneSession(this.session, { [scopeKey]: scope })
    const handle = newHandle(this.#handleClass, 'sqlite-sync', session, scope.depth)
    handle.transaction = (fn: (tx: DrizzleDatabase) => unknown, config?: object): unknown =>
      runSyncTransaction(this.hostFor(handle), fn, captureCallSite(directFrames), optionsOf(config))
    return handle
  }

  /** For one call of `transaction()` on a database or handle. */
  hostFor(db: DrizzleDatabase): SyncHost<DrizzleDatabase> {
    const handleScope = this.scopeOf(db.session)
    return {
      database: this.database,
      defaults: this.defaults,
      handleScope,
      // A handle that stands for a transaction would lead back into it.
      plainHandle: handleScope === undefined ? db : this.db,
      line: (): SyncLine => new BetterSqlite3Line(this.session),
      handle: (scope) => this.handle(scope),
    }
  }
}

/** Where the session of a handle keeps its scope. */
const scopeKey = Symbol('scope')

/** Begins nothing, for the driver to make its first handle over. */
const stub = {
  transaction: (fn: (tx: unknown) => unknown): { deferred: typeof fn } => ({ deferred: fn }),
}
