import {
  type AmbientTransactions,
  bulkIngest,
  type BulkIngestCapable,
  bulkRows,
  bulkStatements,
  type BulkStatementsCapable,
  dooming,
  type EngineTraits,
  inSavepoint,
  OptionError,
  statementObserver,
  type StatementObserver,
  type Steps,
  takeSteps,
  wait,
  worksBeside,
} from '@keelson/core'
import { instanceOf, savepointCommands } from '@keelson/core/kysely'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Kysely,
  PGliteAdapter,
  type QueryExecutor,
  type QueryResult,
  type Transaction,
} from 'kysely'
import type { Copier, Host, HostSession } from '../host/host.ts'
import { Observed } from '../host/observed.ts'
import { Turns, withinTransaction } from '../host/turns.ts'
import { copyInOn } from './copy-in.ts'
import { engineOf } from './engine-of.ts'

/** See `Host`. */
export class KyselyHost implements Host {
  readonly traits: EngineTraits
  readonly ambient: AmbientTransactions | undefined
  readonly dates: 'local' | 'utc'
  readonly isSynchronous: boolean = false
  readonly #db: Kysely<any>
  readonly #turns: Turns

  constructor(db: Kysely<any>, where: string) {
    if (typeof (db as Partial<Kysely<any>> | undefined)?.getExecutor !== 'function') {
      throw new OptionError(
        'INVALID_OPTION',
        'db',
        `${where} takes a Kysely, or a transaction of it. For Drizzle import it from @keelson/bulk-insert/drizzle.`,
      )
    }
    const { adapter } = db.getExecutor()
    this.#db = db
    this.#turns = new Turns(where)
    this.traits = engineOf(adapter, where)
    this.ambient = instanceOf(adapter)?.ambient
    this.dates = adapter instanceof PGliteAdapter ? 'utc' : 'local'
  }

  get isInTransaction(): boolean {
    return this.#db.isTransaction || this.ambient?.isOpen === true
  }

  *atomically<R>(fn: (session: HostSession) => Steps<R>): Steps<R> {
    const { traits, ambient } = this
    const hasSavepoints = traits.savepoint !== undefined
    const isInside = this.isInTransaction
    const run = async (tx: unknown): Promise<R> => {
      const session = await KyselySession.open(tx as Transaction<any>, traits, ambient)
      const work = (): Steps<R> => fn(session)
      return takeSteps(isInside && !hasSavepoints ? dooming(session, work) : work())
    }
    if (ambient !== undefined)
      return yield* wait(ambient.transaction(this.#db, run, hasSavepoints ? 'savepoint' : 'part'))
    if (!this.#db.isTransaction) return yield* wait(this.#db.transaction().execute(run))
    const session = yield* wait(KyselySession.open(this.#db, traits, ambient))
    const work = (): Steps<R> => fn(session)
    if (!hasSavepoints) return yield* dooming(session, work)
    const nest = (): Promise<R> => takeSteps(session.nest(work))
    return yield* wait(this.#turns.take(withinTransaction(session.connection), nest))
  }

  asCaller<R>(fn: () => R): R {
    return this.#turns.recognize(fn)
  }
}

/** See `HostSession`. */
class KyselySession implements HostSession {
  readonly isOwnDriver: boolean
  readonly worksBeside: boolean
  readonly bulkStatements: HostSession['bulkStatements']
  readonly bulkIngest: HostSession['bulkIngest']
  readonly connection: DatabaseConnection
  readonly #tx: Kysely<any>
  readonly #executor: QueryExecutor
  readonly #traits: EngineTraits
  readonly #ambient: AmbientTransactions | undefined
  readonly #observed: Observed
  #copier: Promise<Copier | undefined> | undefined
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
      readonly [statementObserver]?: StatementObserver
    }
    this.#observed = new Observed(capable[statementObserver], connection)
    this.#tx = tx
    this.#executor = tx.withoutPlugins().getExecutor()
    this.#traits = traits
    this.#ambient = ambient
    this.connection = connection
    this.worksBeside = capable[worksBeside] === true
    this.bulkStatements = this.#observed.bulkStatements(capable[bulkStatements]?.bind(connection))
    this.bulkIngest = this.#observed.bulkIngest(capable[bulkIngest]?.bind(connection))
    this.isOwnDriver = this.bulkStatements !== undefined || this.bulkIngest !== undefined
  }

  async query(
    sql: string,
    parameters: readonly unknown[] = [],
    rowCount?: number,
  ): Promise<readonly Record<string, unknown>[]> {
    return (await this.#send(sql, parameters, rowCount)).rows
  }

  async run(
    sql: string,
    parameters: readonly unknown[] = [],
    rowCount?: number,
  ): Promise<number | undefined> {
    const { numAffectedRows } = await this.#send(sql, parameters, rowCount)
    return numAffectedRows === undefined ? undefined : Number(numAffectedRows)
  }

  copier(): Promise<Copier | undefined> {
    this.#copier ??= copyInOn(this.#executor.adapter, this.connection).then((found) =>
      this.#observed.copier(found),
    )
    return this.#copier
  }

  savepoint<R>(fn: (inner: HostSession) => Steps<R>): Steps<R> {
    // Elsewhere a failed statement undoes itself alone, or there is no savepoint.
    return this.#traits.engine === 'postgresql' ? this.nest(() => fn(this)) : fn(this)
  }

  /** Takes the steps in a savepoint. */
  *nest<R>(fn: () => Steps<R>): Steps<R> {
    if (this.#ambient !== undefined) {
      const run = (): Promise<R> => takeSteps(fn())
      return yield* wait(this.#ambient.transaction(this.#tx, run, 'savepoint'))
    }
    const name = `keelson_bulk_${++this.#savepoints}`
    return yield* inSavepoint(
      fn,
      savepointCommands(this.#executor, this.connection, this.#traits, name),
    )
  }

  #send(
    sql: string,
    parameters: readonly unknown[],
    rowCount: number | undefined,
  ): Promise<QueryResult<Record<string, unknown>>> {
    const query = CompiledQuery.raw(sql, parameters as unknown[])
    return this.#executor.executeQuery(
      rowCount === undefined ? query : Object.freeze({ ...query, [bulkRows]: rowCount }),
    )
  }
}
