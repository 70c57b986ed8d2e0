import { setTimeout as sleep } from 'node:timers/promises'
import {
  attachSuppressed,
  describeError,
  KeelsonError,
  type Steps,
  takeSteps,
  takeStepsNow,
  wait,
} from '@keelson/core'
import type { LockNames, MigrationEngine } from './engine/engine.ts'
import type { SqliteSettings } from './engine/sqlite-settings.ts'
import { MigrationLockError } from './errors.ts'
import type { MigrationHost, MigrationLine, MigrationSession } from './migration-host.ts'

/** Somebody else has what this one needs; nothing has been done, and it can be tried again. */
export class HeldElsewhere extends Error {
  readonly holder: string | undefined

  constructor(holder: string | undefined) {
    super('held elsewhere')
    this.holder = holder
  }
}

/** What a locked transaction is told of SQLite; undefined on other engines. */
export type Settings = SqliteSettings | undefined

export interface LockOptions {
  readonly host: MigrationHost
  readonly engine: MigrationEngine
  readonly line: MigrationLine
  readonly names: LockNames
  readonly timeoutMs: number
  readonly waiting: (holder: string | undefined) => void
}

/**
 * Keeps others out while something reads what has been applied and acts on it. What cannot have the lock at once begins its
 * transaction anew each time, so that it sees what the one before it has committed.
 */
export class MigrationLock {
  readonly #options: LockOptions
  #isHeldBySession = false
  #isHeldElsewhere = false

  constructor(options: LockOptions) {
    this.#options = options
  }

  /** @throws {MigrationLockError} */
  transaction<R>(body: (session: MigrationSession, settings: Settings) => Steps<R>): Promise<R> {
    return this.#retry((attempt) => this.#attempt(body, attempt))
  }

  /**
   * Runs `fn` without a transaction and keeps others out: by a lock of the session, or by a transaction on another
   * connection where there is more than one. On SQLite and DuckDB the note of the migration does it.
   *
   * @throws {MigrationLockError}
   */
  async exclusively<R>(fn: () => Promise<R>): Promise<R> {
    const { engine, line, names } = this.#options
    const { sessionLock } = engine
    if (sessionLock === undefined || this.#isHeldBySession || this.#isHeldElsewhere) return fn()
    if (!line.isPinned) {
      return this.transaction(
        function* (this: MigrationLock): Steps<R> {
          this.#isHeldElsewhere = true
          try {
            return yield* wait(fn())
          } finally {
            this.#isHeldElsewhere = false
          }
        }.bind(this),
      )
    }
    await this.#retry(async () => {
      const isTaken = await takeSteps(sessionLock.tryLock(line, names))
      if (!isTaken) throw new HeldElsewhere(await takeSteps(engine.holder(line, names)))
    })
    this.#isHeldBySession = true
    let failure: { readonly error: unknown } | undefined
    try {
      return await fn()
    } catch (error) {
      failure = { error }
      throw error
    } finally {
      this.#isHeldBySession = false
      await takeSteps(sessionLock.release(line, names)).catch((error: unknown) => {
        // A connection that is gone has no lock either.
        if (failure !== undefined) attachSuppressed(failure.error, error)
      })
    }
  }

  /** Takes steps outside a transaction, with SQLite's settings as in one. */
  loosely<R>(body: (session: MigrationSession, settings: Settings) => Steps<R>): Promise<R> {
    const { line, engine } = this.#options
    return this.#take(
      engine.withSettings?.(line, (settings) =>
        line.outside(function* (session): Steps<R> {
          yield* settings.locked(session)
          return yield* body(session, settings)
        }),
      ) ?? line.outside((session) => body(session, undefined)),
    )
  }

  async #attempt<R>(
    body: (session: MigrationSession, settings: Settings) => Steps<R>,
    attempt: Attempt,
  ): Promise<R> {
    const { line, engine } = this.#options
    const steps =
      engine.withSettings?.(line, (settings) => this.#transaction(body, attempt, settings)) ??
      this.#transaction(body, attempt, undefined)
    const run = this.#take(steps)
    return line.waitsForLock ? await before(attempt, run, line) : await run
  }

  *#transaction<R>(
    body: (session: MigrationSession, settings: Settings) => Steps<R>,
    attempt: Attempt,
    settings: Settings,
  ): Steps<R> {
    const { line } = this.#options
    const inside = this.#locked.bind(this)
    return yield* wait(
      line.transaction(function* (session): Steps<R> {
        yield* inside(session, attempt, settings)
        return yield* body(session, settings)
      }),
    )
  }

  *#locked(session: MigrationSession, attempt: Attempt, settings: Settings): Steps<void> {
    const { engine, names } = this.#options
    if (attempt.isAbandoned) throw new HeldElsewhere(undefined)
    if (!this.#isHeldElsewhere && !(yield* engine.tryLock(session, names))) {
      throw new HeldElsewhere(yield* engine.holder(session, names))
    }
    if (settings !== undefined) yield* settings.locked(session)
    attempt.hasLock = true
  }

  async #retry<R>(run: (attempt: Attempt) => Promise<R>): Promise<R> {
    const { timeoutMs } = this.#options
    const deadline = performance.now() + timeoutMs
    let pauseMs = 10
    for (let isFirst = true; ; isFirst = false) {
      const attempt: Attempt = { deadline, hasLock: false, isAbandoned: false }
      try {
        return await run(attempt)
      } catch (error) {
        const isHeld = error instanceof HeldElsewhere || (!attempt.hasLock && isBusy(error))
        if (!isHeld) throw error
        const holder = error instanceof HeldElsewhere ? error.holder : undefined
        if (performance.now() >= deadline) throw this.#timeout(holder, error)
        if (isFirst) this.#options.waiting(holder)
        await sleep(Math.min(pauseMs, Math.max(0, deadline - performance.now())))
        pauseMs = Math.min(pauseMs * 1.5, 250)
      }
    }
  }

  async #take<R>(steps: Steps<R>): Promise<R> {
    const { isSynchronous } = this.#options.host
    return isSynchronous ? takeStepsNow(steps, waitsError) : await takeSteps(steps)
  }

  #timeout(holder: string | undefined, error: unknown): MigrationLockError {
    return lockError(this.#options.timeoutMs, holder, error)
  }
}

export function lockError(
  timeoutMs: number,
  holder: string | undefined,
  cause?: unknown,
): MigrationLockError {
  return new MigrationLockError(
    `Gave up after ${timeoutMs} ms (lockTimeoutMs) of waiting to migrate: ` +
      `${holder === undefined ? 'somebody else has the lock, or is writing' : `the lock is held by ${holder}`}. ` +
      'Let that end first; where it takes that long, pass a longer `lockTimeoutMs`.',
    holder,
    cause === undefined || cause instanceof HeldElsewhere ? undefined : { cause },
  )
}

interface Attempt {
  readonly deadline: number
  /** From here on nothing that fails is tried again. */
  hasLock: boolean
  /** Nobody waits for it any more: it must not do anything. */
  isAbandoned: boolean
}

/** The driver waits by itself, and longer than was asked for. */
async function before<R>(attempt: Attempt, run: Promise<R>, line: MigrationLine): Promise<R> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => {
        if (attempt.hasLock) return
        attempt.isAbandoned = true
        reject(new HeldElsewhere(undefined))
        line.giveUp()
      },
      Math.max(0, attempt.deadline - performance.now()),
    )
  })
  try {
    return await Promise.race([run, timeout])
  } finally {
    clearTimeout(timer)
    run.catch(() => {})
  }
}

function isBusy(error: unknown): boolean {
  const { category, code } = describeError(error)
  return category === 'busy' || code === 'MIGRATION_LOCK_TIMEOUT'
}

function waitsError(): KeelsonError {
  return new KeelsonError(
    'SYNCHRONOUS_DRIVER',
    'migrateSafely(): better-sqlite3 under Drizzle is synchronous, so that a migration cannot wait. Use @keelson/sqlite.',
  )
}
