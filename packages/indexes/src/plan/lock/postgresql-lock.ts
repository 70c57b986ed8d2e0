import { setTimeout as sleep } from 'node:timers/promises'
import { attachSuppressed, describeError, type Steps, takeSteps, wait } from '@keelson/core'
import type { HostSession } from '../../host/host.ts'
import { lockTimeout } from './retry.ts'
import type { Patience, SchemaLock } from './schema-lock.ts'

/** "keelson" in ASCII. PostgreSQL keeps such locks by database, so that it can be the same in all of them. */
const key = '30229308793646958'

const maxDelayMs = 100

/**
 * An advisory lock, since `CREATE ... IF NOT EXISTS` of several sessions fails in PostgreSQL's own catalogue. In a
 * transaction it ends with that, so that it also works through a pooler that gives out a connection for each transaction.
 */
export const postgresqlLock: SchemaLock = {
  *take(session, patience, isOutermost) {
    // What was committed while it waited has to be seen, whatever the default of the database.
    if (isOutermost) yield* wait(session.run('set transaction isolation level read committed'))
    yield* acquire(session, patience, 'pg_try_advisory_xact_lock')
    return yield* waitAtMost(session, patience, true)
  },

  async hold(pinned, patience, fn) {
    await takeSteps(acquire(pinned, patience, 'pg_try_advisory_lock'))
    let restore: (() => Steps<void>) | undefined
    const release = async (): Promise<void> => {
      await pinned.query(`select pg_advisory_unlock(${key})`)
      if (restore !== undefined) await takeSteps(restore())
    }
    let result
    try {
      restore = await takeSteps(waitAtMost(pinned, patience, false))
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

/**
 * Asks again and again. A statement that waits for the lock has a snapshot, and a concurrent build of whoever has the lock waits for
 * all that are older than it: a deadlock.
 */
function* acquire(
  session: HostSession,
  { where, lockTimeoutMs, signal }: Patience,
  by: 'pg_try_advisory_lock' | 'pg_try_advisory_xact_lock',
): Steps<void> {
  const start = performance.now()
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted()
    const [row] = yield* wait(session.query(`select ${by}(${key}) as taken`))
    if (row?.['taken'] === true) return
    const leftMs = lockTimeoutMs - (performance.now() - start)
    if (leftMs <= 0) throw lockTimeout(where, lockTimeoutMs)
    // Full jitter: who has met once must not meet again.
    const delayMs = Math.random() * Math.min(maxDelayMs, 2 ** attempt)
    yield* wait(sleep(Math.min(delayMs, leftMs), undefined, { signal }))
  }
}

/**
 * It holds for the locks on tables, too: everybody queues behind a statement of DDL that waits for one.
 *
 * @returns what sets it back to what it was
 */
function* waitAtMost(
  session: HostSession,
  { lockTimeoutMs }: Patience,
  isLocal: boolean,
): Steps<() => Steps<void>> {
  // 0 would be for ever.
  const timeout = String(Math.max(1, Math.ceil(lockTimeoutMs)))
  const [row] = yield* wait(session.query(`select current_setting('lock_timeout') as before`))
  const set = function* (to: string): Steps<void> {
    yield* wait(session.query('select set_config($1, $2, $3)', ['lock_timeout', to, isLocal]))
  }
  yield* set(timeout)
  return () => set(String(row?.['before']))
}
