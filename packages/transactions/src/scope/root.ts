import { describeError } from '@keelson/core'
import type { TransactionDatabase } from '../database.ts'
import type { TransactionOptions } from '../options.ts'
import type { Line } from './line.ts'
import type { Scope } from './scope.ts'

/** What the scopes of one transaction share: the connection, and what is known of it. */
export class Root {
  readonly database: TransactionDatabase
  readonly line: Line
  readonly options: TransactionOptions
  /** For tests (`withRollback`): transactions inside it are what they would be without it, down to their hooks. */
  readonly isTest: boolean
  readonly waitTimeoutMs: number
  /** The innermost scope that is open. */
  deepest: Scope | undefined
  /** What ended the transaction behind our back: nothing is sent any more. */
  lost: { readonly error: unknown } | undefined
  /** Why the connection cannot be used again. */
  broken: unknown
  /** Nothing of it is to be kept any more, whatever the scopes say. */
  doomed: { readonly error: unknown } | undefined
  isOver = false
  #savepoints = 0

  constructor(
    database: TransactionDatabase,
    line: Line,
    options: TransactionOptions,
    isTest: boolean,
  ) {
    this.database = database
    this.line = line
    this.options = options
    this.isTest = isTest
    this.waitTimeoutMs = options.waitTimeoutMs ?? 10_000
  }

  /** A name that no other savepoint of the transaction has had. */
  nextSavepoint(): string {
    return `keelson_${++this.#savepoints}`
  }

  /**
   * A statement has failed: what became of the transaction?
   *
   * @returns whether nothing but a rollback is possible in the innermost scope
   */
  async noteFailure(error: unknown): Promise<boolean> {
    const { category, transactionFate } = describeError(error)
    if (transactionFate === 'kept' && category !== 'connection') return false
    if (category === 'connection') {
      this.broken ??= error
      this.lost ??= { error }
      return true
    }
    const state = await this.#stateAfter(error, transactionFate)
    if (state === 'none') this.lost ??= { error }
    return state === 'none' || state === 'failed'
  }

  async #stateAfter(error: unknown, fate: string): Promise<string> {
    if (fate === 'aborted') return 'failed'
    if (fate === 'rolledBack') return 'none'
    try {
      return await this.line.state(error)
    } catch (later) {
      if (describeError(later).category !== 'connection') throw later
      this.broken ??= later
      return 'none'
    }
  }
}
