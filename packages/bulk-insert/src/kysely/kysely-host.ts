import {
  type AmbientTransactions,
  bulkIngest,
  type BulkIngestCapable,
  bulkStatements,
  type BulkStatementsCapable,
  engineSession,
  type EngineSession,
  type EngineTraits,
  quoteIdentifier,
} from '@keelson/core'
import { instanceOf } from '@keelson/core/kysely'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Kysely,
  PGliteAdapter,
  type QueryExecutor,
  type Transaction,
} from 'kysely'
import type { Host, HostSession, StatementResult } from '../host/host.ts'
import { dooms, runInSavepoint } from '../host/savepoint.ts'
import { engineOf } from './engine-of.ts'

/** See `Host`. */
export class KyselyHost implements Host {
  readonly traits: EngineTraits
  readonly ambient: AmbientTransactions | undefined
  readonly dates: 'local' | 'utc'
  readonly #db: Kysely<any>

  constructor(db: Kysely<any>, where: string) {
    const { adapter } = db.getExecutor()
    this.#db = db
    this.traits = engineOf(adapter, where)
    this.ambient = instanceOf(adapter)?.ambient
    this.dates = adapter instanceof PGliteAdapter ? 'utc' : 'local'
  }

  get isInTransaction(): boolean {
    return this.#db.isTransaction || this.ambient?.isOpen === true
  }

  async atomically<R>(fn: (session: HostSession) => Promise<R>): Promise<R> {
    const { traits, ambient } = this
    const hasSavepoints = traits.savepoint !== undefined
    const isInside = this.isInTransaction
    const run = async (tx: unknown): Promise<R> => {
      const session = await KyselySession.open(tx as Transaction<any>, traits, ambient)
      return isInside && !hasSavepoints ? dooms(session, () => fn(session)) : fn(session)
    }
    if (ambient !== undefined)
      return ambient.transaction(this.#db, run, hasSavepoints ? 'savepoint' : 'part')
    if (!this.#db.isTransaction) return this.#db.transaction().execute(run)
    const session = await KyselySession.open(this.#db, traits, ambient)
    return hasSavepoints ? session.nest(() => fn(session)) : dooms(session, () => fn(session))
  }
}

/** See `HostSession`. */
class KyselySession implements HostSession {
  readonly isOwnDriver: boolean
  readonly bulkStatements: HostSession['bulkStatements']
  readonly bulkIngest: HostSession['bulkIngest']
  readonly #tx: Kysely<any>
  readonly #executor: QueryExecutor
  readonly #traits: EngineTraits
  readonly #ambient: AmbientTransactions | undefined
  readonly #session: EngineSession | undefined
  #savepoints = 0

  static async open(
    tx: Kysely<any>,
    traits: EngineTraits,
    ambient: AmbientTransactions | undefined,
  ): Promise<KyselySession> {
    const connection = await tx.getExecutor().provideConnection(async (found) => found)
    return new KyselySession(tx, connection, traits, ambient)
  }

  private constructor(
    tx: Kysely<any>,
    connection: DatabaseConnection,
    traits: EngineTraits,
    ambient: AmbientTransactions | undefined,
  ) {
    const capable = connection as Partial<BulkStatementsCapable & BulkIngestCapable> & {
      readonly [engineSession]?: EngineSession
    }
    this.#tx = tx
    this.#executor = tx.withoutPlugins().getExecutor()
    this.#traits = traits
    this.#ambient = ambient
    this.#session = capable[engineSession]
    this.bulkStatements = capable[bulkStatements]?.bind(connection)
    this.bulkIngest = capable[bulkIngest]?.bind(connection)
    this.isOwnDriver = this.bulkStatements !== undefined || this.bulkIngest !== undefined
  }

  async query(sql: string, parameters: readonly unknown[] = []): Promise<StatementResult> {
    const { rows, numAffectedRows } = await this.#executor.executeQuery<Record<string, unknown>>(
      CompiledQuery.raw(sql, parameters as unknown[]),
    )
    return { rows, changes: numAffectedRows === undefined ? undefined : Number(numAffectedRows) }
  }

  savepoint<R>(fn: () => Promise<R>): Promise<R> {
    // Elsewhere a failed statement undoes itself alone, or there is no savepoint.
    return this.#traits.engine === 'postgresql' ? this.nest(fn) : fn()
  }

  /** Runs `fn` in a savepoint. */
  nest<R>(fn: () => Promise<R>): Promise<R> {
    if (this.#ambient !== undefined) return this.#ambient.transaction(this.#tx, fn, 'savepoint')
    const session = this.#session
    const name = `keelson_bulk_${++this.#savepoints}`
    if (session?.savepoint !== undefined) {
      return runInSavepoint(fn, {
        create: () => session.savepoint!(name),
        rollbackTo: () => session.rollbackToSavepoint!(name),
        release: () => session.releaseSavepoint!(name),
      })
    }
    const { create, rollbackTo, release } = this.#traits.savepoint!
    const quoted = quoteIdentifier(name, this.#traits.engine)
    const send = async (command: string): Promise<void> =>
      void (await this.query(`${command} ${quoted}`))
    return runInSavepoint(fn, {
      create: () => send(create),
      rollbackTo: () => send(rollbackTo),
      release: () => send(release),
    })
  }
}
