import { describeError, engineTraits, type EngineTraits } from '@keelson/core'
import { checkBegin } from '../scope/begin-check.ts'
import type { BeginSettings, EngineState } from '../scope/line.ts'
import { postgresBegin } from './postgres-begin.ts'
import { rolledBackError } from '../scope/commit-errors.ts'
import { Commands } from './commands.ts'
import type { DrizzleLine } from './driver.ts'
import { cloneSession, type DrizzleSession } from './internals.ts'

/** A client of `pg`, as far as it is used. https://node-postgres.com/apis/client */
export interface PostgresClient {
  readonly processID?: number | null
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly database?: string
  readonly password?: unknown
  readonly ssl?: unknown
  /** Since pg 8.17. */
  getTransactionStatus?(): string | null
  query(sql: string, parameters?: unknown[]): Promise<{ rows: unknown[]; command?: string }>
  connect(): Promise<unknown>
  end(): Promise<void>
  on(event: 'error', listener: (error: unknown) => void): unknown
  off(event: 'error', listener: (error: unknown) => void): unknown
  /** Of one that a pool has given. */
  release?(destroy?: Error | boolean): void
}

/** A pool of `pg`. https://node-postgres.com/apis/pool */
export interface PostgresPool {
  readonly options: { readonly max: number }
  readonly totalCount: number
  readonly Client: new (options: object) => PostgresClient
  connect(): Promise<PostgresClient>
}

const states: Readonly<Record<string, EngineState>> = { I: 'none', T: 'open', E: 'failed' }

/** A client of `pg` with a transaction on it. */
export class NodePostgresLine implements DrizzleLine {
  readonly traits: EngineTraits = engineTraits.postgresql
  readonly publishesRoots: boolean = false
  readonly client: PostgresClient
  readonly #pool: PostgresPool | undefined
  readonly #commands: Commands
  readonly #give: () => void
  #isBegun = false
  #isEnded = false
  /** On its way to the server. */
  #cancelling: Promise<unknown> | undefined
  /** The connection was lost while nothing ran on it. */
  #lost: unknown

  /** @param give lets others have what was waited for */
  constructor(
    session: DrizzleSession,
    client: PostgresClient,
    pool: PostgresPool | undefined,
    give: () => void,
  ) {
    this.client = client
    this.#pool = pool
    this.#give = give
    this.#commands = new Commands(cloneSession(session, { client }), 'postgresql')
    // The pool listens to idle clients only, and an `error` that nobody hears ends the process.
    client.on('error', this.#onError)
  }

  readonly #onError = (error: unknown): void => {
    this.#lost ??= error
  }

  get databaseName(): string {
    return this.client.database ?? 'postgresql'
  }

  async begin(settings: BeginSettings): Promise<void> {
    checkBegin(this.traits, settings, undefined)
    this.#isBegun = true
    // Whoever had the client before may have left a transaction open.
    if (this.#told() === 'open' || this.#told() === 'failed') await this.#commands.send('rollback')
    await this.#commands.send(postgresBegin(settings))
  }

  async commit(): Promise<void> {
    const { command } = (await this.#commands.send('commit')) as { command?: string }
    if (command !== undefined && command !== 'COMMIT') throw rolledBackError('postgresql')
  }

  async rollback(isLost: boolean): Promise<void> {
    if (!this.#isBegun || this.#lost !== undefined || isLost) return
    await this.#commands.send('rollback')
  }

  async savepoint(name: string): Promise<void> {
    await this.#commands.savepoint(name)
  }

  async rollbackTo(name: string): Promise<void> {
    await this.#commands.rollbackTo(name)
  }

  async release(name: string): Promise<void> {
    await this.#commands.release(name)
  }

  async state(error: unknown): Promise<EngineState> {
    if (this.#lost !== undefined) {
      // Before a commit: the transaction has to fail with what happened to it.
      if (error === undefined) throw this.#lost
      return 'none'
    }
    const told = this.#told()
    // Every error in a transaction of PostgreSQL dooms it, or its savepoint.
    return told ?? (error === undefined ? 'open' : 'failed')
  }

  #told(): EngineState | undefined {
    const status = this.client.getTransactionStatus?.()
    return typeof status === 'string' ? states[status] : undefined
  }

  async cancel(): Promise<void> {
    const { client } = this
    const { processID } = client
    if (typeof processID !== 'number') return
    const second = this.#secondClient()
    second.on('error', () => {})
    await second.connect()
    try {
      // It may have come when this connection was somebody else's, whose statement is not to be cancelled.
      if (this.#isEnded) return
      this.#cancelling = second.query('select pg_cancel_backend($1)', [processID])
      await this.#cancelling
    } finally {
      await second.end()
    }
  }

  async checkDeferred(): Promise<void> {
    await this.#commands.checkDeferred()
  }

  async end(broken: unknown): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    await this.#cancelling?.catch(() => {})
    const { client } = this
    const isIdle = this.#isIdle(broken)
    try {
      if (this.#pool !== undefined) client.release!(isIdle ? undefined : true)
    } finally {
      // A client that is thrown away may still report why.
      if (isIdle || this.#pool === undefined) client.off('error', this.#onError)
      this.#give()
    }
  }

  /** Whether the next one who gets the client finds no transaction on it. */
  #isIdle(broken: unknown): boolean {
    if (this.#lost !== undefined) return false
    if (!this.#isBegun) return true
    if (broken !== undefined && describeError(broken).category === 'connection') return false
    const told = this.#told()
    return told === undefined ? broken === undefined : told === 'none'
  }

  #secondClient(): PostgresClient {
    const { client } = this
    if (this.#pool !== undefined) return new this.#pool.Client(this.#pool.options)
    const { host, port, user, database, password, ssl } = client
    const Client = client.constructor as new (options: object) => PostgresClient
    return new Client({ host, port, user, database, password, ssl })
  }
}
