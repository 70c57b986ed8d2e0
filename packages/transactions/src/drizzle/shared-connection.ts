import { callStatement, excerpt, statementCall } from '@keelson/core'
import type { TransactionDatabase } from '../database.ts'
import {
  TransactionAcquireTimeoutError,
  TransactionDeadlockError,
  TransactionWaitTimeoutError,
} from '../errors.ts'
import type { AcquireOptions } from '../run/run-transaction.ts'
import type { TurnHolder } from '../scope/turn-queue.ts'

const shared = new WeakMap<TransactionDatabase, SharedConnection>()

/** The one connection of a database, which a transaction has for itself, and everything else has together. */
export class SharedConnection {
  readonly #database: TransactionDatabase
  /** Statements outside a transaction that are on their way. */
  #running = 0
  #drained: (() => void) | undefined

  private constructor(database: TransactionDatabase) {
    this.#database = database
  }

  /** The same for all that stand on the database. */
  static of(database: TransactionDatabase): SharedConnection {
    let connection = shared.get(database)
    if (connection === undefined)
      shared.set(database, (connection = new SharedConnection(database)))
    return connection
  }

  /** Runs a statement that is in no transaction, once none is open. */
  async statement<R>(sql: string, send: () => Promise<R>): Promise<R> {
    const { gate } = this.#database
    const call = statementCall()
    if (!gate.isIdle) {
      this.refuseSuspended()
      const turn = newTurn('statement', sql)
      await this.#enter(turn, excerpt(sql), undefined)
      // Others that have waited may run beside it.
      gate.leave(turn)
      if (call !== undefined) call.waitMs = performance.now() - call.startMs
    }
    this.#running++
    try {
      return await callStatement(call, send)
    } finally {
      if (--this.#running === 0) this.#drained?.()
    }
  }

  /**
   * Takes the connection for a transaction, and waits for the statements that are on their way.
   *
   * @returns gives it back; may be called more than once
   */
  async take({ timeoutMs, signal }: AcquireOptions): Promise<() => void> {
    this.refuseSuspended()
    const { gate } = this.#database
    const turn = newTurn('transaction', undefined)
    await this.#enter(turn, 'a transaction', timeoutMs, signal)
    if (this.#running > 0) await new Promise<void>((drained) => (this.#drained = drained))
    this.#drained = undefined
    return () => gate.leave(turn)
  }

  /** @throws {TransactionDeadlockError} when the caller has left the transaction that holds the connection */
  refuseSuspended(): void {
    if (this.#database.suspendedRoot === undefined) return
    throw new TransactionDeadlockError(
      'Cannot get a second connection while the transaction around is open: this driver has one connection, which that ' +
        'transaction holds. Run the statement inside it, make the transaction a savepoint (nested), or run it after the ' +
        'commit with afterCommit(). Nothing was sent.',
    )
  }

  async #enter(
    turn: TurnHolder,
    what: string,
    timeoutMs: number = 10_000,
    signal?: AbortSignal,
  ): Promise<void> {
    try {
      await this.#database.gate.enter(turn, what, timeoutMs, signal)
    } catch (error) {
      if (!(error instanceof TransactionWaitTimeoutError)) throw error
      throw new TransactionAcquireTimeoutError(
        error.message.replace('waitTimeoutMs', 'acquireTimeoutMs'),
      )
    }
  }
}

function newTurn(kind: 'statement' | 'transaction', sql: string | undefined): TurnHolder {
  return { kind, sql, begun: undefined, since: performance.now() }
}
