import { type DuckDBInstance, StatementType } from '@duckdb/node-api'
import {
  DatabaseClosedError,
  excerpt,
  type Lease,
  Pool,
  PoolClosedError,
  type PoolStats,
  settlesWithin,
} from '@keelson/core'
import { Connection } from '../connection/connection.ts'
import { Interruption } from '../connection/interruption.ts'
import { changesConnection } from '../connection/statement-rules.ts'
import type { Statement } from '../connection/statement.ts'
import { ThreadBudget } from '../connection/thread-budget.ts'
import type { ExecuteOptions, ValuePolicies } from '../contract.ts'
import { applyConnectionSettings } from '../instance/apply-settings.ts'
import { definitionsOf } from '../instance/definitions.ts'
import { refuseGuardedSetting } from '../instance/guarded-settings.ts'
import { registerIngest } from '../ingest/table-function.ts'
import type { InstanceLease } from '../instance/instance-registry.ts'
import { connectionSettingsOf, type Setting } from '../instance/settings.ts'
import { policies, type ResolvedDuckDBOptions } from '../options.ts'
import type { ResultPolicies } from '../result/row-shape.ts'

/** Something that is open and that `close()` may have to end. */
export interface Endable {
  /** For the report of `close()`. */
  describe(): string
  /** Ends it by force, and settles when it has ended. */
  end(error: DatabaseClosedError): Promise<void>
}

/** What the sessions of a database share: its instance, its connections, and what is open. */
export class Engine {
  readonly options: ResolvedDuckDBOptions
  readonly #openInstance: () => Promise<InstanceLease>
  readonly #pool: Pool<Connection>
  readonly #budget = ThreadBudget.shared
  readonly #open = new Set<Endable>()
  readonly #policies = new WeakMap<object, ResultPolicies>()
  readonly #connectionSettings: readonly Setting[]
  /** Of connections that could not be closed when the pool let go of them. */
  readonly #closing = new Set<Promise<void>>()
  #path: string
  #instance: Promise<InstanceLease> | undefined
  #closed: DatabaseClosedError | undefined
  #quiet: (() => void) | undefined
  /** Of the instance. */
  #settings: readonly Setting[] = []

  /** @param open gives the instance; called with the first statement, and again by the next one if it failed */
  constructor(
    path: string,
    options: ResolvedDuckDBOptions,
    openInstance: () => Promise<InstanceLease>,
  ) {
    this.#path = path
    this.options = options
    this.#openInstance = openInstance
    this.#connectionSettings = connectionSettingsOf(options)
    this.#pool = new Pool<Connection>({
      ...options.pool,
      name: path,
      create: ({ id }) => this.#connect(id),
      destroy: (connection) => this.#disconnect(connection),
    })
  }

  /** As it was given, and the real one once it is open. */
  get path(): string {
    return this.#path
  }

  get isOpen(): boolean {
    return this.#closed === undefined
  }

  get poolStats(): PoolStats {
    return this.#pool.stats
  }

  assertOpen(): void {
    if (this.#closed !== undefined) throw this.#closed
  }

  /** Opens the instance, unless it is open. */
  async instance(): Promise<DuckDBInstance> {
    this.assertOpen()
    this.#instance ??= this.#openOnce()
    const { instance } = await this.#instance
    return instance
  }

  /** A connection of the pool, for one caller. */
  async lease(purpose: string, interruption: Interruption): Promise<Lease<Connection>> {
    this.assertOpen()
    interruption.throwIfAborted()
    const idle = this.#pool.tryAcquire({ purpose })
    if (idle !== undefined) return idle
    try {
      return await this.#pool.acquire({ purpose, signal: interruption.signal })
    } catch (error) {
      if (error instanceof PoolClosedError) this.assertOpen()
      throw error
    }
  }

  /** Gives a connection back that nothing runs on; one that somebody has changed is replaced. */
  giveBack(lease: Lease<Connection>, connection: Connection, fault?: string): void {
    const changedBy = fault ?? connection.changedBy
    if (changedBy === undefined) lease.release()
    else lease.destroy(changedBy)
  }

  opened(endable: Endable): void {
    this.#open.add(endable)
  }

  ended(endable: Endable): void {
    this.#open.delete(endable)
    if (this.#open.size === 0) this.#quiet?.()
  }

  /** The policies of a statement: its own where it has some, else those of the database. */
  policiesOf(own: ExecuteOptions['values']): ResultPolicies {
    if (own === undefined) return this.options
    let resolved = this.#policies.get(own)
    if (resolved === undefined) {
      resolved = Array.isArray(own)
        ? own.map((column: Partial<ValuePolicies>) => policies('execute()', column, this.options))
        : policies('execute()', own as Partial<ValuePolicies>, this.options)
      // What can still be changed cannot be remembered.
      if (Object.isFrozen(own)) this.#policies.set(own, resolved)
    }
    return resolved
  }

  /** Refuses to change by SQL what this database was opened with. */
  refuseSetting(statement: Statement): void {
    if (statement.type === StatementType.SET && !changesConnection(statement))
      refuseGuardedSetting(statement.sql, this.#settings)
  }

  async checkpoint(): Promise<void> {
    const interruption = new Interruption()
    const lease = await this.lease('checkpoint', interruption)
    const connection = lease.resource
    const done = connection.exclusive(() => connection.command('checkpoint', interruption))
    const running: Endable = {
      describe: () => 'a checkpoint',
      async end(error) {
        interruption.abort(error)
        await done.catch(() => {})
      },
    }
    this.opened(running)
    try {
      await done
    } finally {
      this.ended(running)
      this.giveBack(lease, connection)
    }
  }

  /** @returns what had to be ended by force */
  async close(deadlineMs: number): Promise<string[]> {
    const error = new DatabaseClosedError(
      `The database ${this.path} is closed. Close it only after the last code that uses it has ended.`,
    )
    this.#closed = error
    const forced: string[] = []
    // Turns away who waits for a connection, and waits for those that are out.
    const connections = this.#pool.close({ deadlineMs: Math.min(deadlineMs + graceMs, maxTimeMs) })
    const quiet = connections.then(() => this.#allEnded())
    if (!(await settlesWithin(deadlineMs, quiet))) await this.#endAll(error, forced)
    const { leaked } = await connections
    // Of those that were ended, `forced` tells more.
    for (const { purpose = 'connection', sql } of leaked.slice(forced.length)) {
      const running = sql === undefined ? '' : `, last statement: ${excerpt(sql)}`
      forced.push(`a ${purpose} that did not let go of its connection${running}`)
    }
    await this.#closeInstance(leaked.length === 0 ? graceMs : 0, forced)
    return forced
  }

  async #endAll(error: DatabaseClosedError, forced: string[]): Promise<void> {
    const left = [...this.#open]
    for (const each of left) forced.push(each.describe())
    await settlesWithin(graceMs, Promise.allSettled(left.map((each) => each.end(error))))
  }

  async #closeInstance(timeMs: number, forced: string[]): Promise<void> {
    // Under a connection at work it would stay open all the same, and the client would spin at the next opening.
    const connectionsClosed = Promise.allSettled(this.#closing)
    const lease = this.#instance?.catch(() => undefined)
    if (lease === undefined) return
    const releasing = connectionsClosed.then(async () => (await lease)?.release())
    const isOver = await settlesWithin(timeMs, Promise.all([connectionsClosed, lease]))
    if (!isOver || (await releasing) === true)
      forced.push(
        `${this.path} itself, which stays open until whatever holds it is gone: work that cannot be interrupted, or an ` +
          'appender, a result or a connection of the client',
      )
  }

  #allEnded(): Promise<void> | undefined {
    if (this.#open.size === 0) return undefined
    return new Promise((resolve) => (this.#quiet = resolve))
  }

  async #openOnce(): Promise<InstanceLease> {
    try {
      const instance = await this.#openInstance()
      this.#path = instance.path
      this.#settings = instance.settings
      return instance
    } catch (error) {
      this.#instance = undefined
      throw error
    }
  }

  async #connect(id: number): Promise<Connection> {
    this.#instance ??= this.#openOnce()
    const { instance } = await this.#instance
    const raw = await this.#budget.run(async () => {
      this.assertOpen()
      const connection = await instance.connect()
      try {
        registerIngest(instance, connection)
        await applyConnectionSettings(connection, this.#connectionSettings)
      } catch (error) {
        connection.closeSync()
        throw error
      }
      return connection
    }, undefined)
    const { statementCacheSize } = this.options
    const definitions = definitionsOf(instance)
    return new Connection(id, raw, {
      instance,
      budget: this.#budget,
      definitions,
      statementCacheSize,
    })
  }

  #disconnect(connection: Connection): void {
    const closing = connection.close()
    this.#closing.add(closing)
    void closing.finally(() => this.#closing.delete(closing))
  }
}

/** What does not end in this time, after it was interrupted over and over, is left behind. A slow disk is waited for. */
const graceMs = 5_000

/** What timers take. */
const maxTimeMs = 2_147_483_647
