import { statSync } from 'node:fs'
import type { BetterSqlite3Database } from '../better-sqlite3.ts'
import type { SqliteSize } from './maintenance.ts'

/** What a database occupies. */
export function sizeOf(database: BetterSqlite3Database, path: string): SqliteSize {
  const pragma = (name: string): number => database.pragma(name, { simple: true }) as number
  const pageSize = pragma('page_size')
  const pages = pragma('page_count')
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false })
  return {
    pageSize,
    pages,
    freePages: pragma('freelist_count'),
    bytes: pageSize * pages,
    walBytes: log?.size ?? 0,
  }
}
