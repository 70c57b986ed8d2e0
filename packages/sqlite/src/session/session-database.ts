import {
  attachSuppressed,
  checkOptionNames,
  type DatabaseClosedError,
  invalidOption,
} from '@keelson/core'
import type {
  BeginOptions,
  ExecuteOptions,
  SqliteResult,
  SqliteSession,
  StreamOptions,
} from '../contract.ts'
import { databaseBrand, type SqliteCloseReport, type SqliteDatabase } from '../database.ts'
import type { SqliteMaintenance } from '../maintenance/maintenance.ts'
import type { Maintain } from '../maintenance/schedule.ts'
import { MaintenanceScheduler, type ScheduleEngine } from '../maintenance/scheduler.ts'
import type { ResolvedSqliteOptions } from '../options.ts'
import { checkBeginOptions } from './begin-options.ts'
import type { DatabaseLifetime } from './lifetime.ts'
import type { EventSource } from './query-event.ts'
import type { WriteGate } from './write-gate.ts'

/** What runs below a database, on whichever thread. */
export interface DatabaseEngine extends DatabaseLifetime, ScheduleEngine {
  readonly options: ResolvedSqliteOptions
  readonly gate: WriteGate
}

/** See `SqliteDatabase`. What its sessions run on is the engine's to know, and how that is closed. */
export abstract class SessionDatabase implements SqliteDatabase {
  abstract readonly mode: SqliteDatabase['mode']
  readonly maintenance: SqliteMaintenance
  readonly maintain: Maintain
  readonly #engine: DatabaseEngine
  readonly #scheduler: MaintenanceScheduler
  /** For statements in autocommit, which own nothing. */
  readonly #session: SqliteSession
  #closing: Promise<SqliteCloseReport> | undefined

  constructor(engine: DatabaseEngine, session: SqliteSession, maintenance: SqliteMaintenance) {
    Object.defineProperty(this, databaseBrand, { value: true })
    this.#engine = engine
    this.#session = session
    this.maintenance = maintenance
    this.#scheduler = new MaintenanceScheduler(engine, maintenance)
    this.maintain = (schedule) => this.#scheduler.start(schedule)
  }

  /** @param isForOneTransaction ends the session with its transaction, so that nothing late runs in autocommit */
  protected abstract newSession(
    source: EventSource | undefined,
    isForOneTransaction: boolean,
  ): SqliteSession

  /**
   * Ends what is open, and closes every connection.
   *
   * @param error for whoever uses it from now on
   * @param deadline of `performance.now()`
   * @returns what had to be ended by force
   */
  protected abstract closeAll(error: DatabaseClosedError, deadline: number): Promise<string[]>

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
    const session = this.newSession('driver', true)
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
    return this.newSession(options.source, false)
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
    const error = this.#engine.refuseNewWork()
    this.#scheduler.stop()
    this.#engine.gate.close(error)
    return { forced: await this.closeAll(error, performance.now() + deadlineMs) }
  }
}
