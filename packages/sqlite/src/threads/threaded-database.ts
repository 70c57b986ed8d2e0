import { attachSuppressed, checkOptionNames, invalidOption } from '@keelson/core'
import type {
  BeginOptions,
  ExecuteOptions,
  SqliteResult,
  SqliteSession,
  StreamOptions,
} from '../contract.ts'
import { databaseBrand, type SqliteCloseReport, type SqliteDatabase } from '../database.ts'
import { checkBeginOptions } from '../session/begin-options.ts'
import type { EventSource } from '../session/query-event.ts'
import type { SqliteMaintenance } from '../maintenance/maintenance.ts'
import type { Maintain } from '../maintenance/schedule.ts'
import { MaintenanceScheduler } from '../maintenance/scheduler.ts'
import type { ResolvedSqliteOptions } from '../options.ts'
import type { ThreadedEngine } from './threaded-engine.ts'
import { ThreadedMaintenance } from './threaded-maintenance.ts'
import { ThreadedSession } from './threaded-session.ts'

/** See `SqliteDatabase`. */
export class ThreadedDatabase implements SqliteDatabase {
  readonly mode = 'threads'
  readonly maintenance: SqliteMaintenance
  readonly maintain: Maintain
  readonly #engine: ThreadedEngine
  readonly #scheduler: MaintenanceScheduler
  /** For statements in autocommit, which own nothing. */
  readonly #session: ThreadedSession
  #closing: Promise<SqliteCloseReport> | undefined

  constructor(engine: ThreadedEngine) {
    Object.defineProperty(this, databaseBrand, { value: true })
    this.#engine = engine
    this.#session = new ThreadedSession(engine)
    this.maintenance = new ThreadedMaintenance(engine)
    this.#scheduler = new MaintenanceScheduler(engine, this.maintenance)
    this.maintain = (schedule) => this.#scheduler.start(schedule)
  }

  get path(): string {
    return this.#engine.path
  }

  get options(): ResolvedSqliteOptions {
    return this.#engine.options
  }

  get isOpen(): boolean {
    return this.#engine.closedError === undefined
  }

  execute<Row>(
    sql: string,
    parameters?: readonly unknown[],
    options?: ExecuteOptions,
  ): Promise<SqliteResult<Row>> {
    return this.#session.execute<Row>(sql, parameters, options)
  }

  stream<Row>(
    sql: string,
    parameters?: readonly unknown[],
    options?: StreamOptions,
  ): AsyncIterableIterator<Row[]> {
    return this.connect().stream(sql, parameters, options)
  }

  async transaction<R>(
    fn: (session: SqliteSession) => Promise<R>,
    options?: BeginOptions,
  ): Promise<R> {
    if (typeof fn !== 'function') invalidOption('transaction()', 'fn', fn, 'an async function')
    if (options !== undefined) checkBeginOptions('transaction()', options)
    const session = new ThreadedSession(this.#engine, 'driver', true)
    try {
      await session.begin(options)
      const result = await fn(session)
      await session.commit()
      return result
    } catch (error) {
      // The caller's error is the one to report; the connection's state is the driver's to know.
      await session.rollback().catch((later: unknown) => attachSuppressed(error, later))
      throw error
    } finally {
      await session.release()
    }
  }

  connect(options: { readonly source?: EventSource } = {}): SqliteSession {
    return new ThreadedSession(this.#engine, options.source)
  }

  async close(options: { readonly deadlineMs?: number } = {}): Promise<SqliteCloseReport> {
    checkOptionNames('close()', options, ['deadlineMs'])
    const { deadlineMs = 3000 } = options
    if (typeof deadlineMs !== 'number' || !(deadlineMs >= 0 && deadlineMs <= 0x7fffffff))
      invalidOption('close()', 'deadlineMs', deadlineMs, 'milliseconds from 0 to 2147483647')
    this.#closing ??= this.#close(deadlineMs)
    return this.#closing
  }

  async #close(deadlineMs: number): Promise<SqliteCloseReport> {
    const engine = this.#engine
    const error = engine.refuseNewWork()
    this.#scheduler.stop()
    engine.gate.close(error)
    const forced: string[] = []
    const deadline = performance.now() + deadlineMs
    try {
      const streams = engine.open.filter((each) => !(each instanceof ThreadedSession))
      forced.push(...streams.map((stream) => stream.describe()))
      await settledBy(
        deadline,
        streams.map((stream) => stream.end(error)),
      )
      await engine.idleUntil(deadline)
      const left = engine.open
      forced.push(...left.map((each) => each.describe()))
      await settledBy(
        deadline + graceMs,
        left.map((each) => each.end(error)),
      )
      if (!engine.options.readOnly) await engine.optimize(deadline)
    } finally {
      forced.push(...(await engine.closeThreads(deadline + graceMs)))
    }
    return { forced }
  }
}

/** What is rolled back at the deadline takes a moment. */
const graceMs = 250

/** Waits for those that settle until then; a thread that is stuck is ended by force afterwards. */
async function settledBy(deadline: number, work: readonly Promise<unknown>[]): Promise<void> {
  if (work.length === 0) return
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(graceMs, deadline - performance.now()))
  })
  await Promise.race([Promise.allSettled(work), late])
  clearTimeout(timer)
}
