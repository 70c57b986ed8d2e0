import { setTimeout as sleep } from 'node:timers/promises'
import { busyDelaysMs, isPassingBusy } from '../statement/passing-busy.ts'

/**
 * Runs `attempt` until another process has let go of its lock, with the event loop free in between: SQLite's own
 * `busy_timeout` would stop it.
 *
 * @throws the engine's error, once `timeoutMs` have passed; the signal's reason
 */
export async function retryWhileBusy<T>(
  attempt: () => T,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T> {
  const start = performance.now()
  for (let round = 0; ; round++) {
    signal?.throwIfAborted()
    try {
      return attempt()
    } catch (error) {
      const left = timeoutMs - (performance.now() - start)
      if (!isPassingBusy(error) || left <= 0) throw error
      const delay = busyDelaysMs[Math.min(round, busyDelaysMs.length - 1)]!
      await sleep(
        Math.min(delay, left),
        undefined,
        signal === undefined ? undefined : { signal },
      ).catch(() => {})
    }
  }
}
