import { attachSuppressed } from '@keelson/core'
import type { TransactionDatabase } from '../database.ts'
import type { Scope } from './scope.ts'

/**
 * A stream inside a scope: it takes the scope's turn with its first `next()`, keeps it until it has ended, and ends with
 * the scope at the latest.
 */
export class ScopedStream<T> implements AsyncIterableIterator<T> {
  readonly sql: string
  readonly #database: TransactionDatabase
  readonly #created: Scope
  readonly #open: () => AsyncIterator<T>
  #rows: AsyncIterator<T> | undefined
  #leave: ((error?: unknown) => Promise<void>) | undefined
  #ended: { readonly error: unknown } | undefined
  #running: Promise<unknown> | undefined

  /**
   * @param created the scope in which it was made; within that transaction the one that asks for the first step counts
   * @param open asks the driver for the rows
   */
  constructor(
    sql: string,
    database: TransactionDatabase,
    created: Scope,
    open: () => AsyncIterator<T>,
  ) {
    this.sql = sql
    this.#database = database
    this.#created = created
    this.#open = open
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<T>> {
    if (this.#ended !== undefined) return this.#afterEnd()
    this.#leave ??= await this.#scope.openStream(this)
    try {
      const step = this.#step()
      this.#running = step.catch(() => {})
      const result = await step
      if (this.#ended !== undefined) return this.#afterEnd()
      if (result.done === true) await this.#finish(undefined)
      return result
    } catch (error) {
      if (this.#ended !== undefined) return this.#afterEnd()
      await this.#finish(error)
      throw error
    }
  }

  async return(): Promise<IteratorResult<T>> {
    try {
      await this.#rows?.return?.()
    } finally {
      await this.#finish(undefined)
    }
    return { done: true, value: undefined }
  }

  /** Ends it from outside: its reader is told the error with its next step. */
  async end(error: Error): Promise<void> {
    if (this.#ended !== undefined) return
    this.#ended = { error }
    await this.#running
    try {
      await this.#rows?.return?.()
    } catch (later) {
      attachSuppressed(error, later)
    }
    await this.#leave?.()
  }

  get #scope(): Scope {
    const ambient = this.#database.scope
    return ambient?.root === this.#created.root ? ambient : this.#created
  }

  async #step(): Promise<IteratorResult<T>> {
    this.#rows ??= this.#open()
    return this.#rows.next()
  }

  async #finish(error: unknown): Promise<void> {
    this.#ended ??= { error: undefined }
    await this.#leave?.(error)
  }

  #afterEnd(): IteratorResult<T> {
    const { error } = this.#ended!
    if (error !== undefined) throw error
    return { done: true, value: undefined }
  }
}
