import { excerpt } from '@keelson/core/base'
import { SqliteStatementError } from '../errors.ts'
import { pragmaAssignment } from './verb.ts'

/** Settings on which the driver rests, and what to do instead of changing them behind its back. */
const guarded: Readonly<Record<string, string>> = {
  journal_mode: 'A file is in WAL mode as long as it is open here.',
  busy_timeout: 'SQLite would wait on the calling thread; use the option `busyTimeoutMs`.',
  synchronous: 'Use the option `synchronous`.',
}

/**
 * Refuses a PRAGMA that would change a setting that was verified when the database was opened; to read it is fine.
 *
 * @throws {SqliteStatementError} `SETTING_PRAGMA`
 */
export function refuseGuardedSetting(sql: string): void {
  const { name, value } = pragmaAssignment(sql) ?? {}
  const advice = name === undefined || value === undefined ? undefined : guarded[name]
  if (advice === undefined) return
  throw new SqliteStatementError(
    'SETTING_PRAGMA',
    `${excerpt(sql)} would change a setting that was verified when the database was opened. ${advice}`,
  )
}
