import {
  bulkStatements,
  type BulkStatementsRequest,
  type BulkStatementsResult,
  engineSession,
  invalidOption,
  worksBeside,
} from '@keelson/core'
import {
  ConnectionUse,
  connectionUse,
  lateStatementError,
  migrationLock,
  TransactionCommands,
} from '@keelson/core/kysely'
import type {
  AbortableOperationOptions,
  CompiledQuery,
  DatabaseConnection,
  QueryResult,
} from 'kysely'
import type { BeginOptions, BulkExecuteOptions, SqliteResult, SqliteSession } from '../contract.ts'
import type { SqliteDatabase } from '../database.ts'
import { MigrationLock } from './migration-lock.ts'

/** One caller's Kysely connection: a session of the database, from acquire to release. */
export class SqliteConnection implements DatabaseConnection {
  readonly #database: SqliteDatabase
  readonly #session: SqliteSession
  #commands: TransactionCommands | undefined
  #use: ConnectionUse | undefined
  #lock: MigrationLock | undefined
  #isUntouched = false
  #queries = 0

  // --isolatedDeclarations lets no member of a class be named by a symbol.
  static {
    Object.defineProperty(this.prototype, connectionUse, {
      get(this: SqliteConnection): ConnectionUse {
        return this.use
      },
    })
    Object.defineProperty(this.prototype, bulkStatements, {
      value(this: SqliteConnection, request: BulkStatementsRequest) {
        return this.runBulk(request)
      },
    })
    Object.defineProperty(this.prototype, worksBeside, {
      get(this: SqliteConnection): boolean {
        return this.worksBeside
      },
    })
    Object.defineProperty(this.prototype, engineSession, {
      get(this: SqliteConnection): SqliteSession {
        return this.session
      },
    })
    Object.defineProperty(this.prototype, migrationLock, {
      get(this: SqliteConnection): MigrationLock {
        return this.lock
      },
    })
  }

  /** @param session one that somebody else has begun, and will end */
  constructor(
    database: SqliteDatabase,
    session: SqliteSession = database.connect({ source: 'kysely' }),
  ) {
    this.#database = database
    this.#session = session
  }

  /** The capability under `engineSession`. */
  get session(): SqliteSession {
    return this.#session
  }

  get use(): ConnectionUse {
    return (this.#use ??= new ConnectionUse(this.#session, {
      timeoutMs: this.#database.options.busyTimeoutMs,
      option: 'busyTimeoutMs',
    }))
  }

  get lock(): MigrationLock {
    return (this.#lock ??= new MigrationLock(this.#session, this))
  }

  // Not an async function: every query passes here, and a promise more is felt.
  executeQuery<R>(
    query: CompiledQuery,
    options?: AbortableOperationOptions,
  ): Promise<QueryResult<R>> {
    this.#isUntouched = false
    if (this.#commands !== undefined) {
      const command = this.#commands.take(query)
      if (command !== undefined) return command().then(noRows<R>)
      if (this.#commands.refusesLate(this.#session.inTransaction, this.#use))
        return Promise.reject(lateStatementError(query.sql))
    }
    this.#queries++
    const signal = options?.signal
    if (signal === undefined)
      return this.#session.execute<R, QueryResult<R>>(query.sql, query.parameters, asQueryResult)
    this.#queries = Infinity
    return this.#session.execute<R, QueryResult<R>>(query.sql, query.parameters, {
      ...asQueryResult,
      signal,
    })
  }

  /**
   * Streams any statement that returns rows.
   *
   * @param chunkSize rows in each result, at least 1
   */
  async *streamQuery<R>(
    query: CompiledQuery,
    chunkSize: number,
    options?: AbortableOperationOptions,
  ): AsyncIterableIterator<QueryResult<R>> {
    if (!Number.isSafeInteger(chunkSize) || chunkSize < 1) {
      invalidOption('stream()', 'chunkSize', chunkSize, 'a whole number of rows, at least 1')
    }
    const signal = options?.signal
    const { use } = this
    this.#isUntouched = false
    use.streamOpened(query.sql)
    try {
      const chunks = this.#session.stream<R>(query.sql, query.parameters, {
        chunkRows: chunkSize,
        ...(signal && { signal }),
      })
      for await (const rows of chunks) yield { rows }
    } finally {
      use.streamClosed()
    }
  }

  /** The capability under `worksBeside`. */
  get worksBeside(): boolean {
    return this.#database.mode === 'threads'
  }

  /** The capability under `bulkStatements`. */
  async runBulk(bulk: BulkStatementsRequest): Promise<BulkStatementsResult> {
    this.#isUntouched = false
    const sql = bulk.statement(bulk.rowsPerStatement)
    if (this.#commands?.refusesLate(this.#session.inTransaction, this.#use) === true)
      throw lateStatementError(sql)
    this.#queries = Infinity
    const options: BulkExecuteOptions = { bulk }
    return (await this.#session.execute(sql, [], options)) as unknown as BulkStatementsResult
  }

  /** Kysely calls it for `inflightQueryAbortStrategy: 'cancel query'`, once the query's signal was aborted. */
  async cancelQuery(): Promise<void> {
    this.#session.cancel(new DOMException('The query was cancelled.', 'AbortError'))
  }

  /** No statement has run since the transaction began. */
  get isUntouched(): boolean {
    return this.#isUntouched
  }

  async begin(
    accessMode: 'read only' | 'read write' = 'read write',
    behavior?: BeginOptions['behavior'],
  ): Promise<void> {
    // A migrator reads what it has to do before it writes; another one must not read the same meanwhile.
    const asked = this.#lock?.isHeld === true ? 'immediate' : behavior
    const { options } = this.#database
    const sent =
      options.readOnly || accessMode === 'read only' ? 'deferred' : (asked ?? options.behavior)
    await this.#command(`begin ${sent}`, () =>
      this.#session.begin({ accessMode, ...(asked && { behavior: asked }) }),
    )
    this.#isUntouched = true
    this.#commands?.begun(this.#use)
  }

  async commit(): Promise<void> {
    await this.#command('commit', () => this.#session.commit())
  }

  async rollback(): Promise<void> {
    if (!this.#session.inTransaction) return
    await this.#command('rollback', () => this.#session.rollback())
  }

  /** @param query the command, compiled; `name` is what it names */
  async savepoint(query: CompiledQuery, name: string): Promise<void> {
    await this.#command(query, () => this.#session.savepoint(name))
  }

  async rollbackToSavepoint(query: CompiledQuery, name: string): Promise<void> {
    await this.#command(query, () => this.#session.rollbackToSavepoint(name))
  }

  async releaseSavepoint(query: CompiledQuery, name: string): Promise<void> {
    await this.#command(query, () => this.#session.releaseSavepoint(name))
  }

  /**
   * It has served one plain query, and nobody can have kept it: whoever gets it through a transaction or
   * `db.connection()` leaves a trace in `use`. RuntimeDriver remembers each connection that it has seen, which costs
   * as much as half a query.
   */
  get isReusable(): boolean {
    return (
      this.#queries === 1 &&
      this.#use === undefined &&
      this.#commands === undefined &&
      this.#lock === undefined
    )
  }

  /** Makes it as good as new. */
  reuse(): void {
    this.#queries = 0
  }

  release(): Promise<void> {
    return this.#session.release()
  }

  #command(query: string | CompiledQuery, run: () => Promise<void>): Promise<void> {
    this.#commands ??= new TransactionCommands()
    return this.#commands.send(this, query, run)
  }
}

const asQueryResult = Object.freeze({ map: toQueryResult })

function toQueryResult<R>({ rows, changes, insertId }: SqliteResult<R>): QueryResult<R> {
  if (changes === undefined) return { rows }
  const numAffectedRows = BigInt(changes)
  return insertId === undefined ? { numAffectedRows, rows } : { insertId, numAffectedRows, rows }
}

function noRows<R>(): QueryResult<R> {
  return { rows: [] }
}
