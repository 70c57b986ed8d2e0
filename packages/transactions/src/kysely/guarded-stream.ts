import { attachSuppressed } from '@keelson/core'
import type { QueryResult } from 'kysely'
import type { Scope } from '../scope/scope.ts'

type Rows = AsyncIterableIterator<QueryResult<any>>

/**
 * A stream inside a scope: it takes the scope's turn with its first `next()`, keeps it until it has ended, and ends with
 * the scope at the latest.
 */
export class GuardedStream implements AsyncIterableIterator<QueryResult<any>> {
  readonly sql: string
  readonly #scopeOf: () => Scope
  readonly #open: () => Rows
  #rows: Rows | undefined
  #leave: ((error?: unknown) => Promise<void>) | undefined
  #ended: { readonly error: unknown } | undefined
  #running: Promise<unknown> | undefined

  /** @param scopeOf the scope of the caller */
  constructor(sql: string, scopeOf: () => Scope, open: () => Rows) {
    this.sql = sql
    this.#scopeOf = scopeOf
    this.#open = open
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<QueryResult<any>>> {
    if (this.#ended !== undefined) return this.#afterEnd()
    if (this.#leave === undefined) {
      this.#leave = await this.#scopeOf().openStream(this)
      this.#rows = this.#open()
    }
    try {
      const step = this.#rows!.next()
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

  async return(): Promise<IteratorResult<QueryResult<any>>> {
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

  async #finish(error: unknown): Promise<void> {
    this.#ended ??= { error: undefined }
    await this.#leave?.(error)
  }

  #afterEnd(): IteratorResult<QueryResult<any>> {
    const { error } = this.#ended!
    if (error !== undefined) throw error
    return { done: true, value: undefined }
  }
}
