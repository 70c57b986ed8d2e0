import { excerpt } from '@keelson/core'
import { DuckDBStatementError } from '../errors.ts'
import type { Setting } from './settings.ts'

/** Two names of one setting. */
const aliases: Readonly<Record<string, string>> = {
  worker_threads: 'threads',
  max_memory: 'memory_limit',
}

const assignment =
  /^(?:\s|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/)*(?:(?:set|reset)\s+(?:(?:global|session|local)\s+)?|pragma\s+)(?:"([^"]+)"|(\w+))/i

/**
 * Refuses a `SET`, `RESET` or `PRAGMA` of what was set and verified when the database was opened: everybody who has the
 * same file open shares it, and counts on it.
 *
 * @param settings of the instance
 * @throws {DuckDBStatementError} `SETTING_GUARDED`
 */
export function refuseGuardedSetting(sql: string, settings: readonly Setting[]): void {
  const match = assignment.exec(sql)
  const name = (match?.[1] ?? match?.[2])?.toLowerCase()
  if (name === undefined) return
  const guarded = settings.find((setting) => setting.name.toLowerCase() === (aliases[name] ?? name))
  if (guarded === undefined) return
  throw new DuckDBStatementError(
    'SETTING_GUARDED',
    `${excerpt(sql)} would change a setting that was verified when the database was opened, for everybody who has it ` +
      `open. Use the option \`${guarded.option}\`.`,
  )
}
