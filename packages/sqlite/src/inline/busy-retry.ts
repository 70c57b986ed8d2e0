import { setTimeout as sleep } from 'node:timers/promises'

/** SQLITE_BUSY and its kin that pass when another process lets go; a stale snapshot (BUSY_SNAPSHOT) never does. */
export function isPassingBusy(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code
  return code === 'SQLITE_BUSY' || code === 'SQLITE_BUSY_RECOVERY' || code === 'SQLITE_BUSY_TIMEOUT'
}

// The delays of SQLite's own busy handler, in milliseconds: sqliteDefaultBusyCallback in
// https://github.com/sqlite/sqlite/blob/master/src/main.c
const delaysMs = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100]

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
      const delay = delaysMs[Math.min(round, delaysMs.length - 1)]!
      await sleep(
        Math.min(delay, left),
        undefined,
        signal === undefined ? undefined : { signal },
      ).catch(() => {})
    }
  }
}
