import { OptionError, type Steps, takeSteps, wait } from '@keelson/core'
import type { Host, HostSession } from '../host/host.ts'
import type { IndexAdvice } from './report/advice.ts'

/** Creates what is proposed, and gathers the statistics that the proposals reckon with: all of it, or nothing. */
export async function createAdvised(host: Host, advice: IndexAdvice): Promise<void> {
  if (advice.engine !== host.engine) {
    throw new OptionError(
      'INVALID_OPTION',
      'advice',
      `applyAdvice() cannot create indexes for ${advice.engine} on ${host.engine}. Advise on this database. Nothing was done.`,
    )
  }
  if (advice.sql.length === 0) return
  const create = function* (session: HostSession): Steps<void> {
    for (const sql of advice.sql) yield* wait(session.run(sql))
  }
  await takeSteps(host.atomically(create))
}
