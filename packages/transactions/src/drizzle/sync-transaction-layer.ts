import { captureCallSite } from '@keelson/core'
import type { NextLayer, SessionLayer } from '@keelson/core/drizzle'
import { ormFrames } from '../run/call-site-frames.ts'
import { runSyncTransaction } from '../sync/run-sync-transaction.ts'
import type { SyncScope } from '../sync/sync-scope.ts'
import { layerName, transactionsRank } from './drizzle-transactions.ts'
import {
  type DrizzleDatabase,
  type DrizzlePrepared,
  type DrizzleSession,
  sending,
} from './internals.ts'
import type { SyncDrizzleTransactions } from './sync-drizzle-transactions.ts'
import { optionsOf } from './transaction-config.ts'

/** Leads what a synchronous database sends to the transaction that it belongs to. */
export class SyncTransactionLayer implements SessionLayer {
  readonly name: string = layerName
  readonly rank: number = transactionsRank
  readonly transactions: SyncDrizzleTransactions

  constructor(transactions: SyncDrizzleTransactions) {
    this.transactions = transactions
  }

  prepareQuery(session: DrizzleSession, args: readonly any[], next: NextLayer): unknown {
    const raw = next(session, args) as DrizzlePrepared
    return new Proxy(
      raw,
      new SyncRoutedQuery(this.transactions, this.transactions.scopeOf(session), args),
    )
  }

  transaction(session: DrizzleSession, args: readonly any[]): unknown {
    const { transactions } = this
    const host = transactions.hostFor(
      session === transactions.session ? transactions.db : ({ session } as DrizzleDatabase),
    )
    const fn = args[0] as (tx: DrizzleDatabase) => unknown
    // An async function must be seen to be one.
    return runSyncTransaction(
      host,
      fn,
      captureCallSite(ormFrames),
      optionsOf(args[1] as object | undefined),
    )
  }
}

/** A prepared query of the one connection, which is let run in the scope that it belongs to. */
class SyncRoutedQuery implements ProxyHandler<DrizzlePrepared> {
  readonly #transactions: SyncDrizzleTransactions
  readonly #handle: SyncScope | undefined
  readonly #sql: string

  constructor(
    transactions: SyncDrizzleTransactions,
    handle: SyncScope | undefined,
    args: readonly any[],
  ) {
    this.#transactions = transactions
    this.#handle = handle
    this.#sql = (args[0] as { sql: string }).sql
  }

  get(raw: DrizzlePrepared, name: string | symbol, proxy: unknown): unknown {
    const value = Reflect.get(raw, name, raw) as unknown
    if (typeof value !== 'function') return value
    // `execute()` gives what calls one of the others when it is awaited, or when its `sync()` is called.
    if (name === 'execute') return (...args: any[]) => Reflect.apply(value, proxy, args) as unknown
    if (!sending.has(name)) return (...args: any[]) => Reflect.apply(value, raw, args) as unknown
    return (...args: any[]) =>
      this.#transactions.database.run(
        this.#handle,
        this.#sql,
        () => Reflect.apply(value, raw, args) as unknown,
      )
  }

  set(raw: DrizzlePrepared, name: string | symbol, value: unknown): boolean {
    return Reflect.set(raw, name, value, raw)
  }
}
