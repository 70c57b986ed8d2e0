import Database from 'better-sqlite3'
import type { BetterSqlite3Database } from '../better-sqlite3.ts'
import { integrityProblems } from './integrity.ts'

/** What is wrong with a copy. */
export function problemsOf(file: string): readonly string[] {
  const copy = new Database(file) as unknown as BetterSqlite3Database
  try {
    // A copy in WAL mode would leave files of its own beside it.
    copy.pragma('journal_mode = delete')
    return integrityProblems(copy)
  } finally {
    copy.close()
  }
}
