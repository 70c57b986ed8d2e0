import type { DuckDBConnection, DuckDBInstance, DuckDBMaterializedResult } from '@duckdb/node-api'
import { excerpt } from '@keelson/core'
import { DuckDBStatementError } from '../errors.ts'
import type { Definitions } from '../instance/definitions.ts'
import { mayEvaluateEarly } from './early-evaluation.ts'
import { type Interruption, repeatMs } from './interruption.ts'
import { isOneStatement } from './one-statement.ts'
import { RowSource } from './row-source.ts'
import { StatementCache } from './statement-cache.ts'
import {
  changesConnection,
  changesDefinitions,
  isReusable,
  refuseSavepoint,
} from './statement-rules.ts'
import { Statement } from './statement.ts'
import type { ThreadBudget } from './thread-budget.ts'
import { Turns } from './turns.ts'

/** What is to be run, and what whoever asks wants to know of it before it runs. */
export interface StatementRequest {
  readonly sql: string
  readonly parameters: readonly unknown[]
  /** Throws to refuse it. */
  readonly check: (statement: Statement) => void
  readonly prepared?: ((wasCached: boolean) => void) | undefined
}

/** One connection of the client: its prepared statements, what runs on it, and whether it may be handed on. */
export class Connection {
  readonly id: number
  readonly raw: DuckDBConnection
  readonly instance: DuckDBInstance
  readonly #budget: ThreadBudget
  readonly #definitions: Definitions
  readonly #cache: StatementCache
  #version: number
  readonly #turns = new Turns()
  #changedBy: string | undefined
  #isLent = false
  #hasChangedDefinitions = false
  /** Whether DuckDB may use the plan of a statement again, once that was found out. */
  #keepsPlans: boolean | undefined
  /** Statements that have run once since the definitions changed, and are not kept yet. */
  readonly #hasRun = new Set<string>()

  constructor(
    id: number,
    raw: DuckDBConnection,
    options: {
      instance: DuckDBInstance
      budget: ThreadBudget
      definitions: Definitions
      statementCacheSize: number
    },
  ) {
    this.id = id
    this.raw = raw
    this.instance = options.instance
    this.#budget = options.budget
    this.#definitions = options.definitions
    this.#cache = new StatementCache(options.statementCacheSize)
    this.#version = options.definitions.version
  }

  /** What has changed it for whoever gets it next, if anything has. */
  get changedBy(): string | undefined {
    return this.#changedBy
  }

  changed(reason: string): void {
    this.#changedBy ??= reason
  }

  /** Changes whenever a name may mean something else than before. */
  get definitionsVersion(): number {
    return this.#definitions.version
  }

  /** Waits for what was asked for before. Work on one connection is done in the order of the calls. */
  exclusive<R>(work: () => Promise<R>): Promise<R> {
    return this.#turns.take(work)
  }

  /** Lends the client's connection, on which the borrower may do anything, and leave anything behind. */
  lend<R>(fn: (raw: DuckDBConnection) => Promise<R>): Promise<R> {
    this.#isLent = true
    this.changed('it was lent by use()')
    return this.exclusive(async () => fn(this.raw))
  }

  /** Runs a statement. DuckDB holds all of its rows then. */
  run(
    request: StatementRequest,
    interruption: Interruption,
  ): Promise<{ readonly statement: Statement; readonly result: DuckDBMaterializedResult }> {
    return this.#using(request, interruption, async (statement) => {
      const result = await this.call(() => statement.run(this.raw), interruption)
      return { statement, result }
    })
  }

  /**
   * Opens the rows of a statement. What it writes is written in full before, however many of its rows are read.
   *
   * @param isInTransaction whether a transaction is open on this connection
   */
  open(
    request: StatementRequest,
    interruption: Interruption,
    isInTransaction: boolean,
  ): Promise<RowSource> {
    return this.#using(request, interruption, async (statement) => {
      if (!statement.isRead || statement.isExpanded) {
        const result = await this.call(() => statement.run(this.raw), interruption)
        return new RowSource(this, statement, result, false)
      }
      if (statement.takesParameters) {
        const result = await this.call(() => statement.raw.stream(), interruption)
        return new RowSource(this, statement, result, false, !isInTransaction)
      }
      return this.#openPlanned(statement, interruption, isInTransaction)
    })
  }

  /** Runs a command that returns nothing. */
  async command(sql: string, interruption: Interruption): Promise<void> {
    await this.call(() => this.raw.run(sql), interruption)
  }

  /**
   * Runs a command that takes no time and ends something. It waits for no thread: who leaves a stream should not wait
   * for the statements of others.
   */
  async conclude(sql: string): Promise<void> {
    await this.raw.run(sql)
  }

  /** Runs one call of the client as soon as a thread is free for it. */
  call<R>(work: () => Promise<R>, interruption: Interruption): Promise<R> {
    return this.#budget.run(() => interruption.guard(this.raw, work), interruption)
  }

  /** Prepared statements may mean something else now, on every connection of the instance. */
  definitionsChanged(): void {
    this.#definitions.version++
    this.#hasChangedDefinitions = true
  }

  /** What was changed in a transaction is there for everybody now, or gone. */
  transactionEnded(): void {
    if (this.#hasChangedDefinitions) this.#definitions.version++
    this.#hasChangedDefinitions = false
  }

  /** Closes it once nothing runs on it any more: DuckDB hangs for ever when it is closed under a query. */
  async close(): Promise<void> {
    await this.#turns.end()
    if (this.#isLent) await this.#endForgotten()
    this.#cache.clear()
    this.raw.closeSync()
  }

  /** Ends what a borrower may have left running: a query runs only once nothing else does. */
  async #endForgotten(): Promise<void> {
    const timer = setInterval(() => this.raw.interrupt(), repeatMs)
    try {
      await this.raw.run('select 1')
    } catch {
      // It was interrupted, or the borrower has closed the connection.
    } finally {
      clearInterval(timer)
    }
  }

  /** Finds out what a statement is, unless that is known, and binds its parameters. */
  async #using<R>(
    { sql, parameters, check, prepared }: StatementRequest,
    interruption: Interruption,
    execute: (statement: Statement) => Promise<R>,
  ): Promise<R> {
    const known = this.#known(sql)
    prepared?.(known !== undefined)
    const statement = known ?? (await this.#prepare(sql, interruption))
    let isKept = known !== undefined
    try {
      check(statement)
      statement.bind(parameters)
      if (changesConnection(statement)) this.changed(excerpt(sql))
      isKept ||= await this.#mayKeep(statement, interruption)
      return await execute(statement)
    } finally {
      if (known === undefined) this.#keep(statement, isKept)
      if (changesDefinitions(statement)) this.definitionsChanged()
      else if (changesConnection(statement)) this.#ownDefinitionsChanged()
    }
  }

  /** Whether what was found out about a statement is of use for the next time. */
  async #mayKeep(statement: Statement, interruption: Interruption): Promise<boolean> {
    // Its kind, and nothing changes that.
    if (!statement.takesParameters) return true
    if (!isReusable(statement)) return false
    if (this.#keepsPlans === undefined) {
      // Finding out takes some 15 ms, most of it for DuckDB's list of macros: too much for what runs but once.
      if (!this.#runsAgain(statement.sql)) return false
      const isEarly = await this.call(() => mayEvaluateEarly(this.raw), interruption)
      this.#keepsPlans = !isEarly
    }
    return this.#keepsPlans
  }

  #runsAgain(sql: string): boolean {
    if (this.#hasRun.has(sql)) return true
    if (this.#hasRun.size >= this.#cache.size) this.#hasRun.clear()
    this.#hasRun.add(sql)
    return false
  }

  /** Plans in a transaction that holds until the last row: see `Statement.run()`. */
  async #openPlanned(
    statement: Statement,
    interruption: Interruption,
    isInTransaction: boolean,
  ): Promise<RowSource> {
    if (!isInTransaction) await this.command('begin transaction', interruption)
    try {
      const raw = await this.call(() => this.raw.prepare(statement.sql), interruption)
      try {
        const result = await this.call(() => raw.stream(), interruption)
        return new RowSource(this, statement, result, !isInTransaction, !isInTransaction)
      } finally {
        raw.destroySync()
      }
    } catch (error) {
      if (!isInTransaction) await this.#giveUp()
      throw error
    }
  }

  async #giveUp(): Promise<void> {
    try {
      await this.conclude('rollback')
    } catch {
      this.changed('a transaction that could not be rolled back')
    }
  }

  #known(sql: string): Statement | undefined {
    if (this.#version !== this.#definitions.version) this.#forget()
    return this.#cache.get(sql)
  }

  #forget(): void {
    this.#cache.clear()
    this.#hasRun.clear()
    this.#keepsPlans = undefined
    this.#version = this.#definitions.version
  }

  #ownDefinitionsChanged(): void {
    this.#forget()
    this.#hasChangedDefinitions = true
  }

  #keep(statement: Statement, isKept: boolean): void {
    if (!isKept || !statement.takesParameters) statement.destroy()
    if (isKept) this.#cache.add(statement)
  }

  async #prepare(sql: string, interruption: Interruption): Promise<Statement> {
    refuseSavepoint(sql)
    try {
      return await this.call(() => Statement.prepare(this.raw, sql), interruption)
    } catch (error) {
      const { message } = error as Error
      if (/Cannot prepare multiple statements/.test(message)) {
        if (isOneStatement(sql)) return Statement.expanded(sql)
        throw new DuckDBStatementError(
          'MULTIPLE_STATEMENTS',
          `One call runs one statement; this text holds several: ${excerpt(sql)}. Run them one by one, in a transaction if they belong together.`,
          { cause: error },
        )
      }
      if (/No statement to prepare/.test(message)) {
        throw new DuckDBStatementError(
          'EMPTY_STATEMENT',
          'The SQL text holds no statement, only white space or comments.',
          { cause: error },
        )
      }
      throw error
    }
  }
}
