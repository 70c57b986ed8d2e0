import { captureCallSite } from '@keelson/core'
import { markAborted } from '@keelson/core/kysely'
import type {
  AbortableOperationOptions,
  DatabaseConnection,
  Driver,
  QueryCompiler,
  TransactionSettings,
} from 'kysely'
import { AfterCommitError } from '../errors.ts'
import { checkInnerOptions, type TransactionOptions } from '../options.ts'
import { type Hook, runHooks } from '../scope/hooks.ts'
import { Root } from '../scope/root.ts'
import { Scope } from '../scope/scope.ts'
import { KyselyLine } from './kysely-line.ts'
import type { KyselyTransactions } from './kysely-transactions.ts'
import { Loan } from './loan.ts'

/**
 * Makes scopes of what Kysely itself begins: `db.transaction()` and `db.startTransaction()`, outside any transaction and
 * inside one.
 */
export class TransactionsDriver implements Driver {
  readonly #host: KyselyTransactions
  readonly #inner: Driver
  /** The transactions that Kysely has begun, by their connections. */
  readonly #roots = new WeakMap<DatabaseConnection, Scope>()

  constructor(host: KyselyTransactions, inner: Driver) {
    this.#host = host
    this.#inner = inner
  }

  init(options?: AbortableOperationOptions): Promise<void> {
    return this.#inner.init(options)
  }

  acquireConnection(options?: AbortableOperationOptions): Promise<DatabaseConnection> {
    return this.#host.acquiring.acquire(options)
  }

  async releaseConnection(
    connection: DatabaseConnection,
    options?: AbortableOperationOptions,
  ): Promise<void> {
    // Somebody else may have it by now.
    if (this.#isGivenBack) return
    // Whoever begins a transaction and gives its connection back without ending it has lost the transaction.
    const scope = this.#roots.get(connection)
    this.#roots.delete(connection)
    this.#host.loans.delete(connection)
    try {
      if (scope?.root.isOver === false) await scope.rollback()
    } finally {
      if (!this.#isGivenBack) await this.#host.acquiring.release(connection, options)
    }
  }

  async beginTransaction(
    connection: DatabaseConnection,
    settings: TransactionSettings,
  ): Promise<void> {
    const { database, defaults, loans } = this.#host
    const begun = captureCallSite()
    const store = database.context.getStore()
    const latest = loans.get(connection)
    // Else it is a controlled transaction: begun by whoever awaits it, in his own context and not in the loan's.
    const isCallback = latest !== undefined && store?.lease === latest && !latest.isBeginning
    const loan = isCallback ? latest : new Loan()
    loan.isOfConnection = latest?.isOfConnection === true
    loan.connection = connection
    loan.isBeginning = true
    const options = optionsOf(settings)
    const outer = this.#isOn(store?.scope, connection) ? store!.scope : undefined
    if (outer === undefined) loan.scope = await this.#beginRoot(connection, latest, options, begun)
    else {
      checkInnerOptions(options, outer.root.options)
      if (defaults.propagation === 'required') loan.joined = outer
      loan.scope = loan.joined ?? (await outer.nest(begun, defaults.waitTimeoutMs))
    }
    if (isCallback) store!.scope = loan.scope
    // Kysely makes the handle of a controlled transaction next.
    else loans.set(connection, loan)
  }

  async #beginRoot(
    connection: DatabaseConnection,
    lender: Loan | undefined,
    options: TransactionOptions,
    begun: Error,
  ): Promise<Scope> {
    const { database, defaults } = this.#host
    const line = new KyselyLine(this.#host, connection, lender)
    const root = new Root(database, line, { ...rootDefaults(defaults), ...options }, false)
    this.#host.scopeStatements(connection)
    const scope = await Scope.begin(root, begun)
    this.#roots.set(connection, scope)
    return scope
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    const loan = this.#loan()
    if (loan?.scope === undefined) return this.#inner.commitTransaction(connection)
    if (loan.joined !== undefined) return
    const { scope } = loan
    let hooks: readonly Hook[]
    try {
      hooks = await scope.commit()
    } catch (error) {
      // It is over, which Kysely does not know: a controlled transaction would keep the connection for its rollback.
      markAborted(error)
      throw error
    }
    if (hooks.length === 0) return
    const errors = await this.#host.database.leave(() => runHooks(hooks))
    if (errors.length === 0) return
    if (!loan.isAwaited) throw new AfterCommitError(errors, undefined, scope.begun)
    loan.hookErrors = errors
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    const loan = this.#loan()
    if (loan?.scope === undefined) return this.#inner.rollbackTransaction(connection)
    if (loan.joined !== undefined) {
      // Else the route marks it, with the error for which it is rolled back.
      if (!loan.isAwaited)
        loan.joined.markRollbackOnly(new Error('A transaction that had joined was rolled back.'))
      return
    }
    try {
      await loan.scope.rollback()
    } catch (error) {
      // Thrown here it would take the place of the error for which Kysely rolls back.
      if (loan.isAwaited) loan.rollbackError = error
      else throw error
    }
  }

  async savepoint(
    connection: DatabaseConnection,
    name: string,
    compileQuery: QueryCompiler['compileQuery'],
  ): Promise<void> {
    await this.#command('savepoint', connection, name, compileQuery)
  }

  async rollbackToSavepoint(
    connection: DatabaseConnection,
    name: string,
    compileQuery: QueryCompiler['compileQuery'],
  ): Promise<void> {
    await this.#command('rollbackToSavepoint', connection, name, compileQuery)
  }

  async releaseSavepoint(
    connection: DatabaseConnection,
    name: string,
    compileQuery: QueryCompiler['compileQuery'],
  ): Promise<void> {
    await this.#command('releaseSavepoint', connection, name, compileQuery)
  }

  destroy(options?: AbortableOperationOptions): Promise<void> {
    return this.#inner.destroy(options)
  }

  /** The user's own savepoint, in the scope that its handle belongs to. */
  async #command(
    command: 'savepoint' | 'rollbackToSavepoint' | 'releaseSavepoint',
    connection: DatabaseConnection,
    name: string,
    compileQuery: QueryCompiler['compileQuery'],
  ): Promise<void> {
    const { database } = this.#host
    const send = async (): Promise<void> => {
      if (this.#inner[command] === undefined)
        throw new Error(`The \`${command}\` method is not supported by this driver`)
      await this.#inner[command](connection, name, compileQuery)
    }
    const scope = database.scope
    await (scope === undefined
      ? send()
      : scope.run(`${command} ${name}`, () => database.apart(send), true))
  }

  get #isGivenBack(): boolean {
    return this.#loan()?.isGivenBack === true
  }

  #loan(): Loan | undefined {
    return this.#host.database.context.getStore()?.lease as Loan | undefined
  }

  #isOn(scope: Scope | undefined, connection: DatabaseConnection): boolean {
    return scope !== undefined && this.#host.connectionOf(scope.root) === connection
  }
}

function optionsOf({ accessMode, isolationLevel }: TransactionSettings): TransactionOptions {
  return {
    ...(accessMode && { accessMode }),
    ...(isolationLevel && { isolationLevel }),
  }
}

/** What `withTransactions()` says of transactions that Kysely begins: how they begin, and how long their branches wait. */
function rootDefaults({
  accessMode,
  isolationLevel,
  behavior,
  waitTimeoutMs,
}: TransactionOptions): TransactionOptions {
  return { accessMode, isolationLevel, behavior, waitTimeoutMs }
}
