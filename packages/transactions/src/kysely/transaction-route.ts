import { attachSuppressed, ConnectionBusyError } from '@keelson/core'
import type { ConnectionRoute, Consumer } from '@keelson/core/kysely'
import {
  type ConnectionProvider,
  type DatabaseConnection,
  type QueryExecutor,
  SingleConnectionProvider,
} from 'kysely'
import type { Context } from '../database.ts'
import { AfterCommitError } from '../errors.ts'
import { pickScope } from '../scope/pick-scope.ts'
import type { Scope } from '../scope/scope.ts'
import type { KyselyTransactions } from './kysely-transactions.ts'
import { Loan } from './loan.ts'

/** Stands for the connection of a scope, wherever that is; never asked itself. */
export class ScopeProvider implements ConnectionProvider {
  readonly loan: Loan

  constructor(loan: Loan) {
    this.loan = loan
  }

  provideConnection(): Promise<never> {
    return Promise.reject(
      new ConnectionBusyError('A handle of @keelson/transactions was used without its layer.'),
    )
  }
}

/** Finds out what an executor stands for. */
export class LoanProbe implements ConnectionProvider {
  found: Loan | undefined

  provideConnection(): Promise<never> {
    return Promise.reject(new ConnectionBusyError('A probe has no connection.'))
  }
}

/** Where connections come from: from the scope around, where there is one, else from the driver. */
export class TransactionRoute implements ConnectionRoute {
  readonly #host: KyselyTransactions

  constructor(host: KyselyTransactions) {
    this.#host = host
  }

  isPlain(tag: object | undefined): boolean {
    return tag === undefined && this.#host.database.context.getStore() === undefined
  }

  provide<T>(
    tag: object | undefined,
    consumer: Consumer<T>,
    original: (consumer: Consumer<T>) => Promise<T>,
  ): Promise<T> {
    const { context } = this.#host.database
    const store = context.getStore()
    const handle = tag as Loan | undefined
    let scope: Scope | undefined
    try {
      scope = handle === undefined ? store?.scope : this.#scopeOf(handle, store?.scope)
    } catch (error) {
      return Promise.reject(error)
    }
    const loan = new Loan()
    const lent: Context = { scope, suspended: store?.suspended, lease: loan }
    loan.isOfConnection =
      handle !== undefined && (handle.scope === undefined || handle.isOfConnection)
    if (scope === undefined)
      return context.run(lent, () =>
        original((connection) => this.#lend(loan, connection, consumer)),
      )
    loan.scope = handle?.scope
    loan.joined = handle?.joined
    loan.rootExecutor = handle?.rootExecutor
    const inScope = scope
    return context.run(lent, async () =>
      this.#lend(loan, this.#host.connectionOf(inScope.root), consumer),
    )
  }

  tagFor(
    executor: QueryExecutor,
    tag: object | undefined,
    provider: ConnectionProvider,
  ): object | undefined {
    const parent = tag as Loan | undefined
    if (provider instanceof ScopeProvider) {
      provider.loan.rootExecutor = parent?.rootExecutor ?? executor
      return provider.loan
    }
    if (provider instanceof LoanProbe) {
      provider.found = parent
      return parent
    }
    if (!(provider instanceof SingleConnectionProvider)) return parent
    const loan = this.#claim(connectionIn(provider))
    if (loan === undefined) return parent
    loan.rootExecutor = parent?.rootExecutor ?? executor
    return loan
  }

  /** The scope of a handle: within its transaction the async context picks it. */
  #scopeOf(handle: Loan, ambient: Scope | undefined): Scope | undefined {
    const { scope } = handle
    if (scope === undefined) {
      // `db.connection()`, and perhaps a transaction that was begun on that connection.
      const connection = ambient && this.#host.connectionOf(ambient.root)
      return connection === handle.connection ? ambient : undefined
    }
    return pickScope(scope, ambient)
  }

  #lend<T>(loan: Loan, connection: DatabaseConnection, consumer: Consumer<T>): Promise<T> {
    loan.connection = connection
    this.#host.loans.set(connection, loan)
    const outcome = consumer(connection)
    if (!loan.isBeginning) return outcome
    loan.isAwaited = true
    return outcome.then(
      (result) => {
        if (loan.hookErrors.length > 0)
          throw new AfterCommitError(loan.hookErrors, result, loan.scope?.begun)
        return result
      },
      (error: unknown) => {
        loan.joined?.markRollbackOnly(error)
        if (loan.rollbackError !== undefined) attachSuppressed(error, loan.rollbackError)
        throw error
      },
    )
  }

  /** The loan for which Kysely makes a handle. */
  #claim(connection: DatabaseConnection | undefined): Loan | undefined {
    if (connection === undefined) return undefined
    let loan = this.#host.loans.get(connection)
    if (loan?.isClaimed === true) return undefined
    if (loan === undefined) {
      // Of `db.connection()`, or of a controlled transaction outside any other.
      loan = new Loan()
      loan.connection = connection
      this.#host.loans.set(connection, loan)
    }
    loan.isClaimed = true
    loan.scope ??= this.#host.database.scope
    return loan
  }
}

/** A provider that nobody has used yet gives its connection at once. */
function connectionIn(provider: SingleConnectionProvider): DatabaseConnection | undefined {
  let found: DatabaseConnection | undefined
  void provider.provideConnection(async (connection) => {
    found = connection
  })
  return found
}
