import { checkOptionNames, OptionError, type Steps, wait } from '@keelson/core'
import { checkLockTimeout } from '../host/check-lock-timeout.ts'
import type { Host } from '../host/host.ts'
import { inLockedTransaction } from '../plan/lock/schema-lock.ts'
import { marked } from './capture/own-statements.ts'
import type { IndexAdvice } from './report/advice.ts'

/** What `applyAdvice()` may be told. */
export interface ApplyAdviceOptions {
  /** How long to wait for the lock on the schema, and on PostgreSQL for those on tables, in milliseconds. @default 30_000 */
  readonly lockTimeoutMs?: number | undefined
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined
}

const where = 'applyAdvice()'

/** Creates what is proposed, and gathers the statistics that the proposals reckon with: all of it, or nothing. */
export async function createAdvised(
  host: Host,
  advice: IndexAdvice,
  options: ApplyAdviceOptions = {},
): Promise<void> {
  checkOptionNames(where, options, ['lockTimeoutMs', 'signal'])
  const { lockTimeoutMs = 30_000, signal } = options
  checkLockTimeout(where, lockTimeoutMs)
  if (advice.engine !== host.engine) {
    throw new OptionError(
      'INVALID_OPTION',
      'advice',
      `${where} cannot create indexes for ${advice.engine} on ${host.engine}. Advise on this database. Nothing was done.`,
    )
  }
  if (advice.sql.length === 0) return
  const patience = { where, lockTimeoutMs, signal }
  await inLockedTransaction(marked(host), patience, function* (session): Steps<void> {
    for (const sql of advice.sql) yield* wait(session.run(unlessThere(sql)))
  })
}

/** Somebody else may have taken the same advice. The name says what the index is: one of the same name is the same. */
function unlessThere(sql: string): string {
  return sql.replace(/^create index /, 'create index if not exists ')
}
