import { attachSuppressed, OptionError, type Steps, takeSteps, wait } from '@keelson/core'
import { foreignKeyViolations, type Violations } from '../../host/foreign-key-violations.ts'
import type { HostSession } from '../../host/host.ts'
import { MigrationLockError } from '../errors.ts'
import type { MigrationLine } from '../migration-host.ts'

/**
 * SQLite's settings during one transaction of a migration. Foreign keys are off before it begins, since they cannot change
 * inside one and a rebuilt table would delete the rows that refer to it
 * (https://www.sqlite.org/lang_altertable.html#otheralter); and who waits for the write lock waits between attempts, since
 * the engine's own wait would block the event loop.
 */
export class SqliteSettings {
  readonly enforced: boolean
  readonly #line: MigrationLine
  readonly #changesForeignKeys: boolean
  readonly #busyTimeoutMs: number | undefined

  private constructor(line: MigrationLine, enforced: boolean, busyTimeoutMs: number | undefined) {
    this.#line = line
    this.enforced = line.suspendedForeignKeys ?? enforced
    this.#changesForeignKeys = enforced && line.suspendedForeignKeys === undefined
    this.#busyTimeoutMs = busyTimeoutMs
  }

  /** Changes the settings, runs steps, and puts them back whatever comes of it. */
  static *during<R>(line: MigrationLine, fn: (settings: SqliteSettings) => Steps<R>): Steps<R> {
    const busyTimeoutMs = line.waitsForLock ? undefined : yield* numberOf(line, 'busy_timeout')
    const settings = new SqliteSettings(
      line,
      (yield* numberOf(line, 'foreign_keys')) === 1,
      busyTimeoutMs,
    )
    let failure: { readonly error: unknown } | undefined
    try {
      yield* settings.#begin()
      return yield* fn(settings)
    } catch (error) {
      failure = { error }
      throw error
    } finally {
      yield* settings.#end(failure)
    }
  }

  /** To be called once the write lock is there: a commit may have to wait for readers. */
  *locked(session: HostSession): Steps<void> {
    if (this.#busyTimeoutMs === undefined) return
    yield* wait(session.query(`pragma busy_timeout = ${this.#busyTimeoutMs}`))
  }

  /** Empty where foreign keys are not enforced. */
  *violations(session: HostSession): Steps<Violations> {
    return this.enforced ? yield* foreignKeyViolations(session) : new Map()
  }

  *#begin(): Steps<void> {
    if (this.#busyTimeoutMs !== undefined) yield* wait(this.#line.query('pragma busy_timeout = 0'))
    if (this.#changesForeignKeys) yield* this.#enforce(false)
  }

  *#end(failure: { readonly error: unknown } | undefined): Steps<void> {
    try {
      if (this.#changesForeignKeys) yield* this.#enforce(true)
      if (this.#busyTimeoutMs !== undefined) {
        yield* wait(this.#line.query(`pragma busy_timeout = ${this.#busyTimeoutMs}`))
      }
    } catch (error) {
      if (failure === undefined) throw error
      attachSuppressed(failure.error, error)
    }
  }

  *#enforce(on: boolean): Steps<void> {
    yield* wait(this.#line.run(`pragma foreign_keys = ${on ? 'on' : 'off'}`))
    if (((yield* numberOf(this.#line, 'foreign_keys')) === 1) === on) return
    throw foreignKeysError(on)
  }
}

/** @param on what was asked for */
function foreignKeysError(on: boolean): OptionError {
  return new OptionError(
    'SETTING_NOT_APPLIED',
    'foreign_keys',
    `migrateSafely(): SQLite did not turn foreign-key enforcement ${on ? 'back on' : 'off'} for a migration. ` +
      (on
        ? 'Close this connection, and open another one.'
        : 'Nothing was migrated. The statements of this driver may run on several connections: use one that has a single one.'),
  )
}

/**
 * Runs `fn` on a driver that suspends foreign keys itself, and sees to it that they are enforced again.
 *
 * @throws {OptionError} `SETTING_NOT_APPLIED`; attached to the error of `fn` where that failed
 */
export async function restoring<R>(
  session: HostSession,
  enforced: boolean,
  fn: () => Promise<R>,
): Promise<R> {
  const verify = async (): Promise<void> => {
    if (!enforced || (await takeSteps(numberOf(session, 'foreign_keys'))) === 1) return
    throw foreignKeysError(true)
  }
  let result: R
  try {
    result = await fn()
  } catch (error) {
    // Nothing was suspended, and the driver's own wait, which may still go on, would keep the question waiting, too.
    if (error instanceof MigrationLockError) throw error
    await verify().catch((later: unknown) => attachSuppressed(error, later))
    throw error
  }
  await verify()
  return result
}

export function* numberOf(
  session: HostSession,
  pragma: 'busy_timeout' | 'foreign_keys',
): Steps<number> {
  const [row] = yield* wait(session.query(`pragma ${pragma}`))
  return Number(Object.values(row ?? {})[0])
}
