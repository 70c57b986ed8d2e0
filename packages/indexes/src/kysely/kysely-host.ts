import {
  type AmbientTransactions,
  type EngineName,
  type EngineTraits,
  engineTraits,
  OptionError,
  type Steps,
  takeSteps,
  wait,
} from '@keelson/core'
import {
  acquireMigrationLock,
  engineNameOfAdapter,
  instanceOf,
  migrationLock,
  releaseMigrationLock,
} from '@keelson/core/kysely'
import { CompiledQuery, type Kysely } from 'kysely'
import type { Host, HostSession, Row } from '../host/host.ts'
import { withoutForeignKeys } from '../host/without-foreign-keys.ts'

/** See `Host`. */
export class KyselyHost implements Host {
  readonly engine: EngineName
  readonly traits: EngineTraits
  readonly identity: object
  readonly isSynchronous = false
  readonly #db: Kysely<any>
  readonly #where: string
  readonly #ambient: AmbientTransactions | undefined

  /** @throws {OptionError} for a dialect of another engine */
  constructor(db: Kysely<any>, where: string) {
    const { adapter } = db.getExecutor()
    const engine = engineNameOfAdapter(adapter)
    if (engine === undefined) {
      throw new OptionError(
        'INVALID_OPTION',
        'db',
        `${where} does not know this dialect: its adapter is none of SQLite, PostgreSQL, MySQL or DuckDB. ` +
          'Have its adapter extend the one of Kysely that its SQL follows.',
      )
    }
    this.#db = db
    this.#where = where
    this.#ambient = instanceOf(adapter)?.ambient
    this.engine = engine
    this.traits = engineTraits[engine]
    this.identity = adapter
  }

  get isInTransaction(): boolean {
    return this.#db.isTransaction || this.#ambient?.isOpen === true
  }

  query(sql: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> {
    return send(this.#db, sql, parameters)
  }

  run(sql: string, parameters: readonly unknown[] = []): Promise<unknown> {
    return send(this.#db, sql, parameters)
  }

  *atomically<R>(fn: (session: HostSession) => Steps<R>): Steps<R> {
    const run = (tx: unknown): Promise<R> => takeSteps(fn(sessionOn(tx as Kysely<any>)))
    const hasSavepoints = this.traits.savepoint !== undefined
    if (this.#ambient !== undefined) {
      const inside = hasSavepoints ? 'savepoint' : 'part'
      return yield* wait(this.#ambient.transaction(this.#db, run, inside))
    }
    return yield* wait(this.#db.isTransaction ? run(this.#db) : this.#db.transaction().execute(run))
  }

  *atomicallyWithoutForeignKeys<R>(fn: (session: HostSession) => Steps<R>): Steps<R> {
    const on = async (db: Kysely<any>): Promise<R> => {
      const host = new KyselyHost(db, this.#where)
      if (!(await suspendsForeignKeys(db)))
        return takeSteps(withoutForeignKeys(host, this.#where, fn))
      await acquireMigrationLock(db)
      try {
        return await takeSteps(host.atomically(fn))
      } finally {
        await releaseMigrationLock(db)
      }
    }
    return yield* wait(this.#db.connection().execute(on))
  }

  *onConnection<R>(fn: (host: Host) => Steps<R>): Steps<R> {
    const on = (db: Kysely<any>): Promise<R> => takeSteps(fn(new KyselyHost(db, this.#where)))
    return yield* wait(this.#db.connection().execute(on))
  }

  outside<R>(fn: () => R): R {
    return this.#ambient === undefined ? fn() : this.#ambient.leave(fn)
  }
}

/** Whether it is a connection of ours, whose lock for migrations also suspends foreign keys, and lets nobody in between. */
function suspendsForeignKeys(db: Kysely<any>): Promise<boolean> {
  return db.getExecutor().provideConnection(async (connection) => migrationLock in connection)
}

/** Statements on `db`, past its plugins. */
export function sessionOn(db: Kysely<any>): HostSession {
  const query: HostSession['query'] = (sql, parameters = []) => send(db, sql, parameters)
  return { query, run: query }
}

async function send(
  db: Kysely<any>,
  sql: string,
  parameters: readonly unknown[],
): Promise<readonly Row[]> {
  const query = CompiledQuery.raw(sql, parameters as unknown[])
  return (await db.withoutPlugins().executeQuery(query)).rows as readonly Row[]
}
