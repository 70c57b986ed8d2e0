import { setTimeout as sleep } from 'node:timers/promises'
import { SchemaLockError } from '../../errors.ts'
import type { Patience } from './schema-lock.ts'

const maxDelayMs = 100

/**
 * Runs `attempt` again for as long as somebody else is in its way.
 *
 * @param isInTheWay whether an error means that
 * @throws {SchemaLockError} after `lockTimeoutMs`; its `cause` is the engine's error
 */
export async function untilFree<R>(
  { where, lockTimeoutMs, signal }: Patience,
  attempt: () => Promise<R>,
  isInTheWay: (error: unknown) => boolean,
): Promise<R> {
  const start = performance.now()
  for (let number = 1; ; number++) {
    signal?.throwIfAborted()
    try {
      return await attempt()
    } catch (error) {
      if (!isInTheWay(error)) throw error
      const elapsedMs = performance.now() - start
      if (elapsedMs >= lockTimeoutMs) throw lockTimeout(where, elapsedMs, error)
      // Full jitter: who has met once must not meet again.
      const delayMs = Math.random() * Math.min(maxDelayMs, 2 ** number)
      await sleep(Math.min(delayMs, lockTimeoutMs - elapsedMs), undefined, { signal })
    }
  }
}

export function lockTimeout(where: string, waitedMs: number, cause?: unknown): SchemaLockError {
  return new SchemaLockError(
    `${where} waited ${Math.round(waitedMs)} ms for the lock on the schema, and somebody else still has it. ` +
      'See who has a transaction open, or wait longer with `lockTimeoutMs`. Nothing was changed.',
    cause === undefined ? undefined : { cause },
  )
}
