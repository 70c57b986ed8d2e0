import { realpathSync } from 'node:fs'
import { Holder, type Lease, Pool } from '@keelson/core'
import type { SqliteResult } from '../contract.ts'
import type { ResolvedSqliteOptions } from '../options.ts'
import { type PreparedStatement } from '../statement/prepared-statement.ts'
import { readRoute } from '../statement/read-route.ts'
import type { StatementEngine } from '../statement/statement-engine.ts'
import { bindableParameters } from '../values/parameters.ts'
import { borrowFrom, readersSettings } from '../session/borrow-reader.ts'
import { DatabaseLifetime } from '../session/lifetime.ts'
import { retryWhileBusy } from './busy-retry.ts'
import { TickSnapshot } from './tick-snapshot.ts'
import { WriteGate } from '../session/write-gate.ts'

/**
 * The connections of one database on the calling thread: one that writes, behind a gate, and a pool of connections
 * that only read.
 */
export class InlineEngine extends DatabaseLifetime {
  readonly options: ResolvedSqliteOptions
  readonly writer: StatementEngine
  readonly gate: WriteGate
  readonly snapshot: TickSnapshot | undefined
  readonly readers: Pool<StatementEngine> | undefined
  #schemaGeneration = 0
  #schemaChanged = false

  /** @param openReader undefined where a second connection would see another database: in memory, handed in */
  constructor(
    path: string,
    options: ResolvedSqliteOptions,
    writer: StatementEngine,
    openReader: (() => StatementEngine) | undefined,
  ) {
    super(path)
    this.options = options
    this.writer = writer
    this.gate = new WriteGate(options.busyTimeoutMs)
    this.snapshot =
      openReader === undefined ? undefined : new TickSnapshot(writer.database, realpathSync(path))
    writer.beforePragma = () => this.snapshot?.end()
    this.readers =
      openReader &&
      new Pool<StatementEngine>({
        ...readersSettings(path, options),
        create: openReader,
        destroy: (reader) => void reader.database.close(),
        validate: (reader) => reader.database.open && !reader.database.inTransaction,
      })
  }

  /** Whether the statement may run on a read connection. */
  mayUseReader(statement: PreparedStatement, parameters: readonly unknown[]): boolean {
    if (this.readers === undefined || !statement.isRead) return false
    if (statement.route?.generation !== this.#schemaGeneration) {
      const bound = bindableParameters(parameters, statement.sql)
      const kind = readRoute(this.writer.database, statement, bound)
      statement.route = { kind, generation: this.#schemaGeneration }
    }
    return statement.route.kind === 'any'
  }

  /** Runs a statement that may write on the writing connection; call only while holding the gate. */
  write(
    statement: PreparedStatement,
    parameters: readonly unknown[],
    rows: 'objects' | 'arrays',
    first: boolean,
  ): SqliteResult<never> {
    this.snapshot?.endAll()
    // A temporary table may now stand before a main one, or a database be attached: routes are found out anew.
    if (statement.verb === 'other' || statement.verb === 'rollback to') {
      this.#schemaGeneration++
      this.#schemaChanged = true
    }
    return this.writer.write(statement, parameters, rows, first)
  }

  /** Forgets what was found out while a schema stood that has been rolled back, or may have been. */
  rolledBack(to: 'begin' | 'savepoint'): void {
    if (!this.#schemaChanged) return
    if (to === 'begin') this.#schemaChanged = false
    this.#schemaGeneration++
    this.writer.forgetStatements()
  }

  /** Runs one of the driver's own statements on the writing connection. */
  control(sql: string): void {
    this.snapshot?.endAll()
    this.writer.prepare(sql).forRun().run()
  }

  /**
   * A read connection, as soon as one is free.
   *
   * @param purpose what it is for, for the error message of others
   * @throws {ConnectionBusyError} after `busyTimeoutMs`, naming what has them all
   */
  async borrowReader(purpose: string, signal?: AbortSignal): Promise<Lease<StatementEngine>> {
    return borrowFrom(this.readers!, this.options, purpose, signal)
  }

  /** Takes its turn to write, then runs synchronously. */
  async exclusively<T>(what: string, run: () => T): Promise<T> {
    const holder = new Holder('maintenance', what)
    await this.gate.enter(holder, what)
    try {
      this.assertOpen()
      this.snapshot?.endAll()
      return await this.untilClosed(new AbortController(), (signal) =>
        retryWhileBusy(run, this.options.busyTimeoutMs, signal),
      )
    } finally {
      this.gate.leave(holder)
    }
  }

  /** Empties the write-ahead log. */
  async checkpoint(): Promise<void> {
    const sql = 'pragma wal_checkpoint(truncate)'
    await this.exclusively(sql, () => this.control(sql))
  }

  /** Runs a check on a read connection, or where there is none, in its turn on the only one. */
  async reading<T>(what: string, run: (connection: StatementEngine) => T): Promise<T> {
    this.assertOpen()
    if (this.readers === undefined) return this.exclusively(what, () => run(this.writer))
    return this.untilClosed(new AbortController(), async (signal) => {
      const lease = await this.borrowReader(what, signal)
      try {
        return await retryWhileBusy(() => run(lease.resource), this.options.busyTimeoutMs, signal)
      } finally {
        lease.release()
      }
    })
  }

  /** A handle that its owner uses too. */
  get isAdopted(): boolean {
    return !this.writer.guardsSettings
  }

  /** The first column of the first row. */
  pluck(sql: string): unknown {
    this.snapshot?.end()
    return (this.writer.prepare(sql).as('arrays', false).get() as unknown[] | undefined)?.[0]
  }
}
