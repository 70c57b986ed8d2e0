import type { DuckDBDatabase } from '@keelson/duckdb'
import { print, printTable } from '../terminal.ts'

interface Settings {
  version: string
  threads: number
  memory_limit: string
  autoinstall_known_extensions: boolean
}

/** `openDuckDB()` has read each setting back after it was set; this asks DuckDB once more. */
export async function showDuckDBSettings(database: DuckDBDatabase): Promise<void> {
  const { rows } = await database.execute<Settings>(
    `select version() as version,
            current_setting('threads') as threads,
            current_setting('memory_limit') as memory_limit,
            current_setting('autoinstall_known_extensions') as autoinstall_known_extensions`,
  )
  const { version, threads, memory_limit, autoinstall_known_extensions } = rows[0]!
  print(`DuckDB ${version} says of its settings:`)
  printTable(
    ['setting', 'value', 'meaning'],
    [
      ['threads', String(threads), 'it computes beside Node, not in it'],
      ['memory_limit', memory_limit, 'what does not fit goes to the disk'],
      [
        'autoinstall_known_extensions',
        String(autoinstall_known_extensions),
        'nothing is downloaded unasked',
      ],
    ],
  )
}
