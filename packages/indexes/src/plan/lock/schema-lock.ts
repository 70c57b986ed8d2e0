import { type Steps, takeSteps, wait } from '@keelson/core'
import type { Host, HostSession, PinnedHost } from '../../host/host.ts'
import { checkSchemaEngine, type SchemaEngine } from '../schema-engine.ts'
import { duckdbLock } from './duckdb-lock.ts'
import { postgresqlLock } from './postgresql-lock.ts'
import { lockTimeout, untilFree } from './retry.ts'
import { sqliteLock } from './sqlite-lock.ts'

/** What an engine offers for one at a time to change its schema, among all processes that use this package. */
export interface SchemaLock {
  /**
   * The first statements of a transaction that is to have the lock until its end.
   *
   * @returns what puts settings back, for what comes after it in somebody else's transaction
   */
  readonly take: (
    session: HostSession,
    patience: Patience,
    isOutermost: boolean,
  ) => Steps<(() => Steps<void>) | void>
  /** Runs `fn` while it has the lock, in no transaction. Absent where DDL always is in one. */
  readonly hold?: <R>(pinned: HostSession, patience: Patience, fn: () => Promise<R>) => Promise<R>
  /** Runs `fn` in its turn among those of this process, for an engine that lets no other process in. */
  readonly inTurn?: <R>(host: PinnedHost, patience: Patience, fn: () => Promise<R>) => Promise<R>
  /** Whether an error means that somebody else was in the way, and nothing of the transaction is kept. */
  readonly isInTheWay: (error: unknown) => boolean
  /** Whether an error means that the engine itself has waited for as long as it was told to. */
  readonly isTimeout?: (error: unknown) => boolean
}

export interface Patience {
  /** The function that was called, for messages: `applyPlan()`. */
  readonly where: string
  /** How long to wait for the lock, in milliseconds. */
  readonly lockTimeoutMs: number
  readonly signal?: AbortSignal | undefined
}

const locks: Readonly<Record<SchemaEngine, SchemaLock>> = {
  sqlite: sqliteLock,
  duckdb: duckdbLock,
  postgresql: postgresqlLock,
}

function lockOf({ engine }: PinnedHost, { where }: Patience): SchemaLock {
  checkSchemaEngine(where, engine)
  return locks[engine]
}

/**
 * Runs steps in a transaction that has the lock on the schema from its first statement to its end. They begin anew where
 * another transaction was in the way, and nothing of them is kept. Inside an open transaction they run once, as a part of
 * it.
 *
 * @param atomically what begins the transaction, where it is to be another one than that of the host
 * @throws {SchemaLockError} when it cannot be had in time
 */
export async function inLockedTransaction<R>(
  host: PinnedHost,
  patience: Patience,
  fn: (session: HostSession) => Steps<R>,
  atomically: PinnedHost['atomically'] = (steps) => host.atomically(steps),
): Promise<R> {
  const lock = lockOf(host, patience)
  const isOutermost = !host.isInTransaction
  const locked = function* (session: HostSession): Steps<R> {
    const restore = yield* lock.take(session, patience, isOutermost)
    const result = yield* fn(session)
    // What fails is undone, and its settings with it.
    if (!isOutermost && restore !== undefined) yield* restore()
    return result
  }
  const attempt = (): Promise<R> => telling(lock, patience, () => takeSteps(atomically(locked)))
  if (!isOutermost) return attempt()
  const attempts = (): Promise<R> => untilFree(patience, attempt, lock.isInTheWay)
  return lock.inTurn === undefined ? attempts() : lock.inTurn(host, patience, attempts)
}

/**
 * Runs `fn` while a connection of its own, which it gets, has the lock on the schema: for what can be in no transaction, or takes
 * several.
 *
 * @throws {SchemaLockError} when it cannot be had in time
 */
export async function onLockedConnection<R>(
  host: Host,
  patience: Patience,
  fn: (pinned: PinnedHost) => Promise<R>,
): Promise<R> {
  const lock = lockOf(host, patience)
  return telling(lock, patience, () =>
    takeSteps(
      host.onConnection(function* (pinned) {
        const run = (): Promise<R> => fn(pinned)
        return yield* wait(lock.hold === undefined ? run() : lock.hold(pinned, patience, run))
      }),
    ),
  )
}

async function telling<R>(
  { isTimeout }: SchemaLock,
  { where, lockTimeoutMs }: Patience,
  fn: () => Promise<R>,
): Promise<R> {
  try {
    return await fn()
  } catch (error) {
    if (isTimeout?.(error) !== true) throw error
    throw lockTimeout(where, lockTimeoutMs, error)
  }
}
