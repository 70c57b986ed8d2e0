import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import {
  attachSuppressed,
  type BulkIngestRequest,
  type BulkIngestResult,
  checkOptionNames,
  Holder,
  invalidOption,
  type PoolStats,
} from '@keelson/core'
import { Interruption } from './connection/interruption.ts'
import type {
  BeginOptions,
  DuckDBResult,
  DuckDBSession,
  ExecuteOptions,
  StreamOptions,
} from './contract.ts'
import type {
  DuckDBCloseReport,
  DuckDBDatabase,
  ReserveOptions,
  SessionOptions,
} from './database.ts'
import type { ResolvedDuckDBOptions } from './options.ts'
import type { Engine } from './session/engine.ts'
import { checkBeginOptions, checkReserveOptions } from './session/statement-options.ts'
import { PooledSession } from './session/session.ts'

/** On every database of this package, whichever copy of it made the database. */
export const databaseBrand: unique symbol = Symbol.for('keelson.duckdb.database')

/** See `DuckDBDatabase`. Its instance is opened with the first statement, or by `open()`. */
export class PooledDatabase implements DuckDBDatabase {
  readonly #engine: Engine
  readonly #autocommit: PooledSession
  #closing: Promise<DuckDBCloseReport> | undefined

  // --isolatedDeclarations lets no member of a class be named by a symbol.
  static {
    Object.defineProperty(this.prototype, databaseBrand, { value: true })
  }

  constructor(engine: Engine) {
    this.#engine = engine
    this.#autocommit = new PooledSession(engine, { source: 'driver' })
  }

  get path(): string {
    return this.#engine.path
  }

  get options(): ResolvedDuckDBOptions {
    return this.#engine.options
  }

  get isOpen(): boolean {
    return this.#engine.isOpen
  }

  get poolStats(): PoolStats {
    return this.#engine.poolStats
  }

  /** Opens the instance now. */
  open(): Promise<DuckDBInstance> {
    return this.#engine.instance()
  }

  execute<Row>(
    sql: string,
    parameters?: readonly unknown[],
    options?: ExecuteOptions,
  ): Promise<DuckDBResult<Row>> {
    return this.#autocommit.execute<Row>(sql, parameters, options)
  }

  stream<Row>(
    sql: string,
    parameters?: readonly unknown[],
    options?: StreamOptions,
  ): AsyncIterableIterator<Row[]> {
    return this.#autocommit.stream<Row>(sql, parameters, options)
  }

  ingest(request: BulkIngestRequest): Promise<BulkIngestResult> {
    return this.#autocommit.ingest(request)
  }

  async transaction<R>(
    fn: (session: DuckDBSession) => Promise<R>,
    options: BeginOptions = {},
  ): Promise<R> {
    if (typeof fn !== 'function') invalidOption('transaction()', 'fn', fn, 'an async function')
    checkBeginOptions('transaction()', options)
    const session = new PooledSession(this.#engine, { source: 'driver', isForOneTransaction: true })
    await session.begin(options)
    let result: R
    try {
      result = await fn(session)
    } catch (error) {
      await session.rollbackOwn().catch((later: unknown) => attachSuppressed(error, later))
      throw error
    }
    await session.commitOwn()
    return result
  }

  connect(options: SessionOptions = {}): DuckDBSession {
    checkOptionNames('connect()', options, ['source'])
    this.#engine.assertOpen()
    return new PooledSession(this.#engine, { source: options.source ?? 'driver' })
  }

  async reserve(options: ReserveOptions = {}): Promise<DuckDBSession> {
    checkReserveOptions(options)
    const { source = 'driver', signal } = options
    const holder = new Holder('session')
    const interruption = new Interruption()
    const abort = (): void => interruption.abort(signal!.reason)
    if (signal?.aborted === true) abort()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      const lease = await this.#engine.lease('session', interruption)
      return new PooledSession(this.#engine, { source, reserved: { lease, holder } })
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  async use<R>(fn: (connection: DuckDBConnection) => Promise<R>): Promise<R> {
    if (typeof fn !== 'function') invalidOption('use()', 'fn', fn, 'an async function')
    const holder = new Holder('loan')
    const lease = await this.#engine.lease('loan', new Interruption())
    const connection = lease.resource
    holder.since = performance.now()
    const lent = connection.lend(fn)
    const settled = lent.then(
      () => {},
      () => {},
    )
    const loan = {
      describe: () => holder.describe(),
      end: () => interruptUntil(connection.raw, settled),
    }
    this.#engine.opened(loan)
    try {
      return await lent
    } finally {
      // It may have defined anything.
      connection.definitionsChanged()
      this.#engine.ended(loan)
      this.#engine.giveBack(lease, connection)
    }
  }

  checkpoint(): Promise<void> {
    return this.#engine.checkpoint()
  }

  close(options: { readonly deadlineMs?: number } = {}): Promise<DuckDBCloseReport> {
    checkOptionNames('close()', options, ['deadlineMs'])
    const { deadlineMs = 3_000 } = options
    if (typeof deadlineMs !== 'number' || !(deadlineMs >= 0 && deadlineMs <= 0x7fffffff))
      invalidOption('close()', 'deadlineMs', deadlineMs, 'milliseconds from 0 to 2147483647')
    this.#closing ??= this.#engine.close(deadlineMs).then((forced) => ({ forced }))
    return this.#closing
  }
}

/** What is lent may run anything; nothing tells when. Gives up after some time. */
async function interruptUntil(connection: DuckDBConnection, settled: Promise<void>): Promise<void> {
  let rounds = 0
  const timer = setInterval(() => {
    connection.interrupt()
    if (++rounds === 100) clearInterval(timer)
  }, 10)
  timer.unref()
  await settled
  clearInterval(timer)
}
