import {
  type AmbientTransactions,
  type EngineName,
  type EngineTraits,
  dooming,
  engineTraits,
  inSavepoint,
  OptionError,
  type Steps,
  takeSteps,
  wait,
} from '@keelson/core'
import {
  engineNameOfAdapter,
  instanceOf,
  migrationLock,
  savepointCommands,
} from '@keelson/core/kysely'
import { CompiledQuery, type Kysely } from 'kysely'
import type { Host, HostSession, PinnedHost, Row } from '../host/host.ts'
import { withoutForeignKeys } from '../host/without-foreign-keys.ts'
import { underMigrationLock } from './under-migration-lock.ts'

/** See `Host`. */
export class KyselyHost implements Host {
  readonly engine: EngineName
  readonly traits: EngineTraits
  readonly identity: object
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
    if (this.#ambient !== undefined) {
      const inside = this.traits.savepoint === undefined ? 'part' : 'savepoint'
      return yield* wait(this.#ambient.transaction(this.#db, run, inside))
    }
    if (!this.#db.isTransaction) return yield* wait(this.#db.transaction().execute(run))
    return yield* this.#nested(fn)
  }

  /** In a transaction that the caller has begun with Kysely itself. */
  *#nested<R>(fn: (session: HostSession) => Steps<R>): Steps<R> {
    const session = sessionOn(this.#db)
    const work = (): Steps<R> => fn(session)
    if (this.traits.savepoint === undefined) return yield* dooming(session, work)
    const executor = this.#db.withoutPlugins().getExecutor()
    const connection = yield* wait(executor.provideConnection(async (found) => found))
    return yield* inSavepoint(
      work,
      savepointCommands(executor, connection, this.traits, 'keelson_schema'),
    )
  }

  *atomicallyWithoutForeignKeys<R>(fn: (session: HostSession) => Steps<R>): Steps<R> {
    const on = async (db: Kysely<any>): Promise<R> => {
      const host = new KyselyHost(db, this.#where)
      if (await suspendsForeignKeys(db))
        return underMigrationLock(db, () => takeSteps(host.atomically(fn)))
      return takeSteps(withoutForeignKeys(host, this.#where, fn))
    }
    return yield* wait(this.#db.connection().execute(on))
  }

  *onConnection<R>(fn: (pinned: PinnedHost) => Steps<R>): Steps<R> {
    const on = (db: Kysely<any>): Promise<R> => takeSteps(fn(new KyselyHost(db, this.#where)))
    return yield* wait(this.#db.connection().execute(on))
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
