import { acquireTimeoutError } from '../run/acquire-timeout-error.ts'
import type { AcquireOptions } from '../run/run-transaction.ts'

/**
 * Waits for a connection, but not for longer than it may. One that comes too late is given back.
 *
 * @throws {TransactionAcquireTimeoutError} after `timeoutMs`; the signal's reason
 */
export async function acquireInTime<C>(
  acquired: Promise<C>,
  { timeoutMs, signal }: AcquireOptions,
  giveBack: (late: C) => unknown,
): Promise<C> {
  if (timeoutMs === undefined && signal === undefined) return acquired
  let timer: NodeJS.Timeout | undefined
  let abort: (() => void) | undefined
  let gaveUp = false
  try {
    return await Promise.race([
      acquired,
      new Promise<never>((_, reject) => {
        const giveUp = (error: unknown): void => {
          gaveUp = true
          reject(error)
        }
        if (timeoutMs !== undefined)
          timer = setTimeout(() => giveUp(acquireTimeoutError(timeoutMs)), timeoutMs)
        if (signal === undefined) return
        abort = () => giveUp(signal.reason)
        if (signal.aborted) abort()
        else signal.addEventListener('abort', abort, { once: true })
      }),
    ])
  } finally {
    clearTimeout(timer)
    if (abort !== undefined) signal?.removeEventListener('abort', abort)
    if (gaveUp) acquired.then(giveBack, () => {})
  }
}
