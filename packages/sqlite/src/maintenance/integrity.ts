import type { BetterSqlite3Database } from '../better-sqlite3.ts'

/** What `PRAGMA integrity_check` finds, empty for a sound file; damage that stops the check itself is a finding too. */
export function integrityProblems(database: Pick<BetterSqlite3Database, 'prepare'>): string[] {
  const lines: string[] = []
  try {
    const rows = database.prepare('pragma integrity_check').raw(true).iterate()
    for (const [line] of rows as Iterable<[string]>) lines.push(line)
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string }
    if (!String(code).startsWith('SQLITE_CORRUPT')) throw error
    lines.push(message)
  }
  return lines.filter((line) => line !== 'ok')
}
