import { attachSuppressed, describeError, type Steps, takeSteps, wait } from '@keelson/core'
import type { HostSession } from '../../host/host.ts'
import type { Patience, SchemaLock } from './schema-lock.ts'

/** "keelson" in ASCII. PostgreSQL keeps such locks by database, so that it can be the same in all of them. */
const key = '30229308793646958'

/**
 * An advisory lock, since `CREATE ... IF NOT EXISTS` of several sessions fails in PostgreSQL's own catalogue. In a
 * transaction it ends with that, so that it also works through a pooler that gives out a connection for each transaction.
 */
export const postgresqlLock: SchemaLock = {
  *take(session, patience, isOutermost) {
    // What was committed while it waited has to be seen, whatever the default of the database.
    if (isOutermost) yield* wait(session.run('set transaction isolation level read committed'))
    yield* waitAtMost(session, patience, 'set local')
    yield* wait(session.query(`select pg_advisory_xact_lock(${key})`))
  },

  async hold(pinned, patience, fn) {
    await takeSteps(waitAtMost(pinned, patience, 'set'))
    await pinned.query(`select pg_advisory_lock(${key})`)
    const release = async (): Promise<void> => {
      await pinned.query(`select pg_advisory_unlock(${key})`)
      await pinned.run('reset lock_timeout')
    }
    let result
    try {
      result = await fn()
    } catch (error) {
      await release().catch((later: unknown) => attachSuppressed(error, later))
      throw error
    }
    await release()
    return result
  },

  isInTheWay: (error) => describeError(error).retryable,
  // lock_not_available
  isTimeout: (error) => describeError(error).sqlState === '55P03',
}

/** It holds for the locks on tables, too: everybody queues behind a statement of DDL that waits for one. */
function* waitAtMost(
  session: HostSession,
  { lockTimeoutMs }: Patience,
  set: 'set' | 'set local',
): Steps<void> {
  // 0 would be for ever.
  yield* wait(session.run(`${set} lock_timeout = ${Math.max(1, Math.ceil(lockTimeoutMs))}`))
}
