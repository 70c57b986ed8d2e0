import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { DuckDBDatabase } from '@keelson/duckdb'
import type { SqliteDatabase } from '@keelson/sqlite'
import { printTable } from './terminal.ts'

/** `close()` lets open work finish for a while, and reports what it had to end by force. */
export async function closeBoth(sqlite: SqliteDatabase, duckdb: DuckDBDatabase): Promise<void> {
  const reports = [
    { path: sqlite.path, ...(await sqlite.close()) },
    { path: duckdb.path, ...(await duckdb.close()) },
  ]
  const rows = reports.map(async ({ path, forced }) => {
    const { size } = await stat(path)
    return [basename(path), size / 1e6, forced.length === 0 ? 'nothing' : forced.join('\n')]
  })
  printTable(['file', 'MB', 'ended by force'], await Promise.all(rows))
}
