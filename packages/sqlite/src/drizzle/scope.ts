import {
  attachSuppressed,
  TransactionAbortedError,
  TransactionClosedError,
  callSite,
  captureCallSite,
  excerpt,
} from '@keelson/core'
import { StatementFence } from '@keelson/core/drizzle'
import type { ExecuteOptions, SqliteResult, SqliteSession, StreamOptions } from '../contract.ts'
import type { Outlet } from './outlet.ts'
import { ScopeGate } from './scope-gate.ts'

/** What the scopes of one transaction share. */
export interface TransactionRoot {
  readonly line: SqliteSession
  readonly busyTimeoutMs: number
  /** How many there have been, for names that no other savepoint of the transaction has had. */
  savepoints: number
  /** Set when a failed savepoint's writes are still in place, so that nothing may be committed any more. */
  doomedBy: TransactionAbortedError | undefined
}

/**
 * A transaction, or one of its savepoints. It decides what may be sent: nothing once it has ended, and nothing of its
 * own while a savepoint inside it is open, because that savepoint's rollback would take it along.
 */
export class TransactionScope implements Outlet {
  readonly #root: TransactionRoot
  readonly #savepoint: string | undefined
  readonly #begun: Error
  readonly #gate: ScopeGate<TransactionScope>
  readonly #fence = new StatementFence()
  /** Whether the transaction around it has ended first. */
  #isOutlived = false

  /** @param begun where it was asked for */
  constructor(root: TransactionRoot, savepoint: string | undefined, begun: Error) {
    this.#root = root
    this.#savepoint = savepoint
    this.#begun = begun
    this.#gate = new ScopeGate(root.busyTimeoutMs)
  }

  execute<Row>(
    sql: string,
    parameters?: readonly unknown[],
    options?: ExecuteOptions,
  ): Promise<SqliteResult<Row>> {
    if (!this.#fence.isOpen) return Promise.reject(this.#closedError(excerpt(sql)))
    if (this.#gate.isFree) return this.#send(sql, parameters, options)
    return new Promise((resolve, refuse) => {
      const start = (): void => resolve(this.#send(sql, parameters, options))
      this.#gate.wait(() => excerpt(sql), start, refuse)
    })
  }

  async *stream<Row>(
    sql: string,
    parameters?: readonly unknown[],
    options?: StreamOptions,
  ): AsyncGenerator<Row[], void> {
    if (!this.#fence.isOpen) throw this.#closedError(excerpt(sql))
    if (!this.#gate.isFree) {
      await new Promise<void>((start, refuse) => this.#gate.wait(() => excerpt(sql), start, refuse))
    }
    this.#refuseDoomed()
    yield* this.#fence.read(this.#root.line.stream<Row>(sql, parameters, options))
    // A stream that was ended from outside must not look like one that was read to its end.
    if (!this.#fence.isOpen) throw this.#closedError(excerpt(sql))
  }

  /** Runs `body` in a savepoint, after the nested transactions and statements that were asked for before it. */
  async nest<R>(body: (scope: TransactionScope) => Promise<R>): Promise<R> {
    const name = `keelson_${++this.#root.savepoints}`
    const child = new TransactionScope(this.#root, name, captureCallSite())
    if (!this.#fence.isOpen) throw this.#closedError('a nested transaction')
    if (this.#gate.isFree) this.#gate.enter(child)
    else {
      await new Promise<void>((admitted, refuse) => {
        const start = (): void => admitted(this.#gate.enter(child))
        this.#gate.wait(() => child.name, start, refuse)
      })
    }
    try {
      return await child.#runInSavepoint(name, body)
    } finally {
      this.#gate.leave()
    }
  }

  /**
   * Ends the scope: from now on nothing is sent for it, and what has been sent is waited for.
   *
   * @throws what failed unseen by the callback, which therefore cannot have meant to commit without it
   * @throws {TransactionClosedError} when something was still waiting or nested, and so has not been done
   */
  async fence(): Promise<void> {
    if (this.#isOutlived) throw this.#closedError('the rest of the callback')
    const unfinished = this.close()
    await this.#settle()
    this.#fence.throwUnseen()
    if (unfinished === undefined) return
    throw new TransactionClosedError(
      `The callback of ${this.name} returned before this had run: ${unfinished}. Everything in it was rolled back. ` +
        'Await every statement and every nested transaction inside the callback.',
    )
  }

  /** Refuses what waits and what comes. Returns what has been left unfinished. */
  close(): string | undefined {
    this.#fence.close()
    const waiting = this.#gate.close((purpose) => this.#closedError(purpose))
    const { nested } = this.#gate
    if (nested === undefined) return waiting
    nested.#outlive()
    return nested.name
  }

  #outlive(): void {
    if (this.#fence.isOpen) this.#isOutlived = true
    this.close()
  }

  /** Waits for what is on its way, and ends what is still being read. */
  async #settle(): Promise<void> {
    const { nested } = this.#gate
    if (nested !== undefined) await nested.#settle()
    await this.#fence.settle()
  }

  async #runInSavepoint<R>(
    name: string,
    body: (scope: TransactionScope) => Promise<R>,
  ): Promise<R> {
    const { line } = this.#root
    this.#refuseDoomed()
    await line.savepoint(name)
    try {
      const result = await body(this)
      await this.fence()
      await line.releaseSavepoint(name)
      return result
    } catch (error) {
      if (!this.#isOutlived) {
        this.close()
        await this.#undo(name, error)
      }
      throw error
    }
  }

  async #undo(name: string, error: unknown): Promise<void> {
    const { line } = this.#root
    try {
      await this.#settle()
      await line.rollbackToSavepoint(name)
      // Without this the savepoint would stay on SQLite's stack, one more with every failure.
      await line.releaseSavepoint(name)
    } catch (later) {
      // Then SQLite has undone the whole transaction, and the session refuses all that follows.
      if (later instanceof TransactionAbortedError) return
      attachSuppressed(error, later)
      this.#root.doomedBy ??= doomedError(later)
    }
  }

  async #send<Row>(
    sql: string,
    parameters: readonly unknown[] | undefined,
    options: ExecuteOptions | undefined,
  ): Promise<SqliteResult<Row>> {
    this.#refuseDoomed()
    return this.#fence.run(() => this.#root.line.execute<Row>(sql, parameters, options))
  }

  #refuseDoomed(): void {
    const { doomedBy } = this.#root
    if (doomedBy !== undefined) throw doomedBy
  }

  /** For messages. */
  get name(): string {
    const site = callSite(this.#begun)
    const begun = site === undefined ? '' : ` begun at ${site}`
    return this.#savepoint === undefined
      ? `the transaction${begun}`
      : `the nested transaction${begun} (savepoint ${this.#savepoint})`
  }

  #closedError(purpose: string): TransactionClosedError {
    return new TransactionClosedError(
      `Cannot run ${purpose}: ${this.name} has ended. Use the handle of a transaction that is open, or the ` +
        'database itself; nothing was sent.',
    )
  }
}

function doomedError(cause: unknown): TransactionAbortedError {
  return new TransactionAbortedError(
    'What a failed nested transaction had written could not be undone, for the reason that is the cause of this ' +
      'error. The whole transaction is rolled back: begin a new one.',
    { cause },
  )
}
