import { attachSuppressed } from '@keelson/core'
import type { Scope } from '../scope/scope.ts'

/**
 * A stream inside a scope: it takes the scope's turn with its first `next()`, keeps it until it has ended, and ends with
 * the scope at the latest.
 */
export class ScopedStream implements AsyncIterableIterator<unknown> {
  readonly sql: string
  readonly #scopeOf: () => Scope
  readonly #open: () => AsyncIterator<unknown>
  #rows: AsyncIterator<unknown> | undefined
  #leave: ((error?: unknown) => Promise<void>) | undefined
  #ended: { readonly error: unknown } | undefined
  #running: Promise<unknown> | undefined

  /** @param scopeOf the scope of the caller */
  constructor(sql: string, scopeOf: () => Scope, open: () => AsyncIterator<unknown>) {
    this.sql = sql
    this.#scopeOf = scopeOf
    this.#open = open
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<unknown>> {
    if (this.#ended !== undefined) return this.#afterEnd()
    this.#leave ??= await this.#scopeOf().openStream(this)
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

  async return(): Promise<IteratorResult<unknown>> {
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

  async #step(): Promise<IteratorResult<unknown>> {
    this.#rows ??= this.#open()
    return this.#rows.next()
  }

  async #finish(error: unknown): Promise<void> {
    this.#ended ??= { error: undefined }
    await this.#leave?.(error)
  }

  #afterEnd(): IteratorResult<unknown> {
    const { error } = this.#ended!
    if (error !== undefined) throw error
    return { done: true, value: undefined }
  }
}
