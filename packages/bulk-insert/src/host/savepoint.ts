import { attachSuppressed } from '@keelson/core'
import type { HostSession } from './host.ts'

interface SavepointCommands {
  create(): Promise<unknown>
  rollbackTo(): Promise<unknown>
  release(): Promise<unknown>
}

/** Runs `fn` in a savepoint, and undoes what it did when it throws. */
export async function runInSavepoint<R>(
  fn: () => Promise<R>,
  { create, rollbackTo, release }: SavepointCommands,
): Promise<R> {
  await create()
  let result: R
  try {
    result = await fn()
  } catch (error) {
    try {
      await rollbackTo()
      await release()
    } catch (later) {
      attachSuppressed(error, later)
    }
    throw error
  }
  await release()
  return result
}

/**
 * Runs `fn` as a part of a transaction that has no savepoints: when it throws, nothing of the transaction may be committed,
 * as after any statement that failed.
 */
export async function dooms<R>(session: HostSession, fn: () => Promise<R>): Promise<R> {
  try {
    return await fn()
  } catch (error) {
    await session
      .query(`select error('a bulk insert in this transaction has failed')`)
      .catch(() => {})
    throw error
  }
}
