/** Over 300 lines, being one subject: the state of a session decides what each of its calls may do. */
import {
  type BulkIngestRequest,
  type BulkIngestResult,
  ConnectionBusyError,
  type DatabaseClosedError,
  excerpt,
  Holder,
  type Lease,
  newQueryEvent,
  queryChannel,
  type QueryEvent,
  type StatementCall,
  statementCall,
  TransactionAbortedError,
  transactionChannel,
  TransactionClosedError,
  TransactionTrace,
  traceQuery,
} from '@keelson/core'
import type { Connection } from '../connection/connection.ts'
import { Interruption } from '../connection/interruption.ts'
import { refuseControl, refuseOnPool } from '../connection/statement-rules.ts'
import type { Statement } from '../connection/statement.ts'
import type {
  BeginOptions,
  DuckDBResult,
  DuckDBSession,
  ExecuteOptions,
  StreamOptions,
} from '../contract.ts'
import { DuckDBStatementError } from '../errors.ts'
import {
  checkIngest,
  type OwnIngestRequest,
  ownRequest,
  rowCountOf,
} from '../ingest/check-ingest.ts'
import { convertBeside, ingestRows } from '../ingest/ingest-rows.ts'
import type { IngestSource } from '../ingest/ingest-source.ts'
import { faultOf } from './connection-fault.ts'
import type { Endable, Engine } from './engine.ts'
import { execute, type Read, workOnPool } from './execution.ts'
import { Operation } from './operation.ts'
import {
  checkBeginOptions,
  checkExecuteOptions,
  checkParameters,
  checkSql,
} from './statement-options.ts'
import type { StreamConnection, StreamRun } from './stream-run.ts'
import { openStream } from './stream.ts'
import { Transaction } from './transaction.ts'

export interface PooledSessionOptions {
  readonly source: QueryEvent['source']
  /** The connection of a session that owns one from the beginning, and who asked for it. */
  readonly reserved?: { readonly lease: Lease<Connection>; readonly holder: Holder }
  /** Ends the session with its transaction, so that nothing late runs in autocommit. */
  readonly isForOneTransaction?: boolean
}

/** What is done on a connection, in two steps: the second needs the connection no more. */
type Work<R> = (connection: Connection, interruption: Interruption) => Promise<Read<R>>

/** A connection that a session owns. */
interface Owned {
  readonly lease: Lease<Connection>
  readonly connection: Connection
}

/** See `DuckDBSession`. */
export class PooledSession implements DuckDBSession, Endable {
  readonly #engine: Engine
  readonly #source: QueryEvent['source']
  /** Of a session that owns its connection from the beginning to its end. */
  readonly #reservedBy: Holder | undefined
  readonly #isForOneTransaction: boolean
  #owned: Owned | undefined
  #phase: 'none' | 'beginning' | 'open' | 'ending' = 'none'
  #transaction: Transaction | undefined
  /** Settles when the `begin()`, `commit()` or `rollback()` that is under way has, whatever came of it. */
  #changing: Promise<void> = Promise.resolve()
  #waiting: Interruption | undefined
  readonly #operations = new Set<Operation>()
  readonly #streams = new Set<StreamRun>()
  /** The stream that is open on the connection that this session owns. */
  #ownStream: StreamRun | undefined
  #closedBy: DatabaseClosedError | undefined
  #releasing: Promise<void> | undefined
  #isReleased = false

  constructor(
    engine: Engine,
    { source, reserved, isForOneTransaction = false }: PooledSessionOptions,
  ) {
    this.#engine = engine
    this.#source = source
    this.#reservedBy = reserved?.holder
    this.#isForOneTransaction = isForOneTransaction
    if (reserved === undefined) return
    this.#owned = { lease: reserved.lease, connection: reserved.lease.resource }
    engine.opened(this)
  }

  get inTransaction(): boolean {
    return this.#phase === 'open' || this.#phase === 'ending'
  }

  get isAborted(): boolean {
    return this.#transaction?.isDoomed ?? false
  }

  execute<Row>(
    sql: string,
    parameters: readonly unknown[] = [],
    options?: ExecuteOptions,
  ): Promise<DuckDBResult<Row>> {
    try {
      checkSql('execute()', sql)
      checkParameters(parameters)
      if (options !== undefined) checkExecuteOptions(options)
      options?.signal?.throwIfAborted()
      if (!queryChannel.hasSubscribers)
        return this.#execute(sql, parameters, options, statementCall())
      const event = this.#newEvent(sql, parameters.length)
      return traceQuery(event, () => this.#execute<Row>(sql, parameters, options, event))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  stream<Row>(
    sql: string,
    parameters: readonly unknown[] = [],
    options: StreamOptions = {},
  ): AsyncIterableIterator<Row[]> {
    return openStream<Row>(this.#engine, sql, parameters, options, {
      source: this.#source,
      open: (stream, interruption) => this.#openStream(stream, interruption),
      ended: (stream) => {
        this.#streams.delete(stream)
        if (this.#ownStream === stream) this.#ownStream = undefined
      },
    })
  }

  ingest(given: BulkIngestRequest): Promise<BulkIngestResult> {
    try {
      checkIngest(given)
      const request = ownRequest(given)
      const sql = request.statement('rows')
      const ingest = (): Promise<BulkIngestResult> =>
        request.after === undefined ? this.#ingest(sql, request) : this.#ingestAfter(sql, request)
      if (!queryChannel.hasSubscribers) return ingest()
      const event = this.#newEvent(sql, 0)
      event.kind = 'bulk'
      event.bulkRows = rowCountOf(request)
      return traceQuery(event, ingest)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async begin(options: BeginOptions = {}): Promise<void> {
    checkBeginOptions('begin()', options)
    this.#assertUsable()
    if (this.#phase !== 'none') {
      throw new DuckDBStatementError(
        'TRANSACTION_OPEN',
        'begin() inside an open transaction: DuckDB has one level, and no savepoints. Commit it first, or use another session.',
      )
    }
    this.#refuseBesideStream('begin()')
    options.signal?.throwIfAborted()
    await this.#change('beginning', () => this.#begin(options))
  }

  async commit(): Promise<void> {
    this.#refuseWhereManaged('commit()')
    await this.commitOwn()
  }

  async rollback(): Promise<void> {
    this.#refuseWhereManaged('rollback()')
    await this.rollbackOwn()
  }

  /** For whoever began the transaction on behalf of somebody else. */
  async commitOwn(): Promise<void> {
    const transaction = this.#assertTransaction('commit()')
    // From here on nothing can slip in behind the last statement and be committed, or worse, autocommitted.
    await this.#change('ending', async () => {
      await this.#ownStream?.stop(streamEnded('The transaction was committed'))
      await transaction.commit()
    })
  }

  /** See `commitOwn()`. */
  async rollbackOwn(): Promise<void> {
    if (this.#phase === 'beginning') throw beginningError('rollback()')
    if (this.#phase === 'ending') throw endingError('rollback()')
    await this.#rollback()
  }

  cancel(reason: unknown): void {
    this.#waiting?.abort(reason)
    for (const operation of this.#operations) operation.interruption.abort(reason)
    for (const stream of this.#streams) void stream.end(reason)
  }

  release(): Promise<void> {
    this.#isReleased = true
    this.#waiting?.abort(releasedError())
    this.#releasing ??= this.#endAll(streamEnded('The session was released'))
    return this.#releasing
  }

  describe(): string {
    return (this.#transaction ?? this.#reservedBy)?.describe() ?? 'a session'
  }

  async end(error: DatabaseClosedError): Promise<void> {
    this.#closedBy = error
    this.cancel(error)
    await this.#endAll(error)
  }

  async #endAll(reason: Error): Promise<void> {
    try {
      await Promise.all(Array.from(this.#streams, (stream) => stream.end(reason)))
      while (this.#phase !== 'none')
        await (this.#phase === 'open' ? this.#rollback() : this.#changing)
    } finally {
      await this.#giveBackReserved()
    }
  }

  async #giveBackReserved(): Promise<void> {
    if (this.#reservedBy === undefined || this.#owned === undefined) return
    const { lease, connection } = this.#owned
    // What was asked for before runs to its end.
    await connection.exclusive(async () => {})
    if (this.#owned === undefined) return
    this.#owned = undefined
    this.#engine.ended(this)
    this.#engine.giveBack(lease, connection)
  }

  /** Begins or ends a transaction. Afterwards there is one, or there is none. */
  async #change(phase: 'beginning' | 'ending', work: () => Promise<void>): Promise<void> {
    let settle = (): void => {}
    this.#changing = new Promise((resolve) => (settle = resolve))
    this.#phase = phase
    let isOpen = false
    try {
      await work()
      isOpen = phase === 'beginning'
    } finally {
      if (isOpen) this.#phase = 'open'
      else this.#afterTransaction()
      settle()
    }
  }

  async #begin({ accessMode, signal }: BeginOptions): Promise<void> {
    const holder = new Holder('transaction')
    const waiting = (this.#waiting = new Interruption())
    const abort = (): void => waiting.abort(signal!.reason)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      this.#owned ??= await this.#lease('transaction', waiting)
      const { connection } = this.#owned
      const trace = transactionChannel.hasSubscribers ? this.#newTrace(connection) : undefined
      this.#transaction = new Transaction(connection, holder, trace)
      if (this.#reservedBy === undefined) this.#engine.opened(this)
      await this.#transaction.begin(accessMode === 'read only', waiting)
    } finally {
      signal?.removeEventListener('abort', abort)
      this.#waiting = undefined
    }
  }

  #refuseWhereManaged(call: string): void {
    if (!this.#isForOneTransaction) return
    throw new DuckDBStatementError(
      'TRANSACTION_CONTROL',
      `${call} inside the function of transaction(), which commits when the function resolves and rolls back when it ` +
        'throws. Return, or throw; or use begin() of a session of connect().',
    )
  }

  async #rollback(): Promise<void> {
    const transaction = this.#transaction
    if (this.#phase === 'none' || transaction === undefined) return
    await this.#change('ending', async () => {
      await this.#ownStream?.end(streamEnded('The transaction was rolled back'))
      await transaction.rollback()
    })
  }

  #afterTransaction(): void {
    this.#phase = 'none'
    this.#transaction = undefined
    if (this.#isForOneTransaction) this.#isReleased = true
    if (this.#reservedBy !== undefined) return
    this.#engine.ended(this)
    const owned = this.#owned
    this.#owned = undefined
    if (owned !== undefined) this.#engine.giveBack(owned.lease, owned.connection)
  }

  #execute<Row>(
    sql: string,
    parameters: readonly unknown[],
    options: ExecuteOptions | undefined,
    event: StatementCall | undefined,
  ): Promise<DuckDBResult<Row>> {
    const owned = this.#ownedFor(sql)
    const check = (statement: Statement): void => this.#check(statement, owned)
    const request = { sql, parameters, options, check, event }
    return this.#perform(owned, sql, options?.signal, (connection, interruption) =>
      execute(this.#engine, connection, request, interruption),
    )
  }

  #ingest(
    sql: string,
    request: OwnIngestRequest,
    source?: IngestSource,
  ): Promise<BulkIngestResult> {
    const { options } = this.#engine
    const owned = this.#ownedFor(sql)
    const known = owned && this.#transaction?.ingests
    return this.#perform(owned, sql, request.signal, async (connection, interruption) => {
      const context = { method: options.ingest, policies: options, interruption, known, source }
      const result = await ingestRows(connection, request, context)
      return () => result
    })
  }

  async #ingestAfter(sql: string, request: OwnIngestRequest): Promise<BulkIngestResult> {
    const owned = this.#ownedFor(sql)
    const known = owned && this.#transaction?.ingests
    const converting =
      known === undefined ? undefined : convertBeside(owned!.connection, request, known)
    // What came before it is told first.
    converting?.catch(() => {})
    await request.after
    return this.#ingest(sql, request, await converting)
  }

  /** Does work on the connection of this session, or on one of the pool. */
  async #perform<R>(
    owned: Owned | undefined,
    sql: string,
    signal: AbortSignal | undefined,
    work: Work<R>,
  ): Promise<R> {
    const operation = new Operation(this.#engine, sql, signal)
    this.#operations.add(operation)
    try {
      return await (owned === undefined
        ? workOnPool(this.#engine, operation, (connection) =>
            work(connection, operation.interruption),
          )
        : this.#performOwned(owned, operation, work))
    } finally {
      this.#operations.delete(operation)
      operation.finish()
    }
  }

  #performOwned<R>({ lease, connection }: Owned, operation: Operation, work: Work<R>): Promise<R> {
    const transaction = this.#transaction
    const { sql, interruption } = operation
    return connection.exclusive(async () => {
      // What failed before it in the same transaction may have been on its way when this was asked for.
      transaction?.refuseDoomed()
      const start = performance.now()
      lease.note(sql)
      transaction?.runs(sql)
      try {
        const read = await work(connection, interruption)
        return await read()
      } catch (error) {
        if (interruption.hasBegun) failed(error, connection, transaction)
        throw error
      } finally {
        transaction?.ran(performance.now() - start)
      }
    })
  }

  async #openStream(stream: StreamRun, interruption: Interruption): Promise<StreamConnection> {
    const owned = this.#ownedFor(stream.sql)
    const transaction = owned && this.#transaction
    this.#streams.add(stream)
    if (owned !== undefined) this.#ownStream = stream
    // After the statements that were asked for before it.
    if (owned !== undefined)
      await owned.connection.exclusive(async () => transaction?.refuseDoomed())
    const { lease, connection } = owned ?? (await this.#lease('stream', interruption))
    lease.note(stream.sql)
    transaction?.runs(stream.sql)
    return {
      connection,
      isInTransaction: transaction !== undefined,
      check: (statement) => this.#check(statement, owned),
      ended: (failure, spentMs) => {
        if (failure !== undefined) failed(failure.error, connection, transaction)
        transaction?.ran(spentMs)
        if (owned === undefined) this.#engine.giveBack(lease, connection)
      },
    }
  }

  async #lease(purpose: string, interruption: Interruption): Promise<Owned> {
    const lease = await this.#engine.lease(purpose, interruption)
    return { lease, connection: lease.resource }
  }

  /** The connection that a statement of this session must run on, if it owns one. */
  #ownedFor(sql: string): Owned | undefined {
    this.#assertUsable()
    if (this.#phase === 'beginning') throw beginningError(excerpt(sql))
    if (this.#phase === 'ending') {
      throw new TransactionClosedError(
        `Cannot run ${excerpt(sql)}: its transaction is being committed or rolled back. ` +
          'Await every statement before the transaction ends.',
      )
    }
    this.#transaction?.refuseDoomed()
    if (this.#owned !== undefined) this.#refuseBesideStream(excerpt(sql))
    return this.#owned
  }

  #check(statement: Statement, owned: Owned | undefined): void {
    refuseControl(statement)
    this.#engine.refuseSetting(statement)
    if (owned === undefined) refuseOnPool(statement)
  }

  #refuseBesideStream(what: string): void {
    const stream = this.#ownStream
    if (stream === undefined) return
    throw new ConnectionBusyError(
      `Cannot run ${what} while a stream is open on the same connection: ${excerpt(stream.sql)}. ` +
        'Read the stream to its end, leave its loop, or collect what you need first.',
    )
  }

  #assertUsable(): void {
    if (this.#closedBy !== undefined) throw this.#closedBy
    if (this.#isReleased) throw releasedError()
    if (this.#owned === undefined) this.#engine.assertOpen()
  }

  #assertTransaction(call: string): Transaction {
    if (this.#closedBy !== undefined) {
      throw new TransactionAbortedError(
        'The database was closed while the transaction was open, which rolled it back. Nothing of it was kept.',
        { cause: this.#closedBy },
      )
    }
    if (this.#phase === 'ending') throw endingError(call)
    if (this.#phase === 'beginning') throw beginningError(call)
    if (this.#phase === 'open') return this.#transaction!
    throw new DuckDBStatementError(
      'NO_TRANSACTION',
      `${call} without an open transaction. Call begin() first.`,
    )
  }

  #newEvent(sql: string, paramCount: number): QueryEvent {
    return newQueryEvent({
      kind: 'query',
      source: this.#source,
      system: 'duckdb',
      db: this.#engine.path,
      sql,
      paramCount,
    })
  }

  #newTrace({ id }: Connection): TransactionTrace {
    const { path } = this.#engine
    return new TransactionTrace({ system: 'duckdb', db: path, conn: id, isolation: 'snapshot' })
  }
}

/** Something that DuckDB was to do on a connection has failed. */
function failed(
  error: unknown,
  connection: Connection,
  transaction: Transaction | undefined,
): void {
  const fault = faultOf(error)
  if (fault !== undefined) connection.changed(fault)
  transaction?.failed(error)
}

function streamEnded(what: string): TransactionClosedError {
  return new TransactionClosedError(
    `${what} while the stream was open. End the loop over it first.`,
  )
}

function beginningError(what: string): DuckDBStatementError {
  return new DuckDBStatementError(
    'NO_TRANSACTION',
    `${what} before begin() has finished. Await begin() first.`,
  )
}

function endingError(call: string): TransactionClosedError {
  return new TransactionClosedError(
    `${call} while the transaction is already ending. Await the first call.`,
  )
}

function releasedError(): TransactionClosedError {
  return new TransactionClosedError(
    'The transaction or connection this handle belongs to has ended. Use the database itself, or begin a new one.',
  )
}
