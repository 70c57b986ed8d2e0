import {
  type BulkIngestRequest,
  type BulkIngestResult,
  callSite,
  excerpt,
  SavepointsNotSupportedError,
  TransactionClosedError,
} from '@keelson/core'
import { StatementFence } from '@keelson/core/drizzle'
import type { DuckDBResult, DuckDBSession, ExecuteOptions, StreamOptions } from '../contract.ts'
import type { Outlet } from './outlet.ts'

/** A transaction as its handle has it: what may be sent for it, and nothing once its callback has returned. */
export class TransactionScope implements Outlet {
  readonly #line: DuckDBSession
  readonly #begun: Error
  readonly #fence = new StatementFence()

  /** @param begun where it was asked for */
  constructor(line: DuckDBSession, begun: Error) {
    this.#line = line
    this.#begun = begun
  }

  async execute<Row>(
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions,
  ): Promise<DuckDBResult<Row>> {
    if (!this.#fence.isOpen) throw this.#closedError(excerpt(sql))
    return this.#fence.run(() => this.#line.execute<Row>(sql, parameters, options))
  }

  async *stream<Row>(
    sql: string,
    parameters: readonly unknown[],
    options: StreamOptions,
  ): AsyncGenerator<Row[], void> {
    if (!this.#fence.isOpen) throw this.#closedError(excerpt(sql))
    yield* this.#fence.read(this.#line.stream<Row>(sql, parameters, options))
    // A stream that was ended from outside must not look like one that was read to its end.
    if (!this.#fence.isOpen) throw this.#closedError(excerpt(sql))
  }

  async ingest(request: BulkIngestRequest): Promise<BulkIngestResult> {
    if (!this.#fence.isOpen) throw this.#closedError(excerpt(request.statement('rows')))
    return this.#fence.run(() => this.#line.ingest(request))
  }

  /** Why no transaction begins inside this one. */
  nestingError(): TransactionClosedError | SavepointsNotSupportedError {
    if (!this.#fence.isOpen) return this.#closedError('a nested transaction')
    return new SavepointsNotSupportedError(
      `Cannot begin a transaction inside ${this.#name}: DuckDB has no savepoints, so no part of a transaction can be ` +
        'undone. Use the handle you have, whose statements stand or fall together, or begin a transaction of its own ' +
        'with the database after this one. Nothing was sent, and this one can go on.',
    )
  }

  /**
   * Ends the scope: from now on nothing is sent for it, and what has been sent is waited for.
   *
   * @throws what failed unseen by the callback, which therefore cannot have meant to commit without it
   */
  async end(): Promise<void> {
    this.close()
    await this.#fence.settle()
    this.#fence.throwUnseen()
  }

  /** Refuses what comes. */
  close(): void {
    this.#fence.close()
  }

  get #name(): string {
    const site = callSite(this.#begun)
    return site === undefined ? 'the transaction' : `the transaction begun at ${site}`
  }

  #closedError(purpose: string): TransactionClosedError {
    return new TransactionClosedError(
      `Cannot run ${purpose}: ${this.#name} has ended. Use the handle of a transaction that is open, or the ` +
        'database itself; nothing was sent.',
    )
  }
}
