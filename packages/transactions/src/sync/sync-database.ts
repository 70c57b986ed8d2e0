import { AsyncLocalStorage } from 'node:async_hooks'
import { callSite, ConnectionBusyError, excerpt, TransactionClosedError } from '@keelson/core'
import { strayControlError } from '../scope/stray-control.ts'
import type { SyncScope } from './sync-scope.ts'

/** Where a call belongs; the scope outlives its transaction in what was left to run later, so that it can be refused. */
interface SyncContext {
  readonly scope: SyncScope | undefined
}

/** A database whose statements run at once: a transaction is over before anything else can run. */
export class SyncDatabase {
  readonly context: AsyncLocalStorage<SyncContext> = new AsyncLocalStorage()
  /** The transaction that is open. */
  open: SyncScope | undefined

  get scope(): SyncScope | undefined {
    return this.context.getStore()?.scope
  }

  /** Runs `fn` outside every transaction. */
  leave<R>(fn: () => R): R {
    return this.context.run({ scope: undefined }, fn)
  }

  within<R>(scope: SyncScope, fn: () => R): R {
    return this.context.run({ scope }, fn)
  }

  /**
   * The scope of a statement: within the transaction of a handle the context picks it.
   *
   * @param handle the scope of the handle that it was sent through
   */
  scopeFor(handle: SyncScope | undefined): SyncScope | undefined {
    const ambient = this.scope
    if (handle === undefined || ambient === undefined || ambient === handle)
      return handle ?? ambient
    if (ambient.root === handle.root) return ambient
    throw new TransactionClosedError(
      'This handle belongs to another transaction than the one around it, and its statements would run in neither with ' +
        'certainty. Use the handle of the transaction that is open here, or plain `db`. Nothing was sent.',
    )
  }

  /** Runs a statement where it belongs. */
  run<R>(handle: SyncScope | undefined, sql: string, send: () => R): R {
    const scope = this.scopeFor(handle)
    if (scope !== undefined) return scope.run(sql, send)
    if (this.open !== undefined) this.refuseBeside(excerpt(sql))
    // Drizzle's migrator for synchronous drivers sends these as text, and ends them before anybody else can run.
    const stray = migratorCommands.has(sql) ? undefined : strayControlError(sql)
    if (stray !== undefined) throw stray
    return send()
  }

  /** @throws {ConnectionBusyError} while a transaction is open that the caller is not in */
  refuseBeside(what: string): void {
    if (this.open === undefined) return
    const site = callSite(this.open.begun)
    throw new ConnectionBusyError(
      `Cannot run ${what} outside the transaction that is open${site === undefined ? '' : `, begun at ${site}`}: it would ` +
        'run inside it, since there is one connection. Run it in the transaction, or when that has ended. Nothing was sent.',
    )
  }
}

const migratorCommands: ReadonlySet<string> = new Set(['BEGIN', 'COMMIT', 'ROLLBACK'])

const databases = new WeakMap<object, SyncDatabase>()

/** The same for every host on one client. */
export function syncDatabaseFor(client: object): SyncDatabase {
  let database = databases.get(client)
  if (database === undefined) databases.set(client, (database = new SyncDatabase()))
  return database
}
