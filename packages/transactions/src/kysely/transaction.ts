import { captureCallSite } from '@keelson/core'
import { instanceOf } from '@keelson/core/kysely'
import { type ControlledTransaction, Kysely, type QueryExecutor, Transaction } from 'kysely'
import { TransactionOptionsError } from '../errors.ts'
import type { TransactionOptions } from '../options.ts'
import { acquireTimeoutError } from '../run/acquire-timeout-error.ts'
import { directFrames } from '../run/call-site-frames.ts'
import {
  type AcquireOptions,
  currentScope,
  type Host,
  runRoot,
  runTransaction,
} from '../run/run-transaction.ts'
import { scopeInfo, type TransactionScope } from '../run/transaction-scope.ts'
import type { Hook } from '../scope/hooks.ts'
import type { Line } from '../scope/line.ts'
import type { Scope } from '../scope/scope.ts'
import { KyselyLine } from './kysely-line.ts'
import { type KyselyTransactions, transactionsOf } from './kysely-transactions.ts'
import { Loan } from './loan.ts'
import { LoanProbe, ScopeProvider } from './transaction-route.ts'

/**
 * A database, or a handle of one of its transactions. Each class is named, because TypeScript infers `DB` from the class
 * itself and not reliably from one that it extends.
 */
export type Database<DB> = Kysely<DB> | Transaction<DB> | ControlledTransaction<DB, any>

/**
 * Runs `fn` in a transaction: commits when it resolves, rolls back when it throws, and rethrows the same error. Inside a
 * transaction it is a savepoint, unless `propagation` says otherwise.
 *
 * Within `fn` plain `db` belongs to the transaction, in every function that is called from there, and `tx` is for
 * functions that take a handle. Branches that run side by side (`Promise.all`) take turns: a nested transaction waits for
 * its siblings, and statements beside it wait for it. Everything must be awaited before `fn` returns.
 *
 * @param db a `Kysely` whose dialect was given to `withTransactions()`, or a handle of one of its transactions
 * @param fn gets Kysely's own `Transaction`, and what is known of the scope: its depth, its signal, its hooks
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
 *   await db.updateTable('account').set({ balance: 90 }).where('id', '=', 1).execute()
 *   await transaction(db, () => writeAuditLog(db)).catch(report)
 * })
 * // begin
 * // update "account" set "balance" = $1 where "id" = $2
 * // savepoint "keelson_1"
 * // ...
 * // release "keelson_1"         or: rollback to "keelson_1", release "keelson_1"
 * // commit
 */
export async function transaction<DB, R>(
  db: Database<DB>,
  fn: (tx: Transaction<DB>, scope: TransactionScope) => Promise<R>,
  options?: TransactionOptions<R>,
): Promise<R> {
  return runTransaction(hostOf(db), fn, captureCallSite(directFrames), options)
}

/**
 * Runs `fn` outside the transaction that is open around it, for what must not depend on it. On a pool its queries use
 * another connection.
 *
 * @throws {TransactionDeadlockError} from its queries, where the open transaction holds what they would wait for
 */
export async function outside<DB, R>(
  db: Database<DB>,
  fn: (db: Kysely<DB>) => Promise<R>,
): Promise<R> {
  const host = hostOf(db)
  return host.database.leave(() => fn(host.plainHandle))
}

/** Whether a statement on `db` would run in a transaction. */
export function inTransaction(db: Kysely<any>): boolean {
  return currentScope(hostOf(db)) !== undefined
}

/** The transaction or savepoint that a statement on `db` would run in: its number, depth, age. */
export function currentTransaction(db: Kysely<any>): TransactionScope | undefined {
  const scope = currentScope(hostOf(db))
  return scope && scopeInfo(scope)
}

/**
 * Runs `hook` once the outermost transaction is committed, outside of it; at once where there is none. Hooks run in their
 * order, one after the other; those of a part that was rolled back never run.
 *
 * @throws {TransactionClosedError} when the transaction has ended
 */
export async function afterCommit(db: Kysely<any>, hook: Hook): Promise<void> {
  await addHook(db, 'afterCommit', hook)
}

/** Runs `hook` when the transaction, or the savepoint it is called in, is rolled back; never where there is none. */
export async function afterRollback(db: Kysely<any>, hook: Hook): Promise<void> {
  await addHook(db, 'afterRollback', hook)
}

/** Runs `hook` in the transaction just before its COMMIT, which does not come when the hook throws; at once where there is none. */
export async function beforeCommit(db: Kysely<any>, hook: Hook): Promise<void> {
  await addHook(db, 'beforeCommit', hook)
}

/**
 * For tests: runs `fn` in a transaction that is rolled back in the end, whatever happens. Transactions inside it are
 * savepoints that behave as if they were outermost: `durable` is allowed, `retry` works, hooks run.
 *
 * Before the rollback it checks what a commit would have: deferred constraints.
 *
 * @returns what `fn` returned
 */
export async function withRollback<DB, R>(
  db: Database<DB>,
  fn: (tx: Transaction<DB>, scope: TransactionScope) => Promise<R>,
): Promise<R> {
  const host = hostOf(db)
  if (currentScope(host) !== undefined) {
    throw new TransactionOptionsError(
      'withRollback',
      'withRollback() inside a transaction could undo only a part of it. Make it the outermost.',
    )
  }
  return runRoot(host, fn, captureCallSite(directFrames), host.defaults, true)
}

async function addHook(
  db: Kysely<any>,
  kind: 'afterCommit' | 'afterRollback' | 'beforeCommit',
  hook: Hook,
): Promise<void> {
  if (typeof hook !== 'function')
    throw new TransactionOptionsError(kind, `${kind}() takes a function as its hook.`)
  const scope = currentScope(hostOf(db))
  if (scope !== undefined) scope.addHook(kind, hook)
  else if (kind !== 'afterRollback') await hook()
}

function hostOf<DB>(db: Kysely<DB>): KyselyHost<DB> {
  const executor = db.getExecutor()
  return new KyselyHost(db, executor, transactionsOf(instanceOf(executor.adapter)))
}

class KyselyHost<DB> implements Host<Transaction<DB>> {
  readonly #db: Kysely<DB>
  readonly #executor: QueryExecutor
  readonly #transactions: KyselyTransactions
  /** What `db` stands for, if it is a handle. */
  readonly #loan: Loan | undefined

  constructor(db: Kysely<DB>, executor: QueryExecutor, transactions: KyselyTransactions) {
    this.#db = db
    this.#executor = executor
    this.#transactions = transactions
    this.#loan = loanOf(executor)
  }

  get database(): KyselyTransactions['database'] {
    return this.#transactions.database
  }

  get defaults(): TransactionOptions {
    return this.#transactions.defaults
  }

  get supportsSavepoints(): boolean {
    return this.#transactions.traits.savepoint !== undefined
  }

  get handleScope(): Scope | undefined {
    return this.#loan?.scope
  }

  get plainHandle(): Transaction<DB> {
    const root = this.#loan?.scope && this.#loan.rootExecutor
    // A handle that stands for a transaction would lead back into it.
    if (root === undefined) return this.#db as Transaction<DB>
    const { dialect, baseDriver } = this.#transactions.instance
    return new Kysely<DB>({
      config: { dialect },
      dialect,
      driver: baseDriver as never,
      executor: root.withoutPlugins().withPlugins(this.#executor.plugins),
    }) as Transaction<DB>
  }

  async withLine<R>(
    { timeoutMs, signal }: AcquireOptions,
    use: (line: Line) => Promise<R>,
  ): Promise<R> {
    // The handle of `db.connection()` stands for its connection; that of a transaction cannot begin another one.
    const executor = (this.#loan?.scope && this.#loan.rootExecutor) ?? this.#executor
    const { database, acquiring } = this.#transactions
    let timer: NodeJS.Timeout | undefined
    let aborted = signal
    if (timeoutMs !== undefined) {
      const abort = new AbortController()
      timer = setTimeout(() => abort.abort(acquireTimeoutError(timeoutMs)), timeoutMs)
      aborted = signal === undefined ? abort.signal : AbortSignal.any([signal, abort.signal])
      acquiring.leaveTo(aborted)
    }
    const provide = (): Promise<R> =>
      executor.provideConnection(
        (connection) => {
          clearTimeout(timer)
          this.#transactions.scopeStatements(connection)
          const lender = database.context.getStore()?.lease as Loan | undefined
          return use(new KyselyLine(this.#transactions, connection, lender))
        },
        aborted && { signal: aborted },
      )
    try {
      // What gives the connection back has to know who has got it, which only a context tells.
      return await (database.context.getStore() === undefined ? database.apart(provide) : provide())
    } finally {
      clearTimeout(timer)
    }
  }

  handle(scope: Scope): Transaction<DB> {
    const loan = new Loan()
    loan.scope = scope
    loan.isClaimed = true
    loan.connection = this.#transactions.connectionOf(scope.root)
    const { dialect, baseDriver } = this.#transactions.instance
    return new Transaction<DB>({
      config: { dialect },
      dialect,
      driver: baseDriver as never,
      executor: this.#executor.withConnectionProvider(new ScopeProvider(loan)),
    })
  }
}

const loans = new WeakMap<QueryExecutor, Loan | 'none'>()

/** What an executor stands for; asked once, since an answer costs an executor. */
function loanOf(executor: QueryExecutor): Loan | undefined {
  let loan = loans.get(executor)
  if (loan === undefined) {
    const probe = new LoanProbe()
    executor.withConnectionProvider(probe)
    loan = probe.found ?? 'none'
    loans.set(executor, loan)
  }
  return loan === 'none' ? undefined : loan
}
