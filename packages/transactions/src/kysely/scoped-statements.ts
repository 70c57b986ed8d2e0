import type { ConnectionInterceptor } from '@keelson/core/kysely'
import type { CompiledQuery } from 'kysely'
import { TransactionDeadlockError } from '../errors.ts'
import { ScopedStream } from '../scope/scoped-stream.ts'
import { strayControlError } from '../scope/stray-control.ts'
import type { KyselyTransactions } from './kysely-transactions.ts'
import { Loan } from './loan.ts'

/** Sends each statement through the scope of the async context in which it was sent. */
export class ScopedStatements implements ConnectionInterceptor {
  readonly #host: KyselyTransactions

  constructor(host: KyselyTransactions) {
    this.#host = host
  }

  executeQuery: ConnectionInterceptor['executeQuery'] = (next, query, options) => {
    const scope = this.#host.database.scope
    if (scope === undefined) return this.#outside(query) ?? next(query, options)
    return scope.run(query.sql, () => next(query, options))
  }

  streamQuery: ConnectionInterceptor['streamQuery'] = (next, query, chunkSize, options) => {
    // Nothing is asked before the first step, whose caller decides.
    const { database } = this.#host
    const creator = database.scope
    if (creator === undefined) return next(query, chunkSize, options)
    return new ScopedStream(query.sql, database, creator, () => next(query, chunkSize, options))
  }

  /** A write outside of a transaction that holds SQLite's only right to write would wait for it until it gives up. */
  #outside(query: CompiledQuery): Promise<never> | undefined {
    const { database, traits } = this.#host
    if (query.query?.kind === 'RawNode' && !this.#isOnOwnConnection) {
      const error = strayControlError(query.sql)
      if (error !== undefined) return Promise.reject(error)
    }
    const suspended = database.suspendedRoot
    if (suspended === undefined || traits.engine !== 'sqlite') return undefined
    if (suspended.options.accessMode === 'read only' || !writes.has(query.query?.kind))
      return undefined
    return Promise.reject(
      new TransactionDeadlockError(
        'Cannot write outside the transaction that is open: SQLite lets one write at a time, and the statement would ' +
          'wait for the transaction that waits for it. Run it inside, or after the commit with afterCommit(). Nothing was sent.',
      ),
    )
  }

  /** Our own statements have a context without a loan, and `db.connection()` has a connection that is the caller's. */
  get #isOnOwnConnection(): boolean {
    const store = this.#host.database.context.getStore()
    if (store === undefined) return false
    return !(store.lease instanceof Loan) || store.lease.isOfConnection
  }
}

const writes: ReadonlySet<string | undefined> = new Set([
  'InsertQueryNode',
  'UpdateQueryNode',
  'DeleteQueryNode',
  'MergeQueryNode',
])
