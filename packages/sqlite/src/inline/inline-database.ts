import { attachSuppressed, checkOptionNames, invalidOption } from '@keelson/core'
import type {
  BeginOptions,
  ExecuteOptions,
  SqliteResult,
  SqliteSession,
  StreamOptions,
} from '../contract.ts'
import { databaseBrand, type SqliteCloseReport, type SqliteDatabase } from '../database.ts'
import { InlineMaintenance } from '../maintenance/inline-maintenance.ts'
import type { SqliteMaintenance } from '../maintenance/maintenance.ts'
import { MaintenanceScheduler } from '../maintenance/scheduler.ts'
import type { Maintain } from '../maintenance/schedule.ts'
import type { ResolvedSqliteOptions } from '../options.ts'
import { checkBeginOptions } from '../session/begin-options.ts'
import type { InlineEngine } from './inline-engine.ts'
import type { EventSource } from '../session/query-event.ts'
import { InlineSession } from './inline-session.ts'

/** See `SqliteDatabase`. */
export class InlineDatabase implements SqliteDatabase {
  readonly mode = 'inline'
  readonly maintenance: SqliteMaintenance
  readonly maintain: Maintain
  readonly #engine: InlineEngine
  readonly #closeWriter: () => void
  readonly #scheduler: MaintenanceScheduler
  /** For statements in autocommit, which own nothing. */
  readonly #session: InlineSession
  #closing: Promise<SqliteCloseReport> | undefined

  /** @param closeWriter does nothing for a handle that was handed in */
  constructor(engine: InlineEngine, closeWriter: () => void) {
    Object.defineProperty(this, databaseBrand, { value: true })
    this.#engine = engine
    this.#closeWriter = closeWriter
    this.#session = new InlineSession(engine)
    this.maintenance = new InlineMaintenance(engine)
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
    const session = new InlineSession(this.#engine, 'driver', true)
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
    return new InlineSession(this.#engine, options.source)
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
      const streams = engine.open.filter((each) => !(each instanceof InlineSession))
      forced.push(...streams.map((stream) => stream.describe()))
      await Promise.all(streams.map((stream) => stream.end(error)))
      await engine.idleUntil(deadline)
      for (const each of engine.open) {
        forced.push(each.describe())
        await each.end(error)
      }
    } finally {
      try {
        engine.snapshot?.close()
        await engine.readers?.close({ deadlineMs: Math.max(0, deadline - performance.now()) })
        this.#optimize()
      } finally {
        this.#closeWriter()
      }
    }
    return { forced }
  }

  #optimize(): void {
    const { options, readers } = this.#engine
    if (options.readOnly || readers === undefined) return
    try {
      this.#engine.control('pragma optimize')
    } catch {
      // Another process is writing, or the disk is full: the statistics stay as they were.
    }
  }
}
