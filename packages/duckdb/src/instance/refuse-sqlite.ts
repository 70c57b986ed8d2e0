import { closeSync, openSync, readSync } from 'node:fs'
import { DuckDBOpenError } from '../errors.ts'
import { inaccessible } from '../path.ts'

/**
 * Refuses a SQLite file, for which DuckDB would look for an extension, or download one.
 *
 * @param path an existing file that nobody in this process has open: closing it here releases the locks of all others
 */
export function refuseSqlite(path: string): void {
  const head = Buffer.alloc(16)
  try {
    const file = openSync(path, 'r')
    try {
      readSync(file, head, 0, 16, 0)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw inaccessible(path, error)
  }
  if (head.toString('latin1') !== 'SQLite format 3\0') return
  throw new DuckDBOpenError(
    'NOT_A_DATABASE',
    `${path} is a SQLite database, not one of DuckDB. Open it with @keelson/sqlite; nothing was changed in the file.`,
  )
}
