import {
  ConnectionBusyError,
  quoteIdentifier,
  TransactionAbortedError,
  TransactionClosedError,
  type DatabaseClosedError,
} from '@keelson/core'
import type {
  BeginOptions,
  ExecuteOptions,
  SqliteResult,
  SqliteSession,
  StreamOptions,
} from '../contract.ts'
import { QueryTimeoutError, SqliteStatementError } from '../errors.ts'
import { excerpt, type PreparedStatement } from '../statement/prepared-statement.ts'
import type { StatementEngine, StatementLimit } from '../statement/statement-engine.ts'
import { pragmaAssignment } from '../statement/verb.ts'
import { isPassingBusy, retryWhileBusy } from './busy-retry.ts'
import { Holder } from './holder.ts'
import type { Endable, InlineEngine } from './inline-engine.ts'
import { InlineStream } from './inline-stream.ts'
import { Migration, migrationTimeoutMs } from './migration.ts'

/** A connection that this session owns. */
export interface Owned {
  readonly engine: StatementEngine
  readonly holder: Holder
  readonly isWriter: boolean
  /** Gives the connection back, its settings as they were. */
  giveBack(): void
}

/** See `SqliteSession`. SQLite answers on the calling thread; only waiting is asynchronous. */
export class InlineSession implements SqliteSession, Endable {
  readonly #engine: InlineEngine
  readonly #waiting = new Set<AbortController>()
  #owned: Owned | undefined
  #transaction: 'none' | 'open' | 'ending' = 'none'
  #abortedBy: { readonly error: unknown } | undefined
  /** Open streams of this session; at most one is of its transaction. */
  readonly #streams = new Set<InlineStream>()
  #queryOnly = false
  #migration: Migration | undefined
  #closedBy: DatabaseClosedError | undefined
  #released = false

  constructor(engine: InlineEngine) {
    this.#engine = engine
  }

  get inTransaction(): boolean {
    return this.#transaction !== 'none'
  }

  execute<Row>(
    sql: string,
    parameters: readonly unknown[] = [],
    options?: ExecuteOptions,
  ): Promise<SqliteResult<Row>> {
    try {
      if (this.#owned !== undefined || this.#released || options?.signal !== undefined) {
        return this.#executeCarefully(sql, parameters, options)
      }
      const engine = this.#engine
      engine.assertOpen()
      const rows = options?.rows ?? 'objects'
      const first = options?.first ?? false
      if (engine.gate.holder !== undefined) return this.#executeWaiting(sql, parameters, options)
      const statement = engine.writer.prepare(sql)
      try {
        if (statement.isRead) {
          engine.snapshot?.touch()
          return Promise.resolve(
            engine.writer.read(statement, parameters, rows, first, this.#limit(options)),
          )
        }
        this.#refuseControl(statement)
        return Promise.resolve(engine.write(statement, parameters, rows, first))
      } catch (error) {
        if (isPassingBusy(error) && engine.options.busyTimeoutMs > 0)
          return this.#executeWaiting(sql, parameters, options)
        throw error
      }
    } catch (error) {
      return Promise.reject(error)
    }
  }

  stream<Row>(
    sql: string,
    parameters: readonly unknown[] = [],
    options: StreamOptions = {},
  ): AsyncIterableIterator<Row[]> {
    const stream = new InlineStream(this.#engine, sql, parameters, options, {
      owned: () => this.#ownedForStatement(sql),
      refuse: (statement) => this.#refuseControl(statement),
      failed: (error) => this.#afterError(error),
      ended: (ended) => this.#streams.delete(ended),
    })
    this.#streams.add(stream)
    return stream as unknown as AsyncIterableIterator<Row[]>
  }

  async begin(options: BeginOptions = {}): Promise<void> {
    this.#assertUsable()
    if (this.#transaction !== 'none') {
      throw new SqliteStatementError(
        'TRANSACTION_OPEN',
        'begin() inside an open transaction: SQLite has one level. Use savepoint() to nest.',
      )
    }
    const readOnly = options.accessMode === 'read only'
    if (readOnly && this.#engine.readers !== undefined && this.#migration === undefined) {
      await this.#ownReader(options.signal)
    } else {
      await this.#ownWriter('transaction', options.signal)
    }
    const owned = this.#owned!
    const deferred = readOnly || this.#engine.options.readOnly
    const behavior = deferred ? 'deferred' : (options.behavior ?? this.#engine.options.behavior)
    try {
      if (owned.isWriter) this.#engine.snapshot?.endAll()
      await retryWhileBusy(
        () => control(owned, `begin ${behavior}`),
        this.#patienceMs,
        options.signal,
      )
      if (readOnly && owned.isWriter) this.#setQueryOnly(true)
    } catch (error) {
      this.#finish()
      throw error
    }
    this.#transaction = 'open'
    this.#abortedBy = undefined
    this.#engine.opened(this)
  }

  async commit(): Promise<void> {
    const owned = this.#assertTransaction('commit()')
    this.#transaction = 'ending'
    try {
      await this.#endStream('The transaction was committed while the stream was open.')
      if (this.#abortedBy !== undefined || !owned.engine.database.inTransaction)
        throw this.#abortedError()
      this.#migration?.checkForeignKeys()
      await retryWhileBusy(() => control(owned, 'commit'), this.#patienceMs)
    } catch (error) {
      if (owned.engine.database.inTransaction) this.#transaction = 'open'
      else this.#finish()
      throw error
    }
    this.#finish()
  }

  async rollback(): Promise<void> {
    if (this.#transaction === 'none') return
    const owned = this.#owned!
    this.#transaction = 'ending'
    await this.#endStream('The transaction was rolled back while the stream was open.')
    try {
      if (owned.engine.database.inTransaction) control(owned, 'rollback')
    } catch (error) {
      // Nobody may write on a connection whose state is unknown.
      if (owned.isWriter && owned.engine.database.inTransaction)
        this.#engine.gate.close(error as Error)
      throw error
    } finally {
      this.#finish()
    }
  }

  async savepoint(name: string): Promise<void> {
    this.#control('savepoint', name)
  }

  async rollbackToSavepoint(name: string): Promise<void> {
    this.#control('rollback to', name)
  }

  async releaseSavepoint(name: string): Promise<void> {
    this.#control('release', name)
  }

  async beginMigration(): Promise<void> {
    this.#assertUsable()
    if (this.#transaction !== 'none') {
      throw new SqliteStatementError(
        'TRANSACTION_OPEN',
        'A migration was started inside an open transaction, where foreign-key enforcement can no longer be turned off ' +
          'and rebuilding a table would delete the rows that refer to it. Start the migration outside the transaction.',
      )
    }
    await this.#ownWriter('migration')
    try {
      this.#migration = new Migration(this.#engine)
    } catch (error) {
      this.#finish()
      throw error
    }
  }

  async endMigration(): Promise<void> {
    const migration = this.#migration
    if (migration === undefined) return
    try {
      await this.rollback()
      migration.end()
    } finally {
      this.#migration = undefined
      this.#finish()
    }
  }

  cancel(reason: unknown): void {
    for (const waiting of this.#waiting) waiting.abort(reason)
    for (const stream of this.#streams) void stream.end(reason)
  }

  async release(): Promise<void> {
    if (this.#released) return
    try {
      if (this.#migration !== undefined) await this.endMigration()
      else await this.rollback()
    } finally {
      this.#released = true
    }
  }

  describe(): string {
    return this.#owned?.holder.describe() ?? 'a transaction'
  }

  async end(error: DatabaseClosedError): Promise<void> {
    this.#closedBy = error
    await this.rollback()
  }

  /** The path of statements that own a connection or may be given up. */
  #executeCarefully(
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions | undefined,
  ): Promise<SqliteResult<never>> {
    options?.signal?.throwIfAborted()
    const owned = this.#ownedForStatement(sql)
    if (owned === undefined) return this.#executeWaiting(sql, parameters, options)
    const migration = this.#transaction === 'none' ? this.#migration : undefined
    if (migration !== undefined)
      return migration.autocommit(() => this.#executeOwned(owned, sql, parameters, options))
    return Promise.resolve(this.#executeOwned(owned, sql, parameters, options))
  }

  #executeOwned(
    owned: Owned,
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions | undefined,
  ): SqliteResult<never> {
    const rows = options?.rows ?? 'objects'
    const first = options?.first ?? false
    owned.holder.lastSql = sql
    try {
      const statement = owned.engine.prepare(sql)
      if (this.#isSatisfiedPragma(statement))
        return { rows: [], changes: undefined, insertId: undefined }
      this.#refuseControl(statement)
      if (statement.isRead)
        return owned.engine.read(statement, parameters, rows, first, this.#limit(options))
      return owned.isWriter
        ? this.#engine.write(statement, parameters, rows, first)
        : owned.engine.write(statement, parameters, rows, first)
    } catch (error) {
      this.#afterError(error)
      throw error
    }
  }

  async #executeWaiting(
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions | undefined,
  ): Promise<SqliteResult<never>> {
    const engine = this.#engine
    engine.assertOpen()
    const rows = options?.rows ?? 'objects'
    const first = options?.first ?? false
    const statement = engine.writer.prepare(sql)
    this.#refuseControl(statement)
    return this.#givingUp(sql, options?.signal, async (signal) => {
      const limit = this.#limit(options)
      if (engine.gate.holder !== undefined && engine.mayUseReader(statement, parameters)) {
        const lease = await engine.readers!.acquire({ signal, purpose: sql })
        try {
          const reader = lease.resource
          return await retryWhileBusy(
            () => reader.read(reader.prepare(sql), parameters, rows, first, limit),
            this.#patienceMs,
            signal,
          )
        } finally {
          lease.release()
        }
      }
      const holder = new Holder('statement', sql)
      await engine.gate.enter(holder, sql, signal)
      try {
        const attempt = statement.isRead
          ? () => engine.writer.read(statement, parameters, rows, first, limit)
          : () => engine.write(statement, parameters, rows, first)
        return await retryWhileBusy(attempt, this.#patienceMs, signal)
      } finally {
        engine.gate.leave(holder)
      }
    })
  }

  /** Runs what may have to wait under the caller's signal, `cancel()` and `queryTimeoutMs`. */
  async #givingUp<T>(
    sql: string,
    signal: AbortSignal | undefined,
    wait: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController()
    this.#waiting.add(controller)
    const { queryTimeoutMs } = this.#engine.options
    const timer =
      queryTimeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            controller.abort(
              new QueryTimeoutError(
                `The statement was still waiting for a connection after ${queryTimeoutMs} ms (queryTimeoutMs), and has ` +
                  `not run: ${excerpt(sql)}. The write connection is owned by ${this.#engine.gate.holder?.describe() ?? 'nobody in this process'}.`,
              ),
            )
          }, queryTimeoutMs)
    try {
      return await wait(
        signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
      )
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(controller)
    }
  }

  #limit(options: ExecuteOptions | undefined): StatementLimit | undefined {
    const { queryTimeoutMs } = this.#engine.options
    if (queryTimeoutMs === undefined && options?.signal === undefined) return undefined
    return {
      deadline: queryTimeoutMs === undefined ? undefined : performance.now() + queryTimeoutMs,
      signal: options?.signal,
    }
  }

  /** The connection a statement of this session must run on, if it owns one. */
  #ownedForStatement(sql: string): Owned | undefined {
    this.#assertUsable()
    const stream = this.#transactionStream
    if (stream !== undefined) {
      throw new ConnectionBusyError(
        `Cannot run ${excerpt(sql)} while a stream of the same transaction is open: ${excerpt(stream.sql)}. ` +
          'Read the stream to its end, leave its loop, or collect what you need first.',
      )
    }
    if (this.#transaction === 'ending') {
      throw new TransactionClosedError(
        `Cannot run ${excerpt(sql)}: its transaction is being committed or rolled back. Await every statement before the transaction ends.`,
      )
    }
    if (this.#abortedBy !== undefined) throw this.#abortedError()
    return this.#owned
  }

  #assertUsable(): void {
    if (this.#closedBy !== undefined) throw this.#closedBy
    if (this.#released) {
      throw new TransactionClosedError(
        'The transaction or connection this handle belongs to has ended. Use the database itself, or begin a new one.',
      )
    }
    if (this.#owned === undefined) this.#engine.assertOpen()
  }

  #assertTransaction(call: string): Owned {
    if (this.#transaction === 'none') {
      if (this.#closedBy !== undefined) {
        throw new TransactionAbortedError(
          'The database was closed while the transaction was open, which rolled it back. Nothing of it was kept.',
          { cause: this.#closedBy },
        )
      }
      throw new SqliteStatementError(
        'NO_TRANSACTION',
        `${call} without an open transaction. Call begin() first.`,
      )
    }
    if (this.#transaction === 'ending') {
      throw new TransactionClosedError(
        `${call} while the transaction is already ending. Await the first call.`,
      )
    }
    return this.#owned!
  }

  #abortedError(): TransactionAbortedError {
    return new TransactionAbortedError(
      'SQLite has rolled this transaction back because of an earlier error, which is the cause of this one. ' +
        'Nothing of it was kept, and nothing more can be done in it: begin a new one.',
      this.#abortedBy && { cause: this.#abortedBy.error },
    )
  }

  #afterError(error: unknown): void {
    this.#migration?.noteFailure()
    if (this.#transaction !== 'open' || this.#owned!.engine.database.inTransaction) return
    this.#abortedBy ??= { error }
  }

  #control(command: 'savepoint' | 'rollback to' | 'release', name: string): void {
    const sql = `${command} ${quoteIdentifier(name, 'sqlite')}`
    const owned = this.#ownedForStatement(sql)
    if (owned === undefined || this.#transaction === 'none') {
      throw new SqliteStatementError(
        'NO_TRANSACTION',
        `${command} outside a transaction. Call begin() first.`,
      )
    }
    owned.holder.lastSql = sql
    try {
      control(owned, sql)
    } catch (error) {
      this.#afterError(error)
      throw error
    }
  }

  #refuseControl({ verb, sql }: PreparedStatement): void {
    if (verb === 'begin' || verb === 'commit' || verb === 'rollback') {
      throw new SqliteStatementError(
        'TRANSACTION_CONTROL',
        `${excerpt(sql)} as plain SQL would end or begin a transaction behind the driver's back. Use the transaction API of the database, Kysely or Drizzle.`,
      )
    }
    if (
      this.#transaction === 'none' &&
      (verb === 'savepoint' || verb === 'release' || verb === 'rollback to')
    ) {
      throw new SqliteStatementError(
        'TRANSACTION_CONTROL',
        `${excerpt(sql)} outside a transaction. Begin one first.`,
      )
    }
    if (verb === 'pragma' && this.#transaction !== 'none') {
      const pragma = pragmaAssignment(sql)
      if (pragma?.name === 'foreign_keys' && pragma.value !== undefined) {
        throw new SqliteStatementError(
          'FOREIGN_KEYS_PRAGMA',
          `${excerpt(sql)} has no effect inside a transaction (https://www.sqlite.org/pragma.html#pragma_foreign_keys). ` +
            'Run it outside, or use the migrator, which turns enforcement off and checks before it commits.',
        )
      }
    }
  }

  /** In a migration enforcement is off and comes back at its end, which is what these two ask for. */
  #isSatisfiedPragma({ verb, sql }: PreparedStatement): boolean {
    if (verb !== 'pragma' || this.#migration === undefined) return false
    const pragma = pragmaAssignment(sql)
    return pragma?.name === 'foreign_keys' && pragma.value !== undefined
  }

  get #patienceMs(): number {
    return this.#migration === undefined ? this.#engine.options.busyTimeoutMs : migrationTimeoutMs
  }

  #setQueryOnly(on: boolean): void {
    control(this.#owned!, `pragma query_only = ${on ? 'on' : 'off'}`)
    this.#queryOnly = on
  }

  async #ownWriter(kind: 'transaction' | 'migration', signal?: AbortSignal): Promise<void> {
    if (this.#owned !== undefined) return
    const { gate, writer } = this.#engine
    const holder = new Holder(kind)
    if (!gate.tryEnter(holder)) {
      await this.#givingUp(`begin ${kind}`, signal, (either) =>
        gate.enter(
          holder,
          `begin ${kind}`,
          either,
          kind === 'migration' ? migrationTimeoutMs : undefined,
        ),
      )
    }
    this.#owned = { engine: writer, holder, isWriter: true, giveBack: () => gate.leave(holder) }
  }

  async #ownReader(signal?: AbortSignal): Promise<void> {
    const holder = new Holder('transaction')
    this.#engine.assertOpen()
    const lease = await this.#givingUp('begin (read only)', signal, (either) =>
      this.#engine.readers!.acquire({ signal: either, purpose: 'read-only transaction' }),
    )
    this.#owned = {
      engine: lease.resource,
      holder,
      isWriter: false,
      giveBack: () => lease.release(),
    }
  }

  get #transactionStream(): InlineStream | undefined {
    return [...this.#streams].find((stream) => stream.isOwned)
  }

  async #endStream(why: string): Promise<void> {
    await this.#transactionStream?.end(
      new TransactionClosedError(`${why} End the loop over it first.`),
    )
  }

  /** Gives the connection back, unless a migration goes on owning it. */
  #finish(): void {
    const owned = this.#owned
    this.#transaction = 'none'
    this.#abortedBy = undefined
    this.#engine.ended(this)
    if (owned === undefined) return
    if (this.#queryOnly) this.#setQueryOnly(false)
    if (this.#migration !== undefined) return
    this.#owned = undefined
    owned.giveBack()
  }
}

function control(owned: Owned, sql: string): void {
  owned.engine.prepare(sql).forRun().run()
}
