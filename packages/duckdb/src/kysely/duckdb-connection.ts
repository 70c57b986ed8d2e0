import {
  bulkIngest,
  type BulkIngestRequest,
  type BulkIngestResult,
  engineSession,
  engineTraits,
  invalidOption,
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
import type { BeginOptions, DuckDBResult, DuckDBSession } from '../contract.ts'
import type { DuckDBDatabase } from '../database.ts'
import { MigrationLock, type LockedConnection } from './migration-lock.ts'
import { inTurn, takesTurns } from './setup-statement.ts'

/**
 * One caller's Kysely connection, from acquire to release.
 *
 * A plain query runs on whichever connection of the pool is free, and a transaction owns one. `db.connection()` reserves
 * one with its first statement: what it sets and creates there is to be found by the next one.
 */
export class DuckDBConnection implements DatabaseConnection, LockedConnection {
  readonly #database: DuckDBDatabase
  readonly #migrationLockTimeoutMs: number
  #session: DuckDBSession | undefined
  #reserving: Promise<DuckDBSession> | undefined
  #commands: TransactionCommands | undefined
  /** There from the moment on in which several callers share the connection. */
  #use: ConnectionUse | undefined
  #lock: MigrationLock | undefined
  #accessMode: BeginOptions['accessMode']
  #isUntouched = false

  // --isolatedDeclarations lets no member of a class be named by a symbol.
  static {
    Object.defineProperty(this.prototype, connectionUse, {
      get(this: DuckDBConnection): ConnectionUse {
        return this.use
      },
    })
    Object.defineProperty(this.prototype, engineSession, {
      get(this: DuckDBConnection): DuckDBSession | undefined {
        return this.session
      },
    })
    Object.defineProperty(this.prototype, migrationLock, {
      get(this: DuckDBConnection): MigrationLock {
        return this.lock
      },
    })
    Object.defineProperty(this.prototype, bulkIngest, {
      value(this: DuckDBConnection, request: BulkIngestRequest): Promise<BulkIngestResult> {
        return this.ingest(request)
      },
    })
  }

  /** @param session one that somebody else has begun, and will end */
  constructor(database: DuckDBDatabase, migrationLockTimeoutMs: number, session?: DuckDBSession) {
    this.#database = database
    this.#migrationLockTimeoutMs = migrationLockTimeoutMs
    this.#session = session
  }

  /** The capability under `engineSession`: there once something has run. */
  get session(): DuckDBSession | undefined {
    return this.#session
  }

  get use(): ConnectionUse {
    return (this.#use ??= new ConnectionUse(this, {
      // The pool's own default; and more than this no timer takes.
      timeoutMs: Math.min(this.#database.options.pool.acquireTimeoutMs ?? 30_000, 0x7fffffff),
      option: 'pool.acquireTimeoutMs',
    }))
  }

  get lock(): MigrationLock {
    return (this.#lock ??= new MigrationLock(this.#database, this, this.#migrationLockTimeoutMs))
  }

  get inTransaction(): boolean {
    return this.#session?.inTransaction ?? false
  }

  get isUntouched(): boolean {
    return this.#isUntouched
  }

  async executeQuery<R>(
    query: CompiledQuery,
    options?: AbortableOperationOptions,
  ): Promise<QueryResult<R>> {
    const command = this.#commands?.take(query)
    if (command !== undefined) {
      await command()
      return { rows: [] }
    }
    this.#starts(query.sql)
    const signal = options?.signal
    const session = this.#session ?? (await this.#open(signal))
    const run = (on: DuckDBSession): Promise<DuckDBResult<R>> =>
      on.execute<R>(query.sql, query.parameters, signal && { signal })
    const { rows, changes } = await (takesTurns(query) && !session.inTransaction
      ? inTurn(this.#database, this.#use && session, signal, run)
      : run(session))
    return changes === undefined ? { rows } : { numAffectedRows: BigInt(changes), rows }
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
    this.#starts(query.sql)
    const signal = options?.signal
    const use = this.#use
    use?.streamOpened(query.sql)
    try {
      const session = this.#session ?? (await this.#open(signal))
      const chunks = session.stream<R>(query.sql, query.parameters, {
        chunkRows: chunkSize,
        ...(signal && { signal }),
      })
      for await (const rows of chunks) yield { rows }
    } finally {
      use?.streamClosed()
    }
  }

  /** The capability under `bulkIngest`; a statement like any other. */
  async ingest(request: BulkIngestRequest): Promise<BulkIngestResult> {
    this.#starts(request.statement('rows'))
    const session = this.#session ?? (await this.#open(request.signal))
    return session.ingest(request)
  }

  /** Kysely calls it for `inflightQueryAbortStrategy: 'cancel query'`, once the query's signal was aborted. */
  async cancelQuery(): Promise<void> {
    this.#session?.cancel(new DOMException('The query was cancelled.', 'AbortError'))
  }

  async begin(accessMode: BeginOptions['accessMode']): Promise<void> {
    const { begin } = engineTraits.duckdb
    const sent = accessMode === 'read only' ? begin.accessMode?.[accessMode] : undefined
    await this.#command(sent ?? begin.default, async () => {
      const session = this.#session ?? (await this.#open(undefined))
      await session.begin(accessMode && { accessMode })
    })
    this.#accessMode = accessMode
    this.#isUntouched = true
    this.#commands?.begun(this.#use)
  }

  async beginAnew(): Promise<void> {
    await this.rollback()
    await this.begin(this.#accessMode)
  }

  async commit(): Promise<void> {
    try {
      await this.#command('commit', async () => this.#session?.commit())
    } finally {
      this.#lock?.transactionEnded()
    }
  }

  async rollback(): Promise<void> {
    if (!this.inTransaction) return
    try {
      await this.#command('rollback', async () => this.#session?.rollback())
    } finally {
      this.#lock?.transactionEnded()
    }
  }

  async release(): Promise<void> {
    try {
      const session = this.#session ?? (await this.#reserving?.catch(() => undefined))
      await session?.release()
    } finally {
      this.#lock?.free()
    }
  }

  #starts(sql: string): void {
    if (this.#commands?.refusesLate(this.inTransaction, this.#use) === true)
      throw lateStatementError(sql)
    this.#isUntouched = false
    this.#lock?.ran(sql)
  }

  async #open(signal: AbortSignal | undefined): Promise<DuckDBSession> {
    if (this.#use === undefined)
      return (this.#session = this.#database.connect({ source: 'kysely' }))
    this.#reserving ??= this.#database.reserve({ source: 'kysely', ...(signal && { signal }) })
    try {
      return (this.#session = await this.#reserving)
    } finally {
      this.#reserving = undefined
    }
  }

  async #command(command: string, run: () => Promise<void>): Promise<void> {
    this.#commands ??= new TransactionCommands()
    await this.#commands.send(this, command, run)
  }
}
