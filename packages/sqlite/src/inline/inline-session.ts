/** Over 300 lines, being one subject: the state of a session decides what each of its calls may do. */
import {
  attachSuppressed,
  type BulkStatementsRequest,
  queryChannel,
  quoteIdentifier,
  type TransactionAbortedError,
  type DatabaseClosedError,
  type StatementCall,
  statementCall,
  type TransactionTrace,
  excerpt,
  traceQuery,
} from '@keelson/core'
import type {
  BeginOptions,
  BulkExecuteOptions,
  ExecuteOptions,
  MappedExecuteOptions,
  SqliteResult,
  SqliteSession,
  StreamOptions,
} from '../contract.ts'
import { executeAutocommit, statementLimit } from './autocommit.ts'
import { checkBeginOptions } from '../session/begin-options.ts'
import { isPassingBusy } from '../statement/passing-busy.ts'
import { retryWhileBusy } from './busy-retry.ts'
import type { Endable } from '../session/lifetime.ts'
import type { InlineEngine } from './inline-engine.ts'
import { InlineStream } from './inline-stream.ts'
import { migrationTimeoutMs } from '../migration/migration-timeout.ts'
import { InlineMigration } from './inline-migration.ts'
import { control, ownReader, ownWriter, type Owned } from './ownership.ts'
import { Patience } from '../session/patience.ts'
import { queryEvent, type EventSource } from '../session/query-event.ts'
import { checkExecuteOptions, checkParameters } from '../session/statement-options.ts'
import {
  beginningError,
  bulkOutsideError,
  closedMeanwhileError,
  endingError,
  lateStatementError,
  migrationInsideError,
  nestedBeginError,
  noTransactionError,
  releasedError,
  rolledBackError,
  savepointOutsideError,
  secondMigrationError,
  streamEndedError,
  streamOpenError,
} from '../session/session-errors.ts'
import { transactionTrace } from '../session/transaction-trace.ts'
import { refuseControl, setsForeignKeys } from '../statement/statement-rules.ts'

/** See `SqliteSession`. SQLite answers on the calling thread; only waiting is asynchronous. */
export class InlineSession implements SqliteSession, Endable {
  readonly #engine: InlineEngine
  readonly #source: EventSource
  readonly #patience: Patience
  /**
   * Open streams of this session; at most one of them is of its transaction. Kysely makes a session for each query,
   * so what few of them need is made when it is needed.
   */
  #streams: Set<InlineStream> | undefined
  #owned: Owned | undefined
  #transaction: 'none' | 'beginning' | 'open' | 'ending' = 'none'
  #abortedBy: { readonly error: unknown } | undefined
  #migration: InlineMigration | undefined
  #trace: TransactionTrace | undefined
  /** Settles when the last `begin()` has, whatever came of it. */
  #beginning: Promise<void> | undefined
  #queryOnly = false
  #closedBy: DatabaseClosedError | undefined
  #released = false
  readonly #isForOneTransaction: boolean

  /** @param isForOneTransaction ends the session with its transaction, so that nothing late runs in autocommit */
  constructor(engine: InlineEngine, source: EventSource = 'driver', isForOneTransaction = false) {
    this.#engine = engine
    this.#source = source
    this.#isForOneTransaction = isForOneTransaction
    this.#patience = new Patience(engine)
  }

  get inTransaction(): boolean {
    return this.#transaction === 'open' || this.#transaction === 'ending'
  }

  get isAborted(): boolean {
    return this.inTransaction && !this.#owned!.engine.database.inTransaction
  }

  execute<Row, R = SqliteResult<Row>>(
    sql: string,
    parameters: readonly unknown[] = [],
    options?: ExecuteOptions | MappedExecuteOptions<Row, R>,
  ): Promise<R> {
    const map = (options as MappedExecuteOptions<Row, R> | undefined)?.map ?? unmapped<R>
    try {
      checkParameters(parameters)
      if (options !== undefined) checkExecuteOptions(options)
      if (!queryChannel.hasSubscribers)
        return this.#execute(sql, parameters, options, map, statementCall())
      const event = queryEvent('query', this.#source, this.#engine, sql, parameters)
      const run = (): Promise<SqliteResult<never>> =>
        this.#execute(sql, parameters, options, unmapped<SqliteResult<never>>, event)
      return traceQuery(event, run).then(map)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  stream<Row>(
    sql: string,
    parameters: readonly unknown[] = [],
    options: StreamOptions = {},
  ): AsyncIterableIterator<Row[]> {
    const stream: InlineStream = new InlineStream(this.#engine, sql, parameters, options, {
      source: this.#source,
      patience: this.#patience,
      owned: () => this.#ownedForStatement(sql),
      refuse: (statement) => refuseControl(statement, this.inTransaction),
      failed: (error) => this.#afterError(error),
      ended: () => void this.#streams!.delete(stream),
    })
    this.#streams ??= new Set()
    this.#streams.add(stream)
    return stream as unknown as AsyncIterableIterator<Row[]>
  }

  begin(options: BeginOptions = {}): Promise<void> {
    const begun = this.#begin(options)
    this.#beginning = begun.catch(() => {})
    return begun
  }

  async #begin(options: BeginOptions): Promise<void> {
    checkBeginOptions('begin()', options)
    this.#assertUsable()
    if (this.#transaction !== 'none') {
      throw nestedBeginError()
    }
    const engine = this.#engine
    const readOnly = options.accessMode === 'read only'
    const onReader = readOnly && engine.readers !== undefined && this.#migration === undefined
    const trace = transactionTrace(engine.path, onReader)
    this.#transaction = 'beginning'
    try {
      this.#owned ??= onReader
        ? await ownReader(engine, this.#patience, options.signal)
        : await ownWriter(engine, 'transaction', this.#patience, options.signal)
      if (this.#owned.isWriter) engine.snapshot?.endAll()
      const deferred = readOnly || engine.options.readOnly
      const behavior = deferred ? 'deferred' : (options.behavior ?? engine.options.behavior)
      const owned = this.#owned
      await this.#patience.whileBusy(
        `begin ${behavior}`,
        () => {
          this.#assertUsable()
          if (this.#migration === undefined) engine.assertOpen()
          control(owned, `begin ${behavior}`)
          engine.opened(this)
        },
        this.#busyTimeoutMs,
        options.signal,
      )
      if (readOnly && owned.isWriter) this.#setQueryOnly(true)
    } catch (error) {
      trace?.ended('begin_failed', 0, error)
      this.#finish()
      throw error
    }
    trace?.begun()
    this.#trace = trace
    this.#transaction = 'open'
  }

  async commit(): Promise<void> {
    const owned = this.#assertTransaction('commit()')
    const start = performance.now()
    // From here on nothing can slip in behind the last statement and be committed, or worse, autocommitted.
    this.#transaction = 'ending'
    try {
      await this.#endStream('The transaction was committed while the stream was open.')
      if (this.#abortedBy !== undefined || !owned.engine.database.inTransaction)
        throw this.#abortedError()
      this.#migration?.checkForeignKeys()
      await retryWhileBusy(() => control(owned, 'commit'), this.#busyTimeoutMs)
      if (owned.isWriter) this.#engine.snapshot?.endAll()
    } catch (error) {
      if (owned.engine.database.inTransaction) this.#transaction = 'open'
      else this.#finish('commit_failed', start, error)
      throw error
    }
    this.#finish('committed', start)
  }

  async rollback(): Promise<void> {
    if (this.#transaction === 'beginning') throw beginningError('rollback()')
    if (this.#transaction === 'ending') throw endingError('rollback()')
    await this.#rollback()
  }

  async #rollback(): Promise<void> {
    if (this.#transaction === 'none') return
    const start = performance.now()
    const owned = this.#owned!
    this.#transaction = 'ending'
    try {
      await this.#endStream('The transaction was rolled back while the stream was open.')
      if (owned.engine.database.inTransaction) control(owned, 'rollback')
    } catch (error) {
      // Nobody may write on a connection whose state is unknown.
      if (owned.isWriter && owned.engine.database.inTransaction)
        this.#engine.gate.close(error as Error)
      throw error
    } finally {
      this.#finish('rolled_back', start)
    }
  }

  async savepoint(name: string): Promise<void> {
    this.#savepointCommand('savepoint', name)
  }

  async rollbackToSavepoint(name: string): Promise<void> {
    this.#savepointCommand('rollback to', name)
  }

  async releaseSavepoint(name: string): Promise<void> {
    this.#savepointCommand('release', name)
  }

  async beginMigration(): Promise<void> {
    this.#assertUsable()
    if (this.#transaction !== 'none') {
      throw migrationInsideError()
    }
    if (this.#migration !== undefined || this.#owned !== undefined) {
      throw secondMigrationError()
    }
    this.#owned = await ownWriter(this.#engine, 'migration', this.#patience)
    try {
      this.#assertUsable()
      this.#migration = new InlineMigration(this.#engine)
      this.#engine.opened(this)
    } catch (error) {
      this.#finish()
      throw error
    }
  }

  async endMigration(): Promise<void> {
    const migration = this.#migration
    if (migration === undefined) return
    try {
      await this.#beginning
      await this.#rollback()
    } finally {
      try {
        await migration.end()
      } finally {
        this.#migration = undefined
        this.#finish()
      }
    }
  }

  cancel(reason: unknown): void {
    this.#patience.cancel(reason)
    for (const stream of this.#streams ?? []) {
      stream.end(reason).catch((later: unknown) => attachSuppressed(reason, later))
    }
  }

  async release(): Promise<void> {
    if (this.#released) return
    this.#released = true
    // What still waits to begin must not own the connection for ever.
    if (this.#patience.isWaiting) this.#patience.cancel(releasedError())
    await this.#endAll()
  }

  describe(): string {
    return this.#owned?.holder.describe() ?? 'a transaction'
  }

  async end(error: DatabaseClosedError): Promise<void> {
    this.#closedBy = error
    this.#patience.cancel(error)
    await this.#endAll()
  }

  async #endAll(): Promise<void> {
    if (this.#migration !== undefined) await this.endMigration()
    else if (this.#transaction !== 'beginning') await this.#rollback()
  }

  #execute<R>(
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions | undefined,
    map: (result: SqliteResult<never>) => R,
    event: StatementCall | undefined,
  ): Promise<R> {
    options?.signal?.throwIfAborted()
    const owned =
      this.#owned === undefined && !this.#released && this.#transaction === 'none'
        ? undefined
        : this.#ownedForStatement(sql)
    if (owned === undefined) {
      if (options !== undefined && 'bulk' in options) {
        throw bulkOutsideError()
      }
      return executeAutocommit({
        engine: this.#engine,
        patience: this.#patience,
        sql,
        parameters,
        options,
        map,
        event,
      })
    }
    const run = (): R => map(this.#executeOwned(owned, sql, parameters, options))
    if (this.#migration !== undefined && !this.inTransaction) return this.#migration.autocommit(run)
    try {
      return Promise.resolve(run())
    } catch (error) {
      if (!isPassingBusy(error)) throw error
    }
    // A deferred transaction takes the lock with its first write.
    return this.#patience.whileBusy(
      sql,
      () => {
        if (this.#ownedForStatement(sql) !== owned) throw releasedError()
        return run()
      },
      this.#busyTimeoutMs,
      options?.signal,
    )
  }

  #executeOwned(
    owned: Owned,
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions | undefined,
  ): SqliteResult<never> {
    const start = this.#trace === undefined ? 0 : performance.now()
    const rows = options?.rows ?? 'objects'
    const first = options?.first ?? false
    owned.holder.lastSql = sql
    try {
      const bulk = (options as Partial<BulkExecuteOptions> | undefined)?.bulk
      if (bulk !== undefined) return this.#executeBulk(owned, bulk)
      if (this.#migration !== undefined && setsForeignKeys(sql)) {
        // Enforcement is off and comes back at the end of the migration, which is what the statement asks for.
        return { rows: [], changes: undefined, insertId: undefined }
      }
      const statement = owned.engine.prepare(sql)
      if (statement.isRead) {
        return owned.engine.read(
          statement,
          parameters,
          rows,
          first,
          statementLimit(this.#engine, options),
        )
      }
      refuseControl(statement, this.inTransaction)
      return owned.isWriter
        ? this.#engine.write(statement, parameters, rows, first)
        : owned.engine.write(statement, parameters, rows, first)
    } catch (error) {
      this.#afterError(error)
      throw error
    } finally {
      this.#trace?.ran(performance.now() - start)
    }
  }

  #executeBulk(owned: Owned, bulk: BulkStatementsRequest): SqliteResult<never> {
    this.#engine.snapshot?.endAll()
    const result = owned.engine.writeMany(bulk)
    if (result.failure !== undefined) this.#afterError(result.failure.error)
    return result as unknown as SqliteResult<never>
  }

  /** The connection a statement of this session must run on, if it owns one. */
  #ownedForStatement(sql: string): Owned | undefined {
    this.#assertUsable()
    const stream = this.#transactionStream
    if (stream !== undefined) {
      throw streamOpenError(sql, stream.sql)
    }
    if (this.#transaction === 'beginning') throw beginningError(excerpt(sql))
    if (this.#transaction === 'ending') {
      throw lateStatementError(sql)
    }
    if (this.#abortedBy !== undefined) throw this.#abortedError()
    return this.#owned
  }

  #assertUsable(): void {
    if (this.#closedBy !== undefined) throw this.#closedBy
    if (this.#released) throw releasedError()
    if (this.#owned === undefined) this.#engine.assertOpen()
  }

  #assertTransaction(call: string): Owned {
    if (this.#transaction === 'ending') {
      throw endingError(call)
    }
    if (this.#transaction === 'open') return this.#owned!
    if (this.#transaction === 'beginning') throw beginningError(call)
    if (this.#closedBy !== undefined) {
      throw closedMeanwhileError(this.#closedBy)
    }
    throw noTransactionError(call)
  }

  #abortedError(): TransactionAbortedError {
    return rolledBackError(this.#abortedBy)
  }

  #afterError(error: unknown): void {
    this.#migration?.noteFailure()
    if (this.#transaction !== 'open' || this.#owned!.engine.database.inTransaction) return
    this.#abortedBy ??= { error }
  }

  #savepointCommand(command: 'savepoint' | 'rollback to' | 'release', name: string): void {
    const sql = `${command} ${quoteIdentifier(name, 'sqlite')}`
    const owned = this.#ownedForStatement(sql)
    if (owned === undefined || this.#transaction === 'none') {
      throw savepointOutsideError(sql)
    }
    owned.holder.lastSql = sql
    try {
      control(owned, sql)
      if (command === 'rollback to') this.#engine.rolledBack('savepoint')
    } catch (error) {
      this.#afterError(error)
      throw error
    }
  }

  get #busyTimeoutMs(): number {
    return this.#migration === undefined ? this.#engine.options.busyTimeoutMs : migrationTimeoutMs
  }

  get #transactionStream(): InlineStream | undefined {
    if (this.#streams === undefined || this.#streams.size === 0) return undefined
    return [...this.#streams].find((stream) => stream.isOwned)
  }

  async #endStream(why: string): Promise<void> {
    await this.#transactionStream?.end(streamEndedError(why))
  }

  #setQueryOnly(on: boolean): void {
    control(this.#owned!, `pragma query_only = ${on ? 'on' : 'off'}`)
    this.#queryOnly = on
  }

  /** Gives the connection back, unless a migration goes on owning it. */
  #finish(
    outcome?: 'committed' | 'rolled_back' | 'commit_failed',
    start = 0,
    error?: unknown,
  ): void {
    const owned = this.#owned
    if (outcome !== undefined) this.#trace?.ended(outcome, performance.now() - start, error)
    this.#trace = undefined
    this.#transaction = 'none'
    this.#abortedBy = undefined
    if (this.#isForOneTransaction) this.#released = true
    if (this.#migration === undefined) this.#engine.ended(this)
    if (owned === undefined) return
    if (owned.isWriter && outcome !== 'committed') this.#engine.rolledBack('begin')
    if (this.#queryOnly) this.#setQueryOnly(false)
    if (this.#migration !== undefined) return
    this.#owned = undefined
    owned.giveBack()
  }
}

function unmapped<R>(result: SqliteResult<never>): R {
  return result as R
}
