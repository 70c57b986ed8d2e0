/** SQLITE_BUSY and its kin that pass when another process lets go; a stale snapshot (BUSY_SNAPSHOT) never does. */
export function isPassingBusy(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code
  return code === 'SQLITE_BUSY' || code === 'SQLITE_BUSY_RECOVERY' || code === 'SQLITE_BUSY_TIMEOUT'
}

// The delays of SQLite's own busy handler, in milliseconds: sqliteDefaultBusyCallback in
// https://github.com/sqlite/sqlite/blob/master/src/main.c
/** How long to wait before each further attempt, in milliseconds; the last one stands for all that follow. */
export const busyDelaysMs: readonly number[] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100]
