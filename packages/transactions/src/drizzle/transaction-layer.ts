import type { NextLayer, SessionLayer } from '@keelson/core/drizzle'
import { pickScope } from '../scope/pick-scope.ts'
import { runDrizzleBatch, runDrizzleTransaction } from './drizzle-host.ts'
import { type DrizzleTransactions, layerName, transactionsRank } from './drizzle-transactions.ts'
import type { DrizzlePrepared, DrizzleSession } from './internals.ts'
import { RoutedQuery } from './routed-query.ts'

/** Leads what a database sends to the transaction that it belongs to. */
export class TransactionLayer implements SessionLayer {
  readonly name: string = layerName
  readonly rank: number = transactionsRank
  readonly transactions: DrizzleTransactions

  constructor(transactions: DrizzleTransactions) {
    this.transactions = transactions
  }

  prepareQuery(session: DrizzleSession, args: readonly any[], next: NextLayer): unknown {
    const raw = next(session, args) as DrizzlePrepared
    // Drizzle's own, of a transaction that is none of ours: its migrator's.
    if (!this.#isOurs(session)) return raw
    return new Proxy(raw, new RoutedQuery(this.transactions, session, raw, args))
  }

  transaction(session: DrizzleSession, args: readonly any[], next: NextLayer): unknown {
    if (!this.#isOurs(session)) return next(session, args)
    return runDrizzleTransaction(this.transactions, session, args[0], args[1])
  }

  batch(session: DrizzleSession, args: readonly any[], next: NextLayer): unknown {
    const { database, driver } = this.transactions
    const handle = this.transactions.scopeOf(session)
    let scope = database.scope
    try {
      if (handle !== undefined) scope = pickScope(handle, scope)
    } catch (error) {
      return Promise.reject(error)
    }
    if (scope !== undefined) return runDrizzleBatch(this.transactions, session, args[0])
    return driver.outside(
      'a batch',
      () => next(session, args) as Promise<unknown>,
      database.suspendedRoot,
    )
  }

  #isOurs(session: DrizzleSession): boolean {
    return session === this.transactions.session || this.transactions.scopeOf(session) !== undefined
  }
}
