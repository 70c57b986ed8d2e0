import { captureCallSite, type TransactionObserver, transactionObserver } from '@keelson/core'
import { TransactionOptionsError } from '../errors.ts'
import type { TransactionOptions } from '../options.ts'
import { ormFrames } from '../run/call-site-frames.ts'
import {
  type AcquireOptions,
  type Callback,
  type Host,
  runTransaction,
} from '../run/run-transaction.ts'
import type { Line } from '../scope/line.ts'
import type { Scope } from '../scope/scope.ts'
import type { DrizzleTransactions } from './drizzle-transactions.ts'
import type { DrizzleDatabase, DrizzleSession } from './internals.ts'
import { optionsOf } from './transaction-config.ts'

/** One call of `transaction()` on a database or handle. */
export class DrizzleHost implements Host<DrizzleDatabase> {
  readonly transactions: DrizzleTransactions
  readonly handleScope: Scope | undefined
  readonly #db: DrizzleDatabase

  constructor(transactions: DrizzleTransactions, session: DrizzleSession, db: DrizzleDatabase) {
    this.transactions = transactions
    this.handleScope = transactions.scopeOf(session)
    this.#db = db
  }

  get database(): DrizzleTransactions['database'] {
    return this.transactions.database
  }

  get defaults(): TransactionOptions {
    return this.transactions.defaults
  }

  get supportsSavepoints(): boolean {
    return this.transactions.driver.traits.savepoint !== undefined
  }

  get plainHandle(): DrizzleDatabase {
    // A handle that stands for a transaction would lead back into it.
    return this.handleScope === undefined ? this.#db : this.transactions.db
  }

  async withLine<R>(options: AcquireOptions, use: (line: Line) => Promise<R>): Promise<R> {
    const { driver, session } = this.transactions
    options.signal?.throwIfAborted()
    const asked = performance.now()
    const line = await driver.acquire(options)
    const observer = session.dialect[transactionObserver]
    if (observer !== undefined) line.observer = withWait(observer, performance.now() - asked)
    // A scope ends its line itself, whatever happens.
    return use(line)
  }

  handle(scope: Scope): DrizzleDatabase {
    const { transactions } = this
    return transactions.handle(scope, (handle) => {
      handle.transaction = (fn: DrizzleCallback, config?: object) =>
        runDrizzleTransaction(transactions, handle.session, fn, config, handle)
    })
  }
}

/** Has the root transaction of a line tell how long the line was waited for. */
function withWait(observer: TransactionObserver, waitMs: number): TransactionObserver {
  return {
    begins(event) {
      if (event.depth === 0) event.waitMs = waitMs
      observer.begins(event)
    },
    ended: (event) => observer.ended(event),
  }
}

type DrizzleCallback = (tx: DrizzleDatabase) => Promise<unknown>

/** Drizzle's own `db.transaction()` and `tx.transaction()`. */
export async function runDrizzleTransaction(
  transactions: DrizzleTransactions,
  session: DrizzleSession,
  fn: DrizzleCallback,
  config: object | undefined,
  db?: DrizzleDatabase,
): Promise<unknown> {
  if (typeof fn !== 'function')
    throw new TransactionOptionsError('fn', 'db.transaction() takes an async function.')
  const host = new DrizzleHost(transactions, session, db ?? transactions.db)
  return runReady(host, (tx) => fn(tx), captureCallSite(ormFrames), optionsOf(config))
}

/** `db.batch()` inside a transaction: one after the other, in a savepoint. */
export function runDrizzleBatch(
  transactions: DrizzleTransactions,
  session: DrizzleSession,
  items: readonly PromiseLike<unknown>[],
): Promise<unknown[]> {
  const host = new DrizzleHost(transactions, session, transactions.db)
  return runTransaction(
    host,
    async () => {
      const results: unknown[] = []
      for (const item of items) results.push(await item)
      return results
    },
    captureCallSite(ormFrames),
    { propagation: 'nested' },
  )
}

/** Runs a transaction once handles can be made. */
export async function runReady<R>(
  host: DrizzleHost,
  fn: Callback<DrizzleDatabase, R>,
  begun: Error,
  options?: TransactionOptions<R>,
): Promise<R> {
  const preparing = host.transactions.driver.prepare()
  if (preparing !== undefined) await preparing
  return runTransaction(host, fn, begun, options)
}
