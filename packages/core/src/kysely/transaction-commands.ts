import { CompiledQuery, type DatabaseConnection } from 'kysely'
import { TransactionClosedError } from '../errors/keelson-error.ts'
import { excerpt } from '../excerpt.ts'
import type { ConnectionUse } from './single-connection-guard.ts'

/**
 * The transaction commands of one connection, and what may follow them.
 *
 * They go through `executeQuery` like any query, because that is where Kysely's `log` and wrappers around a dialect
 * listen.
 */
export class TransactionCommands {
  readonly #runs = new WeakMap<CompiledQuery, () => Promise<void>>()
  /** The caller for whom a transaction was begun, and in whose turn nothing may follow it. */
  #begun: { readonly turn: object | undefined } | undefined

  /** Passes a command through `executeQuery`, which is to `take` it. */
  async send(
    connection: DatabaseConnection,
    command: string | CompiledQuery,
    run: () => Promise<void>,
  ): Promise<void> {
    const query = typeof command === 'string' ? CompiledQuery.raw(command) : command
    this.#runs.set(query, run)
    await connection.executeQuery(query)
  }

  /** What the query stands for when it is a command; each is run once. */
  take(query: CompiledQuery): (() => Promise<void>) | undefined {
    const run = this.#runs.get(query)
    if (run !== undefined) this.#runs.delete(query)
    return run
  }

  /** To be called when a transaction has begun. */
  begun(use: ConnectionUse | undefined): void {
    this.#begun = { turn: use?.turn }
  }

  /**
   * A transaction has ended, but Kysely has not told its `Transaction` yet: a statement in this moment would run in
   * autocommit, and outlive the rollback.
   */
  refusesLate(isInTransaction: boolean, use: ConnectionUse | undefined): boolean {
    if (this.#begun === undefined || isInTransaction) return false
    return this.#begun.turn === undefined || this.#begun.turn === use?.turn
  }
}

/** The error of a statement that came too late. */
export function lateStatementError(sql: string): TransactionClosedError {
  return new TransactionClosedError(
    `Cannot run ${excerpt(sql)}: its transaction has ended. Await every statement inside the transaction.`,
  )
}

/** What Kysely looks for, since 0.29.8, to know that there is nothing left to roll back. */
export const abortedTransaction: unique symbol = Symbol.for('kysely.AbortedTransactionError')

/** Tells Kysely by the error of a commit that the transaction has been rolled back, where that is what it says. */
export function markAbortedTransaction(error: unknown): void {
  // By code, because the database may come from another copy of Keelson.
  if (error instanceof Error && 'code' in error && error.code === 'TRANSACTION_ABORTED') {
    markAborted(error)
  }
}

/** Tells Kysely by any error of a commit that there is nothing left to roll back. */
export function markAborted(error: unknown): void {
  if (typeof error !== 'object' || error === null || !Object.isExtensible(error)) return
  Object.defineProperty(error, abortedTransaction, { value: true, configurable: true })
}
