import {
  type EngineName,
  engineOfAdapter,
  type EngineSession,
  engineSession,
  type Steps,
  takeSteps,
  wait,
} from '@keelson/core'
import type { DatabaseConnection, Kysely } from 'kysely'
import { engines } from '../migrate/engine/engines.ts'
import { numberOf, restoring } from '../migrate/engine/sqlite-settings.ts'
import type { MigrationHost, MigrationLine, MigrationSession } from '../migrate/migration-host.ts'
import { KyselyHost, sessionOn } from './kysely-host.ts'
import { underMigrationLock } from './under-migration-lock.ts'

/** See `MigrationHost`. */
export class KyselyMigrationHost extends KyselyHost implements MigrationHost {
  readonly isSynchronous = false
  readonly #db: Kysely<any>

  constructor(db: Kysely<any>, where: string) {
    super(db, where)
    this.#db = db
  }

  async connected<R>(fn: (line: MigrationLine) => Promise<R>): Promise<R> {
    if (engineOfAdapter in this.#db.getExecutor().adapter) return this.#onOurs(fn)
    return this.#db.connection().execute((db) => fn(this.#line(db)))
  }

  /** Of other drivers. */
  #line(db: Kysely<any>): MigrationLine {
    return {
      ...migrationSession(db),
      isPinned: true,
      suspendedForeignKeys: undefined,
      waitsForLock: false,
      giveUp() {},
      transaction: (steps) => inTransaction(db, this.engine, steps),
      outside: (steps) => steps(migrationSession(db)),
    }
  }

  /**
   * Ours suspend foreign keys and keep Kysely's own Migrator out, by the migration lock. Each transaction has a connection of
   * its own, since @keelson/transactions ends a session of theirs with the transaction.
   */
  async #onOurs<R>(fn: (line: MigrationLine) => Promise<R>): Promise<R> {
    const isSqlite = this.engine === 'sqlite'
    const enforced = isSqlite && (await takeSteps(numberOf(this, 'foreign_keys'))) === 1
    const waiting = new Set<EngineSession>()
    const line: MigrationLine = {
      ...migrationSession(this.#db),
      isPinned: false,
      suspendedForeignKeys: isSqlite ? enforced : undefined,
      waitsForLock: true,
      giveUp() {
        for (const session of waiting) session.cancel(new Error('gave up waiting'))
      },
      transaction: (steps) => this.#locked(waiting, (db) => inTransaction(db, this.engine, steps)),
      outside: <T>(steps: (session: MigrationSession) => Steps<T>): Steps<T> =>
        wait(this.#locked(waiting, (db) => takeSteps(steps(migrationSession(db))))),
    }
    return restoring(this, enforced, () => fn(line))
  }

  #locked<R>(waiting: Set<EngineSession>, fn: (db: Kysely<any>) => Promise<R>): Promise<R> {
    return this.#db.connection().execute(async (db) => {
      const session = await sessionOf(db)
      if (session !== undefined) waiting.add(session)
      try {
        return await underMigrationLock(db, () => fn(db))
      } finally {
        if (session !== undefined) waiting.delete(session)
      }
    })
  }
}

function inTransaction<R>(
  db: Kysely<any>,
  engine: EngineName,
  steps: (session: MigrationSession) => Steps<R>,
): Promise<R> {
  const begun = db.transaction()
  // Under a stricter level it would not see what was committed while it waited.
  const { isolationLevel } = engines[engine]
  const builder = isolationLevel === undefined ? begun : begun.setIsolationLevel(isolationLevel)
  return builder.execute((trx) => takeSteps(steps(migrationSession(trx))))
}

function sessionOf(db: Kysely<any>): Promise<EngineSession | undefined> {
  return db
    .getExecutor()
    .provideConnection(
      async (connection: DatabaseConnection) =>
        (connection as { readonly [engineSession]?: EngineSession })[engineSession],
    )
}

function migrationSession(db: Kysely<any>): MigrationSession {
  return { ...sessionOn(db), handle: db }
}
