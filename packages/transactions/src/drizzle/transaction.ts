import { TransactionOptionsError } from '../errors.ts'
import { captureCallSite } from '@keelson/core'
import type { TransactionOptions } from '../options.ts'
import { directFrames } from '../run/call-site-frames.ts'
import { currentScope, runRoot } from '../run/run-transaction.ts'
import { scopeInfo, type TransactionScope } from '../run/transaction-scope.ts'
import type { Hook } from '../scope/hooks.ts'
import {
  runSyncRoot,
  runSyncTransaction,
  type SyncTransactionOptions,
} from '../sync/run-sync-transaction.ts'
import { runSyncHook } from '../sync/run-sync-hooks.ts'
import { syncScopeInfo, type SyncTransactionScope } from '../sync/sync-transaction-scope.ts'
import type {
  AnyDatabase,
  AsyncDatabase,
  NotAwaited,
  SyncDrizzleDatabase,
  TransactionOf,
} from './database-type.ts'
import { DrizzleHost, runReady } from './drizzle-host.ts'
import { drizzleSession } from '@keelson/core/drizzle'
import type { DrizzleDatabase, DrizzleSession } from './internals.ts'
import { SyncDrizzleTransactions } from './sync-drizzle-transactions.ts'
import { transactionsOf } from './transactions-of.ts'

/**
 * Runs `fn` in a transaction: commits when it returns, rolls back when it throws, and rethrows the same error. On a
 * synchronous database (better-sqlite3) all of it is done when the call returns, and `fn` cannot be async.
 *
 * @param db a database given to `withTransactions()`, or a handle of one of its transactions
 * @param fn gets the driver's own handle, and what is known of the scope: its depth, its hooks
 * @returns what `fn` returned
 * @throws whatever `fn` throws, the same object; what failed later on the way out is in its `suppressed`
 * @throws {AsyncCallbackError} for an `fn` that is async, or returns a promise
 *
 * @example
 * transaction(db, (tx) => {
 *   tx.update(accounts).set({ balance: 90 }).where(eq(accounts.id, 1)).run()
 *   transaction(db, () => db.insert(audit).values(entry).run())
 * })
 * // begin immediate
 * // update "accounts" set "balance" = ? where "accounts"."id" = ?
 * // savepoint "keelson_1"
 * // insert into "audit" ...
 * // release savepoint "keelson_1"
 * // commit
 */
export function transaction<Db extends SyncDrizzleDatabase, R extends NotAwaited>(
  db: Db,
  fn: (tx: TransactionOf<Db>, scope: SyncTransactionScope) => R,
  options?: SyncTransactionOptions<R>,
): R
/**
 * Runs `fn` in a transaction: commits when it resolves, rolls back when it throws, and rethrows the same error. Inside a
 * transaction it is a savepoint, unless `propagation` says otherwise.
 *
 * Within `fn` plain `db` belongs to the transaction, in every function that is called from there, and `tx` is for
 * functions that take a handle. Branches that run side by side (`Promise.all`) take turns: a nested transaction waits for
 * its siblings, and statements beside it wait for it. Everything must be awaited before `fn` returns.
 *
 * @param db a database given to `withTransactions()`, or a handle of one of its transactions
 * @param fn gets the driver's own handle, and what is known of the scope: its depth, its signal, its hooks
 * @returns what `fn` returned
 * @throws whatever `fn` throws, the same object; what failed later on the way out is in its `suppressed`
 * @throws {TransactionAbortedError} when the engine has rolled back, or will not commit, because of an error that `fn` caught
 * @throws {TransactionClosedError} when `fn` returned with something not awaited; everything is rolled back
 * @throws {TransactionWaitTimeoutError} when a branch waited for another that does not end
 * @throws {CommitOutcomeUnknownError} when the connection was lost during COMMIT
 * @throws {AfterCommitError} when a hook failed after the commit
 * @throws {NotWrappedError} for a `db` without `withTransactions()`
 *
 * @example
 * await transaction(db, async () => {
 *   await db.update(accounts).set({ balance: 90 }).where(eq(accounts.id, 1))
 *   await transaction(db, () => writeAuditLog(db)).catch(report)
 * })
 * // begin
 * // update "accounts" set "balance" = $1 where "accounts"."id" = $2
 * // savepoint "keelson_1"
 * // ...
 * // release savepoint "keelson_1"         or: rollback to savepoint "keelson_1", release savepoint "keelson_1"
 * // commit
 */
export function transaction<Db extends AnyDatabase, R>(
  db: Db & AsyncDatabase<Db>,
  fn: (tx: TransactionOf<Db>, scope: TransactionScope) => Promise<R>,
  options?: TransactionOptions<R>,
): Promise<R>
export function transaction(db: any, fn: any, options?: any): any {
  const begun = captureCallSite(directFrames)
  const found = find(db)
  if (found.sync !== undefined)
    return runSyncTransaction(found.sync.hostFor(found.db), fn, begun, options)
  return runReady(found.host, fn, begun, options)
}

/**
 * Runs `fn` outside the transaction that is open around it, for what must not depend on it. On a pool its queries use
 * another connection.
 *
 * @returns what `fn` returned; a query is sent before that
 * @throws {TransactionDeadlockError} from its queries, where the open transaction holds what they would wait for
 */
export function outside<Db extends SyncDrizzleDatabase, R>(db: Db, fn: (db: Db) => R): R
export function outside<Db extends AnyDatabase, R>(
  db: Db & AsyncDatabase<Db>,
  fn: (db: Db) => PromiseLike<R> | R,
): Promise<R>
export function outside(db: any, fn: any): any {
  const { sync, host } = find(db)
  if (sync !== undefined) return sync.database.leave(() => fn(sync.hostFor(db).plainHandle))
  // Async, since what it returns may be a query, which is sent where it is awaited.
  return host.database.leave(async () => fn(host.plainHandle))
}

/** Whether a statement on `db` would run in a transaction. */
export function inTransaction(db: AnyDatabase): boolean {
  return currentTransaction(db) !== undefined
}

/** The transaction or savepoint that a statement on `db` would run in: its number, depth, age. */
export function currentTransaction<Db extends AnyDatabase>(
  db: Db,
): (Db extends SyncDrizzleDatabase ? SyncTransactionScope : TransactionScope) | undefined {
  const { sync, host, db: handle } = find(db)
  if (sync !== undefined) {
    const scope = sync.database.scopeFor(sync.scopeOf(handle.session))
    return (scope && syncScopeInfo(scope)) as never
  }
  const scope = currentScope(host)
  return (scope && scopeInfo(scope)) as never
}

/**
 * Runs `hook` once the outermost transaction is committed, outside of it; at once where there is none. Hooks run in their
 * order; those of a nested transaction that is rolled back do not.
 *
 * @returns a promise of the hook that ran at once, else of nothing; on a synchronous database nothing
 * @throws {TransactionClosedError} when the transaction has ended
 */
export function afterCommit<Db extends AnyDatabase>(db: Db, hook: Hook): Registered<Db> {
  return addHook(db, 'afterCommit', hook)
}

/** Runs `hook` when the transaction, or the savepoint it is called in, is rolled back; never where there is none. */
export function afterRollback<Db extends AnyDatabase>(db: Db, hook: Hook): Registered<Db> {
  return addHook(db, 'afterRollback', hook)
}

/** Runs `hook` in the transaction just before its COMMIT, which does not come when the hook throws; at once where there is none. */
export function beforeCommit<Db extends AnyDatabase>(db: Db, hook: Hook): Registered<Db> {
  return addHook(db, 'beforeCommit', hook)
}

/** What registering a hook gives: on a synchronous database nothing. */
export type Registered<Db> = Db extends SyncDrizzleDatabase ? void : Promise<void>

/**
 * For tests: runs `fn` in a transaction that is rolled back in the end, whatever happens. Transactions inside it are
 * savepoints that behave as if they were outermost: `durable` is allowed, `retry` works, hooks run.
 *
 * Before the rollback it checks what a commit would have: deferred constraints.
 *
 * @returns what `fn` returned
 */
export function withRollback<Db extends SyncDrizzleDatabase, R extends NotAwaited>(
  db: Db,
  fn: (tx: TransactionOf<Db>, scope: SyncTransactionScope) => R,
): R
export function withRollback<Db extends AnyDatabase, R>(
  db: Db & AsyncDatabase<Db>,
  fn: (tx: TransactionOf<Db>, scope: TransactionScope) => Promise<R>,
): Promise<R>
export function withRollback(db: any, fn: any): any {
  const begun = captureCallSite(directFrames)
  const { sync, host, db: handle } = find(db)
  if (sync !== undefined) {
    if (sync.database.scopeFor(sync.scopeOf(handle.session)) !== undefined) throw notOutermost()
    return runSyncRoot(sync.hostFor(handle), fn, begun, sync.defaults, true)
  }
  return rollBack(host, fn, begun)
}

async function rollBack<R>(
  host: DrizzleHost,
  fn: (tx: any, scope: TransactionScope) => Promise<R>,
  begun: Error,
): Promise<R> {
  if (currentScope(host) !== undefined) throw notOutermost()
  const preparing = host.transactions.driver.prepare()
  if (preparing !== undefined) await preparing
  return runRoot(host, fn, begun, host.defaults, true)
}

function notOutermost(): TransactionOptionsError {
  return new TransactionOptionsError(
    'withRollback',
    'withRollback() inside a transaction could undo only a part of it. Make it the outermost.',
  )
}

function addHook<Db extends AnyDatabase>(
  db: Db,
  kind: 'afterCommit' | 'afterRollback' | 'beforeCommit',
  hook: Hook,
): Registered<Db> {
  if (typeof hook !== 'function')
    throw new TransactionOptionsError(kind, `${kind}() takes a function as its hook.`)
  const { sync, host, db: handle } = find(db)
  if (sync === undefined) return addAsyncHook(host, kind, hook) as Registered<Db>
  const scope = sync.database.scopeFor(sync.scopeOf(handle.session))
  if (scope !== undefined) scope.addHook(kind, hook)
  else if (kind !== 'afterRollback') runSyncHook(hook)
  return undefined as Registered<Db>
}

async function addAsyncHook(
  host: DrizzleHost,
  kind: 'afterCommit' | 'afterRollback' | 'beforeCommit',
  hook: Hook,
): Promise<void> {
  const scope = currentScope(host)
  if (scope !== undefined) scope.addHook(kind, hook)
  else if (kind !== 'afterRollback') await hook()
}

type Found = { readonly db: DrizzleDatabase } & (
  | { readonly sync: SyncDrizzleTransactions; readonly host: undefined }
  | { readonly sync: undefined; readonly host: DrizzleHost }
)

function find(db: unknown): Found {
  const transactions = transactionsOf(db)
  const database = db as DrizzleDatabase
  if (transactions instanceof SyncDrizzleTransactions)
    return { db: database, sync: transactions, host: undefined }
  const session = drizzleSession<DrizzleSession>(db)!
  return { db: database, sync: undefined, host: new DrizzleHost(transactions, session, database) }
}
