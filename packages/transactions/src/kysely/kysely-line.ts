import { describeError, type EngineSession, type EngineTraits, KeelsonError } from '@keelson/core'
import { abortedTransaction } from '@keelson/core/kysely'
import {
  CompiledQuery,
  createQueryId,
  type DatabaseConnection,
  type QueryResult,
  type RootOperationNode,
  type TransactionSettings,
} from 'kysely'
import { TransactionOptionsError } from '../errors.ts'
import { checkBegin } from '../scope/begin-check.ts'
import { foreignKeyError, rolledBackError } from '../scope/commit-errors.ts'
import type { BeginSettings, EngineState, Line } from '../scope/line.ts'
import { mysqlState } from '../scope/mysql-state.ts'
import type { KyselyTransactions } from './kysely-transactions.ts'
import type { Loan } from './loan.ts'
import { engineSessionOf } from './session-capabilities.ts'

/** A connection of a Kysely driver, for as long as a transaction is on it. */
export class KyselyLine implements Line {
  readonly host: KyselyTransactions
  readonly connection: DatabaseConnection
  readonly #lender: Loan | undefined
  #isQueryOnly = false
  #wasSent = false

  /** @param lender by whom the connection was got from the driver, and will be given back */
  constructor(host: KyselyTransactions, connection: DatabaseConnection, lender?: Loan) {
    this.host = host
    this.connection = connection
    this.#lender = lender
  }

  /** With our own drivers: the session, through which another ORM on the same database can speak. */
  get engineSession(): EngineSession | undefined {
    return engineSessionOf(this.connection)
  }

  get traits(): EngineTraits {
    return this.host.traits
  }

  get databaseName(): string {
    return this.traits.engine
  }

  get publishesRoots(): boolean {
    return this.host.isOwnDriver
  }

  async begin(settings: BeginSettings): Promise<void> {
    checkBegin(this.traits, settings, this.host.database.suspendedRoot)
    this.#wasSent = true
    await this.#control(() =>
      this.host.isForeignSqlite && this.engineSession === undefined
        ? this.#beginSqlite(settings)
        : this.#beginByDriver(settings),
    )
    // What a query is cancelled by has to be known before.
    if (this.connection.collectSessionInfo !== undefined)
      await this.#control(() => this.connection.collectSessionInfo!())
  }

  async commit(): Promise<void> {
    try {
      await this.#control<unknown>(() =>
        this.host.sendsControl
          ? this.#send('commit')
          : this.host.instance.baseDriver.commitTransaction(this.connection),
      )
    } catch (error) {
      if (!wasRolledBack(error) || isAborted(error)) throw error
      throw rolledBackError(this.traits.engine, error)
    }
  }

  async rollback(isLost: boolean): Promise<void> {
    if (isLost && this.host.sendsControl) return
    await this.#control<unknown>(() =>
      this.host.sendsControl
        ? this.#send('rollback')
        : this.host.instance.baseDriver.rollbackTransaction(this.connection),
    )
  }

  async savepoint(name: string): Promise<void> {
    await this.#savepointCommand('savepoint', name)
  }

  async rollbackTo(name: string): Promise<void> {
    await this.#savepointCommand('rollbackToSavepoint', name)
  }

  async release(name: string): Promise<void> {
    await this.#savepointCommand('releaseSavepoint', name)
  }

  state(error: unknown): EngineState | Promise<EngineState> {
    const { engineSession, host } = this
    if (engineSession !== undefined) {
      if (!engineSession.isAborted) return 'open'
      return this.traits.savepoint === undefined ? 'failed' : 'none'
    }
    const told = host.watchOf(this.connection)?.state
    if (error === undefined) return told ?? 'open'
    if (told === 'open' || told === 'failed' || told === 'none') return told
    // MySQL's errors tell by their codes, but for a few.
    if (this.traits.engine === 'mysql' && describeError(error).transactionFate === 'statement')
      return 'open'
    return this.probe()
  }

  async probe(): Promise<EngineState> {
    return this.#control(() => this.#probe())
  }

  async cancel(reason: unknown): Promise<void> {
    if (this.engineSession !== undefined) {
      this.engineSession.cancel(reason)
      return
    }
    await this.connection.cancelQuery?.(this.host.controlConnections)
  }

  async checkDeferred(): Promise<void> {
    const { engine } = this.traits
    if (engine === 'postgresql')
      await this.#control(() => this.#send('set constraints all immediate'))
    if (engine !== 'sqlite') return
    const [first] = await this.#control(() => this.#rows('pragma foreign_key_check'))
    if (first !== undefined) throw foreignKeyError(first)
  }

  async end(broken: unknown): Promise<void> {
    try {
      await this.#end(broken)
    } finally {
      await this.#giveBack()
    }
  }

  async #end(broken: unknown): Promise<void> {
    if (this.#isQueryOnly) {
      this.#isQueryOnly = false
      await this.#control(() => this.#send('pragma query_only = off'))
    }
    if (broken === undefined || !this.#wasSent || this.host.isOwnDriver) return
    if (this.host.sendsControl) this.host.noteBroken(this.connection)
    // A driver throws a connection away when it cannot roll back on it.
    else
      await this.#control(() =>
        this.host.instance.baseDriver.rollbackTransaction(this.connection),
      ).catch(() => {})
  }

  /** Before Kysely does, so that hooks do not wait for a connection that waits for them. */
  async #giveBack(): Promise<void> {
    const lender = this.#lender
    if (lender === undefined || lender.isOfConnection) return
    lender.isGivenBack = true
    await this.host.acquiring.release(this.connection)
  }

  async #beginByDriver({ accessMode, isolationLevel, behavior }: BeginSettings): Promise<void> {
    const given = {
      ...(accessMode && { accessMode }),
      ...(isolationLevel !== undefined && { isolationLevel }),
      ...(behavior && { behavior }),
    } as TransactionSettings
    await this.host.instance.baseDriver.beginTransaction(this.connection, given)
    if (this.host.isPGlite && (isolationLevel !== undefined || accessMode !== undefined))
      await this.#send(
        `set transaction${isolationLevel === undefined ? '' : ` isolation level ${isolationLevel}`}${accessMode === undefined ? '' : ` ${accessMode}`}`,
      )
  }

  async #beginSqlite({ accessMode, behavior }: BeginSettings): Promise<void> {
    const isReadOnly = accessMode === 'read only'
    const { begin } = this.traits
    if (isReadOnly) {
      await this.#send('pragma query_only = on')
      this.#isQueryOnly = true
    }
    if (this.host.sendsControl) {
      await this.#send(begin.behavior![behavior ?? (isReadOnly ? 'deferred' : 'immediate')])
      return
    }
    if (behavior !== undefined) {
      throw new TransactionOptionsError(
        'behavior',
        'transaction() cannot choose `behavior` on an existing Kysely, which begins its transactions itself. Give ' +
          'withTransactions() the dialect. Nothing was sent.',
      )
    }
    await this.host.instance.baseDriver.beginTransaction(this.connection, {})
  }

  async #savepointCommand(
    command: 'savepoint' | 'rollbackToSavepoint' | 'releaseSavepoint',
    name: string,
  ): Promise<void> {
    const { baseDriver, compiler } = this.host.instance
    const compile = <R extends RootOperationNode>(node: R): CompiledQuery =>
      compiler.compileQuery(node, createQueryId())
    await this.#control(() => baseDriver[command]!(this.connection, name, compile as never))
  }

  /** The engine's client tells nothing: a statement does that fails, or works, only in one state. */
  async #probe(): Promise<EngineState> {
    if (this.host.isForeignSqlite) {
      try {
        await this.#below('begin')
      } catch {
        return 'open'
      }
      await this.#below('rollback')
      return 'none'
    }
    if (this.traits.engine === 'mysql') return mysqlState((sql) => this.#below(sql))
    try {
      await this.#below('select 1')
      return 'open'
    } catch (error) {
      if (describeError(error).category === 'connection') throw error
      return 'failed'
    }
  }

  #send(sql: string): Promise<unknown> {
    return this.connection.executeQuery(CompiledQuery.raw(sql))
  }

  async #rows(sql: string): Promise<readonly Record<string, unknown>[]> {
    const { rows } = await this.connection.executeQuery<Record<string, unknown>>(
      CompiledQuery.raw(sql),
    )
    return rows
  }

  /** Below what listens to queries, for a statement that may well fail. */
  #below(sql: string): Promise<QueryResult<unknown>> {
    // oxlint-disable-next-line typescript/unbound-method -- it is called with the connection as `this`
    const { executeQuery } = Object.getPrototypeOf(this.connection) as DatabaseConnection
    return executeQuery.call(this.connection, CompiledQuery.raw(sql)) as Promise<
      QueryResult<unknown>
    >
  }

  /** Runs the driver's own statements, which are in no scope. */
  #control<R>(run: () => Promise<R>): Promise<R> {
    return this.host.database.apart(run)
  }
}

/** Kysely marks such an error since 0.29.8; SQLite says that there is nothing to commit. */
function wasRolledBack(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  return abortedTransaction in error || /no transaction is active/.test((error as Error).message)
}

function isAborted(error: unknown): boolean {
  return error instanceof KeelsonError && error.code === 'TRANSACTION_ABORTED'
}
