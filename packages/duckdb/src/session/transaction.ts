import {
  attachSuppressed,
  type Holder,
  TransactionAbortedError,
  type TransactionTrace,
} from '@keelson/core'
import type { Connection } from '../connection/connection.ts'
import { Interruption } from '../connection/interruption.ts'
import { KnownIngests } from '../ingest/known-ingests.ts'
import { faultOf } from './connection-fault.ts'
import { leavesTransactionOpen } from './local-refusal.ts'

/** A transaction on a connection that its session owns for as long. */
export class Transaction {
  readonly connection: Connection
  readonly #holder: Holder
  readonly #trace: TransactionTrace | undefined
  readonly ingests: KnownIngests = new KnownIngests()
  /** The first failure: DuckDB keeps nothing of the transaction from then on. */
  #doomedBy: { readonly error: unknown } | undefined

  constructor(connection: Connection, holder: Holder, trace: TransactionTrace | undefined) {
    this.connection = connection
    this.#holder = holder
    this.#trace = trace
    holder.since = performance.now()
  }

  async begin(isReadOnly: boolean, interruption: Interruption): Promise<void> {
    const { connection } = this
    const sql = isReadOnly ? 'begin transaction read only' : 'begin transaction'
    try {
      await connection.exclusive(() => connection.command(sql, interruption))
    } catch (error) {
      if (interruption.hasBegun) connection.changed('a transaction that could not be begun')
      this.#trace?.ended('begin_failed', 0, error)
      throw error
    }
    this.#trace?.begun()
  }

  /** @throws {TransactionAbortedError} when it has failed before; whatever it throws, everything is rolled back */
  async commit(): Promise<void> {
    const { connection } = this
    const start = performance.now()
    try {
      await connection.exclusive(async () => {
        this.refuseDoomed()
        // COMMIT rolls back a transaction that has failed, and calls that a success. A query fails in such a one.
        await connection.command('select 1; commit', new Interruption())
      })
    } catch (error) {
      const reported = isAborted(error) ? abortedError(error) : error
      await this.#undo(reported)
      this.#trace?.ended('commit_failed', performance.now() - start, reported)
      throw reported
    } finally {
      connection.transactionEnded()
    }
    this.#trace?.ended('committed', performance.now() - start)
  }

  async rollback(): Promise<void> {
    const { connection } = this
    const start = performance.now()
    let failure: unknown
    try {
      await connection.exclusive(() => this.#command('rollback'))
    } catch (error) {
      failure = error
      throw error
    } finally {
      connection.transactionEnded()
      this.#trace?.ended('rolled_back', performance.now() - start, failure)
    }
  }

  /** A statement or stream of it has failed. */
  failed(error: unknown): void {
    if (!leavesTransactionOpen(error)) this.#doomedBy ??= { error }
  }

  get isDoomed(): boolean {
    return this.#doomedBy !== undefined
  }

  refuseDoomed(): void {
    if (this.#doomedBy !== undefined) throw abortedError(this.#doomedBy.error)
  }

  /** A statement runs in it. */
  runs(sql: string): void {
    this.#holder.lastSql = sql
  }

  /** A statement has run in it, for that many milliseconds. */
  ran(ms: number): void {
    this.#trace?.ran(ms)
  }

  describe(): string {
    return this.#holder.describe()
  }

  /** Rolls back after a commit that was not to be. */
  async #undo(error: unknown): Promise<void> {
    try {
      await this.connection.exclusive(() => this.#command('rollback'))
    } catch (later) {
      attachSuppressed(error, later)
    }
    const fault = faultOf(error)
    if (fault !== undefined) this.connection.changed(fault)
  }

  /** After a failed commit DuckDB has often rolled back already. */
  async #command(sql: 'rollback'): Promise<void> {
    try {
      await this.connection.conclude(sql)
    } catch (error) {
      if (/no transaction is active/.test((error as Error).message)) return
      this.connection.changed('a transaction that could not be rolled back')
      throw error
    }
  }
}

function isAborted(error: unknown): boolean {
  return error instanceof Error && error.message.includes('Current transaction is aborted')
}

function abortedError(cause: unknown): TransactionAbortedError {
  return new TransactionAbortedError(
    'An earlier statement of this transaction has failed, which is the cause of this error, and DuckDB can undo no ' +
      'part of a transaction. Nothing of it is kept, and nothing more can be done in it: roll it back and begin a new one.',
    { cause },
  )
}
