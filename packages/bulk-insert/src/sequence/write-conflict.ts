import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '@keelson/core'
import { WriteConflictError } from '../errors.ts'
import type { Host } from '../host/host.ts'

/** A key that somebody else has just taken is seen by the next attempt. */
const maxUniqueAttempts = 5
const maxDelayMs = 100

export interface ConflictOptions {
  /** What is written, for the message: `the counter "invoice"`. */
  readonly what: string
  /** How long attempts are made, where the transaction is one of their own. */
  readonly retryForMs: number
}

/**
 * Runs `attempt`, which begins a transaction or joins the caller's. Where another transaction was in the way it runs again,
 * if the transaction is its own; the caller's is the caller's to run again, and the error says so.
 *
 * @throws {WriteConflictError} when another transaction was in the way
 */
export async function throughConflicts<R>(
  host: Host,
  { what, retryForMs }: ConflictOptions,
  attempt: (number: number) => Promise<R>,
): Promise<R> {
  const isOwn = !host.isInTransaction
  const { engine, savepoint } = host.traits
  const start = performance.now()
  for (let number = 1; ; number++) {
    try {
      return await attempt(number)
    } catch (error) {
      const { category, retryable } = describeError(error)
      const isUnique = category === 'unique'
      if (!retryable && !isUnique) throw error
      if (isUnique && (isOwn || savepoint !== undefined)) {
        if (number >= maxUniqueAttempts) throw error
      } else if (!isOwn) {
        // DuckDB reports a key as taken that was committed after the transaction had begun, and does not show its row.
        if (isUnique && engine !== 'duckdb') throw error
        throw new WriteConflictError(
          `Another transaction is writing ${what}, or has written it since this one began. Run the whole transaction ` +
            'again: `transaction(db, fn, { retry: 10 })` of @keelson/transactions does that.',
          { cause: error },
        )
      }
      // Full jitter: who has met once must not meet again.
      const delayMs = Math.random() * Math.min(maxDelayMs, 2 ** number)
      const elapsedMs = performance.now() - start
      if (elapsedMs + delayMs > retryForMs && !isUnique) {
        throw new WriteConflictError(
          `Other transactions were in the way of ${what} for ${Math.round(elapsedMs)} ms and ${number} attempts. ` +
            'Let fewer write it at a time, or give it longer with `retryForMs`. Nothing was written.',
          { cause: error },
        )
      }
      await sleep(delayMs)
    }
  }
}
