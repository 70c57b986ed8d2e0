import { attachSuppressed, engineOfAdapter, type Steps, takeSteps } from '@keelson/core'
import type { Kysely } from 'kysely'
import { HeldElsewhere } from '../migrate/migration-lock.ts'
import { foreignKeysError, numberOf } from '../migrate/engine/sqlite-settings.ts'
import type { MigrationHost, MigrationLine, MigrationSession } from '../migrate/migration-host.ts'
import { KyselyHost, sessionOn } from './kysely-host.ts'

/** See `MigrationHost`. */
export class KyselyMigrationHost extends KyselyHost implements MigrationHost {
  readonly #db: Kysely<any>

  constructor(db: Kysely<any>, where: string) {
    super(db, where)
    this.#db = db
  }

  connected<R>(deadline: number, fn: (line: MigrationLine) => Promise<R>): Promise<R> {
    return this.#db.connection().execute(async (db) => {
      // Ours suspend foreign keys and keep Kysely's own Migrator out; of others the Migrator asks for nothing but PostgreSQL's
      // lock, which is taken in each transaction.
      if (!(engineOfAdapter in db.getExecutor().adapter)) return fn(this.#line(db, undefined))
      return this.#underMigrationLock(db, deadline, fn)
    })
  }

  async #underMigrationLock<R>(
    db: Kysely<any>,
    deadline: number,
    fn: (line: MigrationLine) => Promise<R>,
  ): Promise<R> {
    const { adapter } = db.getExecutor()
    const isSqlite = this.engine === 'sqlite'
    const enforced = isSqlite && (await takeSteps(numberOf(sessionOn(db), 'foreign_keys'))) === 1
    await inTime(adapter.acquireMigrationLock(db, lockOptions), deadline)
    let failure: { readonly error: unknown } | undefined
    try {
      return await fn(this.#line(db, isSqlite ? enforced : undefined))
    } catch (error) {
      failure = { error }
      throw error
    } finally {
      try {
        await adapter.releaseMigrationLock(db, lockOptions)
        if (enforced && (await takeSteps(numberOf(sessionOn(db), 'foreign_keys'))) !== 1) {
          throw foreignKeysError(true)
        }
      } catch (error) {
        if (failure === undefined) throw error
        attachSuppressed(failure.error, error)
      }
    }
  }

  #line(db: Kysely<any>, suspendedForeignKeys: boolean | undefined): MigrationLine {
    const isolation = this.engine === 'postgresql' ? 'read committed' : undefined
    return {
      ...migrationSession(db),
      isPinned: true,
      suspendedForeignKeys,
      waitsForLock: suspendedForeignKeys !== undefined,
      transaction<R>(steps: (session: MigrationSession) => Steps<R>): Promise<R> {
        // Under a stricter level it would not see what was committed while it waited.
        const begun = db.transaction()
        const builder = isolation === undefined ? begun : begun.setIsolationLevel(isolation)
        return builder.execute((trx) => takeSteps(steps(migrationSession(trx))))
      },
    }
  }
}

/** What the Migrator gives to an adapter; ours need none of it. */
const lockOptions = { lockTable: 'kysely_migration_lock', lockRowId: 'migration_lock' }

function migrationSession(db: Kysely<any>): MigrationSession {
  return { ...sessionOn(db), handle: db }
}

/** The driver waits by itself, and longer than was asked for. Its connection ends the wait when it is released. */
async function inTime(taken: Promise<void>, deadline: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new HeldElsewhere(undefined)),
      Math.max(0, deadline - performance.now()),
    )
  })
  try {
    await Promise.race([taken, timeout])
  } finally {
    clearTimeout(timer)
    taken.catch(() => {})
  }
}
