import { excerpt } from '@keelson/core'
import { DuckDBStatementError } from '../errors.ts'
import type { Setting } from './settings.ts'

/** Two names of one setting. */
const aliases: Readonly<Record<string, string>> = {
  worker_threads: 'threads',
  max_memory: 'memory_limit',
}

const tokens = /--[^\n]*|\/\*[^]*?\*\/|"[^"]*"|\w+|[^\s]/g

/**
 * Refuses to set or reset, for the whole instance, what was set and verified when the database was opened: everybody
 * who has the same file open shares it, and counts on it.
 *
 * @param sql a `SET`, `RESET` or `PRAGMA`
 * @param settings of the instance
 * @throws {DuckDBStatementError} `SETTING_GUARDED`
 */
export function refuseGuardedSetting(sql: string, settings: readonly Setting[]): void {
  const name = nameIn(sql)
  const guarded = settings.find((setting) => setting.name.toLowerCase() === (aliases[name] ?? name))
  if (guarded === undefined) return
  throw new DuckDBStatementError(
    'SETTING_GUARDED',
    `${excerpt(sql)} would change a setting that was verified when the database was opened, for everybody who has it ` +
      `open. Use the option \`${guarded.option}\`.`,
  )
}

function nameIn(sql: string): string {
  const words: string[] = []
  for (const [token] of sql.matchAll(tokens)) {
    if (/^(--|\/\*|;)/.test(token)) continue
    words.push(token.replaceAll('"', '').toLowerCase())
    if (words.length === 3) break
  }
  const [, first = '', second = ''] = words
  return first === 'global' ? second : first
}
