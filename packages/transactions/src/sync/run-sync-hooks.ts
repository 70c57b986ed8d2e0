import { isThenable } from '@keelson/core'
import { AsyncCallbackError } from '../errors.ts'
import type { Hook } from '../scope/hooks.ts'

/** Runs all hooks, one after the other, and returns what they threw. */
export function runSyncHooks(hooks: readonly Hook[] | undefined): unknown[] {
  const errors: unknown[] = []
  for (const hook of hooks ?? []) {
    try {
      runSyncHook(hook)
    } catch (error) {
      errors.push(error)
    }
  }
  return errors
}

/** @throws {AsyncCallbackError} for one that goes on afterwards */
export function runSyncHook(hook: Hook): void {
  refuseThenable(hook(), 'A hook of a synchronous database')
}

/**
 * @param what returned the value
 * @throws {AsyncCallbackError} for a promise, whose rejection nobody else would hear
 */
export function refuseThenable(value: unknown, what: string): void {
  if (!isThenable(value)) return
  value.then(
    () => {},
    () => {},
  )
  throw new AsyncCallbackError(
    `${what} returned a promise, and cannot be waited for: this driver runs every statement at once, and the transaction ` +
      'ends when its callback returns. Make it a plain function, or use @keelson/sqlite/drizzle, whose transactions take ' +
      'async functions. What the callback of a transaction has done is rolled back.',
  )
}
