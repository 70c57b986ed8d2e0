/** Over 300 lines, being one subject: the state of a session decides what each of its calls may do. */
import {
  attachSuppressed,
  type BulkStatementsRequest,
  type BulkStatementsResult,
  type DatabaseClosedError,
  excerpt,
  Holder,
  queryChannel,
  quoteIdentifier,
  type StatementCall,
  statementCall,
  traceQuery,
  type TransactionAbortedError,
  type TransactionTrace,
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
import { checkBeginOptions } from '../session/begin-options.ts'
import { migrationTimeoutMs } from '../migration/migration-timeout.ts'
import { Patience } from '../session/patience.ts'
import { type EventSource, queryEvent } from '../session/query-event.ts'
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
import { checkExecuteOptions, checkParameters } from '../session/statement-options.ts'
import { setsForeignKeys } from '../statement/statement-rules.ts'
import type { Endable } from '../session/lifetime.ts'
import type { ErrorPayload } from '../worker/protocol.ts'
import { type Begin, flag, notOpen } from '../worker/protocol.ts'
import { errorFrom } from './error-copy.ts'
import { type Asked, AskedOfThread, whileInteresting } from './interest.ts'
import { orTerminated, unlessLate } from './stuck-threads.ts'
import { errorOf } from './reply-error.ts'
import { sendable, sendableRows } from './sendable.ts'
import type { Reply, Thread, Ticket } from './thread.ts'
import { executeAutocommit, resultOf, runOptions } from './threaded-autocommit.ts'
import type { ThreadedEngine } from './threaded-engine.ts'
import { ThreadedMigration } from './threaded-migration.ts'
import { ThreadedStream } from './threaded-stream.ts'

/** A thread that one session owns. */
export interface OwnedThread {
  readonly thread: Thread
  readonly holder: Holder
  readonly isWriter: boolean
  readonly giveBack: () => void
}

/** See `SqliteSession`. */
export class ThreadedSession implements SqliteSession, Endable {
  readonly #engine: ThreadedEngine
  readonly #source: EventSource
  readonly #patience: Patience
  readonly #asked = new Set<Asked>()
  /** Open streams of this session; at most one of them is of its transaction. */
  readonly #streams = new Set<ThreadedStream>()
  #owned: OwnedThread | undefined
  #transaction: 'none' | 'beginning' | 'open' | 'ending' = 'none'
  /** What begins the transaction, until it is known to have been begun. */
  #begin: Begin | undefined
  /** Whether anything of the transaction was sent to its thread. */
  #wasSent = false
  #abortedBy: { readonly error: unknown } | undefined
  #migration: ThreadedMigration | undefined
  #trace: TransactionTrace | undefined
  /** Settles when the last `begin()` has, whatever came of it. */
  #beginning: Promise<void> | undefined
  #closedBy: DatabaseClosedError | undefined
  #released = false
  #definesAnew = false
  readonly #whenEnded: (() => void)[] = []
  /** A statement of the transaction may run on that nobody waits for. */
  #hasLeft = false
  readonly #isForOneTransaction: boolean

  /** @param isForOneTransaction ends the session with its transaction, so that nothing late runs in autocommit */
  constructor(engine: ThreadedEngine, source: EventSource = 'driver', isForOneTransaction = false) {
    this.#engine = engine
    this.#source = source
    this.#isForOneTransaction = isForOneTransaction
    this.#patience = new Patience(engine)
  }

  get inTransaction(): boolean {
    return this.#transaction === 'open' || this.#transaction === 'ending'
  }

  get isAborted(): boolean {
    return this.inTransaction && this.#abortedBy !== undefined
  }

  execute<Row, R = SqliteResult<Row>>(
    sql: string,
    parameters: readonly unknown[] = [],
    options?: ExecuteOptions | MappedExecuteOptions<Row, R>,
  ): Promise<R> {
    try {
      checkParameters(parameters)
      if (options !== undefined) checkExecuteOptions(options)
      const map = (options as MappedExecuteOptions<Row, R> | undefined)?.map
      if (!queryChannel.hasSubscribers)
        return this.#execute(sql, parameters, options, map, statementCall())
      const event = queryEvent('query', this.#source, this.#engine, sql, parameters)
      const run = async (): Promise<SqliteResult<never>> =>
        this.#execute<SqliteResult<never>>(sql, parameters, options, undefined, event)
      const result = traceQuery(event, run)
      return map === undefined ? (result as Promise<R>) : result.then(map)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  stream<Row>(
    sql: string,
    parameters: readonly unknown[] = [],
    options: StreamOptions = {},
  ): AsyncIterableIterator<Row[]> {
    const stream: ThreadedStream = new ThreadedStream(this.#engine, sql, parameters, options, {
      source: this.#source,
      patience: this.#patience,
      owned: () => this.#ownedForStatement(sql),
      takeBegin: () => this.#takeBegin(),
      replied: (reply) => this.#replied(reply, sql),
      ended: () => void this.#streams.delete(stream),
    })
    this.#streams.add(stream)
    return stream as unknown as AsyncIterableIterator<Row[]>
  }

  begin(options: BeginOptions = {}): Promise<void> {
    const begun = this.#beginTransaction(options)
    this.#beginning = begun.catch(() => {})
    return begun
  }

  async #beginTransaction(options: BeginOptions): Promise<void> {
    checkBeginOptions('begin()', options)
    options.signal?.throwIfAborted()
    this.#assertUsable()
    if (this.#transaction !== 'none') {
      throw nestedBeginError()
    }
    const engine = this.#engine
    const readOnly = options.accessMode === 'read only'
    const onReader = readOnly && this.#migration === undefined
    const trace = transactionTrace(engine.path, onReader)
    this.#transaction = 'beginning'
    try {
      this.#owned ??= onReader
        ? await this.#ownReader(options.signal)
        : await this.#ownWriter('transaction', options.signal)
      this.#assertUsable()
      if (this.#migration === undefined) engine.assertOpen()
      engine.opened(this)
    } catch (error) {
      trace?.ended('begin_failed', 0, error)
      this.#finish()
      throw error
    }
    const deferred = readOnly || engine.options.readOnly
    const behavior = deferred ? 'deferred' : (options.behavior ?? engine.options.behavior)
    this.#begin = [`begin ${behavior}`, engine.newTransaction()]
    this.#wasSent = false
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
      // What was asked for without awaiting it is over when the commit is: they run in order.
      if (this.#abortedBy !== undefined) throw this.#abortedError()
      if (this.#wasSent) {
        await this.#migration?.checkForeignKeys()
        await this.#control(owned, 'commit')
        if (owned.isWriter) this.#engine.wrote()
      }
    } catch (error) {
      if (this.#abortedBy === undefined) this.#stayOpen()
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
    // A commit that is on its way is one, whoever ends the session meanwhile.
    if (this.#transaction === 'ending') {
      await new Promise<void>((resolve) => this.#whenEnded.push(resolve))
      return
    }
    const start = performance.now()
    const owned = this.#owned!
    this.#transaction = 'ending'
    try {
      await this.#endStream('The transaction was rolled back while the stream was open.')
      if (this.#wasSent && !owned.thread.hasExited) {
        const rolledBack = owned.thread.control('rollback').reply
        const mayLeave = this.#hasLeft && this.#migration === undefined
        const reply = mayLeave ? await unlessLate(rolledBack) : await rolledBack
        if (reply === undefined) this.#leave(owned, rolledBack)
        // A thread that has ended has rolled back what it had not committed.
        else if (reply.kind === 'failed') throw errorOf(reply, 'rollback', false)
      }
    } catch (error) {
      // Nobody may write on a connection whose state is unknown.
      if (owned.isWriter) this.#engine.gate.close(error as Error)
      throw error
    } finally {
      this.#finish('rolled_back', start)
    }
  }

  /** A commit has failed, and the transaction goes on; whoever wants to end it meanwhile can do so now. */
  #stayOpen(): void {
    this.#transaction = 'open'
    const waiting = this.#whenEnded.splice(0)
    if (waiting.length === 0) return
    void this.#rollback().finally(() => {
      for (const tell of waiting) tell()
    })
  }

  /** Who has lost interest in a statement does not wait for its end; the connection is given back then. */
  #leave({ thread, isWriter, giveBack }: OwnedThread, rolledBack: Promise<Reply>): void {
    this.#owned = undefined
    const ended = isWriter ? rolledBack : orTerminated(thread, rolledBack)
    void ended.then((reply) => {
      if (isWriter && reply.kind === 'failed')
        this.#engine.gate.close(errorOf(reply, 'rollback', false) as Error)
      giveBack()
    })
  }

  async savepoint(name: string): Promise<void> {
    await this.#savepointCommand('savepoint', name)
  }

  async rollbackToSavepoint(name: string): Promise<void> {
    await this.#savepointCommand('rollback to', name)
  }

  async releaseSavepoint(name: string): Promise<void> {
    await this.#savepointCommand('release', name)
  }

  async beginMigration(): Promise<void> {
    this.#assertUsable()
    if (this.#transaction !== 'none') {
      throw migrationInsideError()
    }
    if (this.#migration !== undefined || this.#owned !== undefined) {
      throw secondMigrationError()
    }
    this.#owned = await this.#ownWriter('migration')
    try {
      this.#assertUsable()
      this.#migration = await ThreadedMigration.begin(this.#engine, this.#owned.thread)
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
        this.#engine.definitionsChanged()
        this.#finish()
      }
    }
  }

  cancel(reason: unknown): void {
    this.#patience.cancel(reason)
    for (const asked of this.#asked) asked.giveUp(reason)
    for (const stream of this.#streams) {
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

  // Not an async function: every statement passes here, and a promise more is felt.
  #execute<R>(
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions | undefined,
    map: ((result: SqliteResult<never>) => R) | undefined,
    event: StatementCall | undefined,
  ): Promise<R> {
    options?.signal?.throwIfAborted()
    const isFree = this.#owned === undefined && !this.#released && this.#transaction === 'none'
    const owned = isFree ? undefined : this.#ownedForStatement(sql)
    if (owned !== undefined) {
      const result = this.#executeOwned(owned, sql, parameters, options)
      return map === undefined ? (result as Promise<R>) : result.then(map)
    }
    if ((options as Partial<BulkExecuteOptions> | undefined)?.bulk !== undefined)
      throw bulkOutsideError()
    const engine = this.#engine
    engine.assertOpen()
    return executeAutocommit({
      engine,
      patience: this.#patience,
      sql,
      parameters,
      options,
      map,
      event,
      asked: this.#asked,
    })
  }

  async #executeOwned(
    owned: OwnedThread,
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions | undefined,
  ): Promise<SqliteResult<never>> {
    const start = this.#trace === undefined ? 0 : performance.now()
    const trace = this.#trace
    owned.holder.lastSql = sql
    try {
      const bulk = (options as Partial<BulkExecuteOptions> | undefined)?.bulk
      if (bulk !== undefined)
        return (await this.#executeBulk(owned, bulk)) as unknown as SqliteResult<never>
      const migration = this.#migration
      if (migration !== undefined && setsForeignKeys(sql)) {
        // Enforcement is off and comes back at the end of the migration, which is what the statement asks for.
        return { rows: [], changes: undefined, insertId: undefined }
      }
      const values = sendable(parameters, sql)
      const { mayRead, verb } = this.#engine.kinds.of(sql)
      const isLoose = migration !== undefined && !this.inTransaction
      if (isLoose) await migration.lock()
      const { queryTimeoutMs } = this.#engine.options
      const run = {
        ...runOptions(options, isLoose ? 0 : flag.owned),
        begin: this.#takeBegin(),
        timeoutMs: queryTimeoutMs,
      }
      const reply = await this.#reply(owned, owned.thread.run(sql, values, run), sql, {
        isRead: mayRead,
        signal: options?.signal,
        timeoutMs: queryTimeoutMs,
      })
      if (verb === 'other' || verb === 'rollback to') {
        this.#definesAnew = true
        this.#engine.definitionsChanged()
      }
      return resultOf(reply, sql, mayRead)
    } catch (error) {
      this.#migration?.noteFailure()
      throw error
    } finally {
      trace?.ran(performance.now() - start)
    }
  }

  async #executeBulk(
    owned: OwnedThread,
    request: BulkStatementsRequest,
  ): Promise<BulkStatementsResult> {
    const { rows, refused } = sendableRows(request)
    if (request.after !== undefined) {
      await request.after
      this.#ownedForStatement(rows.full)
    }
    const begin = this.#takeBegin()
    const sql = rows.full
    const reply = await this.#reply(owned, owned.thread.bulk(rows, begin), sql, {
      isRead: false,
      signal: undefined,
      timeoutMs: undefined,
    })
    if (reply.kind !== 'value') throw errorOf(reply, sql, false)
    const { error, hasEnded, ...result } = reply.value as Omit<BulkStatementsResult, 'failure'> & {
      readonly error: ErrorPayload | undefined
      readonly hasEnded: boolean
    }
    if (error === undefined) return { ...result, failure: refused }
    const failure = { error: errorFrom(error) }
    if (hasEnded) this.#abortedBy ??= failure
    return { ...result, failure }
  }

  /** Waits for what was sent, and notes what it tells of the transaction. */
  async #reply(
    owned: OwnedThread,
    ticket: Ticket,
    sql: string,
    options: {
      readonly isRead: boolean
      readonly signal: AbortSignal | undefined
      readonly timeoutMs: number | undefined
    },
  ): Promise<Reply> {
    const { isRead, signal, timeoutMs } = options
    const asked = new AskedOfThread(owned.thread, ticket, isRead)
    this.#asked.add(asked)
    try {
      const reply = await whileInteresting(asked, sql, signal, timeoutMs)
      // A read may run on although nobody waits for it, and so may a write whose time is over.
      if (reply.kind === 'given up' && reply.hasNotRun !== true) this.#hasLeft = true
      return this.#replied(reply, sql)
    } finally {
      this.#asked.delete(asked)
    }
  }

  #replied(reply: Reply, sql: string): Reply {
    if (this.#transaction === 'none') return reply
    if (tellsOfBegin(reply)) this.#begin = undefined
    const hasEnded = reply.kind === 'failed' && reply.hasEnded && !reply.isUnbegun
    if (reply.kind !== 'exited' && !hasEnded) return reply
    if (reply.kind === 'failed' && reply.error.name === notOpen.name)
      return { kind: 'given up', reason: this.#abortedError() }
    const error = errorOf(reply, sql, this.#owned?.isWriter === false)
    this.#abortedBy ??= { error }
    return { kind: 'given up', reason: error }
  }

  async #control(owned: OwnedThread, sql: string): Promise<void> {
    const begin = this.#takeBegin()
    const reply = await this.#reply(owned, owned.thread.control(sql, begin), sql, {
      isRead: false,
      signal: undefined,
      timeoutMs: undefined,
    })
    if (reply.kind !== 'rows') throw errorOf(reply, sql, false)
  }

  #takeBegin(): Begin | undefined {
    this.#wasSent = true
    return this.#begin
  }

  /** The connection a statement of this session must run on, if it owns one. */
  #ownedForStatement(sql: string): OwnedThread | undefined {
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

  #assertTransaction(call: string): OwnedThread {
    if (this.#transaction === 'ending' && this.#closedBy === undefined) throw endingError(call)
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

  async #savepointCommand(
    command: 'savepoint' | 'rollback to' | 'release',
    name: string,
  ): Promise<void> {
    const sql = `${command} ${quoteIdentifier(name, 'sqlite')}`
    const owned = this.#ownedForStatement(sql)
    if (owned === undefined || this.#transaction === 'none') {
      throw savepointOutsideError(sql)
    }
    owned.holder.lastSql = sql
    await this.#control(owned, sql)
    if (command === 'rollback to' && this.#definesAnew) this.#engine.definitionsChanged()
  }

  get #transactionStream(): ThreadedStream | undefined {
    for (const stream of this.#streams) if (stream.isOwned) return stream
    return undefined
  }

  async #endStream(why: string): Promise<void> {
    await this.#transactionStream?.end(streamEndedError(why))
  }

  async #ownWriter(kind: 'transaction' | 'migration', signal?: AbortSignal): Promise<OwnedThread> {
    const { gate } = this.#engine
    const holder = new Holder(kind)
    if (!gate.tryEnter(holder)) {
      const timeoutMs = kind === 'migration' ? migrationTimeoutMs : undefined
      await this.#patience.during(`begin ${kind}`, signal, (either) =>
        gate.enter(holder, `begin ${kind}`, either, timeoutMs),
      )
    }
    return {
      thread: this.#engine.writer,
      holder,
      isWriter: true,
      giveBack: () => gate.leave(holder),
    }
  }

  async #ownReader(signal?: AbortSignal): Promise<OwnedThread> {
    const holder = new Holder('transaction')
    this.#engine.assertOpen()
    const lease = await this.#patience.during('begin (read only)', signal, (either) =>
      this.#engine.borrowReader('begin (read only)', either),
    )
    return {
      thread: lease.resource,
      holder,
      isWriter: false,
      giveBack: () => lease.release(),
    }
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
    this.#begin = undefined
    this.#abortedBy = undefined
    this.#hasLeft = false
    for (const tell of this.#whenEnded.splice(0)) tell()
    if (this.#isForOneTransaction) this.#released = true
    if (this.#migration === undefined) this.#engine.ended(this)
    if (owned === undefined) return
    if (this.#definesAnew) this.#engine.definitionsChanged()
    this.#definesAnew = false
    if (this.#migration !== undefined) return
    this.#owned = undefined
    owned.giveBack()
  }
}

/** Whether the transaction was begun that it was for; one that was given up does not tell. */
function tellsOfBegin(reply: Reply): boolean {
  if (reply.kind === 'failed') return !reply.isUnbegun
  return reply.kind === 'rows' || reply.kind === 'value'
}
