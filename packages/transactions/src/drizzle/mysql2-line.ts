import { describeError, engineTraits, type EngineTraits } from '@keelson/core'
import { checkBegin } from '../scope/begin-check.ts'
import type { BeginSettings, EngineState } from '../scope/line.ts'
import { mysqlState } from '../scope/mysql-state.ts'
import { Commands } from './commands.ts'
import type { DrizzleLine } from './driver.ts'
import { cloneSession, type DrizzleSession } from './internals.ts'

/** A connection of mysql2, with promises. https://sidorares.github.io/node-mysql2/docs */
export interface Mysql2Connection {
  readonly threadId?: number | null
  query(sql: string): Promise<unknown>
  /** Of one that a pool has given. */
  release?(): void
  destroy(): void
  on?(event: 'error', listener: (error: unknown) => void): unknown
  off?(event: 'error', listener: (error: unknown) => void): unknown
}

/** A connection of mysql2 with a transaction on it. */
export class Mysql2Line implements DrizzleLine {
  readonly traits: EngineTraits = engineTraits.mysql
  readonly databaseName: string = 'mysql'
  readonly publishesRoots: boolean = false
  readonly client: Mysql2Connection
  readonly #second: (() => Promise<Mysql2Connection>) | undefined
  readonly #commands: Commands
  readonly #give: () => void
  #isBegun = false
  #isEnded = false
  /** On its way to the server. */
  #cancelling: Promise<unknown> | undefined
  #lost: unknown

  /**
   * @param second gets another connection of the pool, where there is one
   * @param give lets others have what was waited for
   */
  constructor(
    session: DrizzleSession,
    client: Mysql2Connection,
    second: (() => Promise<Mysql2Connection>) | undefined,
    give: () => void,
  ) {
    this.client = client
    this.#second = second
    this.#give = give
    this.#commands = new Commands(cloneSession(session, { client }), 'mysql')
    client.on?.('error', this.#onError)
  }

  readonly #onError = (error: unknown): void => {
    this.#lost ??= error
  }

  async begin(settings: BeginSettings): Promise<void> {
    checkBegin(this.traits, settings, undefined)
    const { isolationLevel, accessMode } = settings
    this.#isBegun = true
    // Holds for the next transaction alone: https://dev.mysql.com/doc/refman/8.4/en/set-transaction.html
    if (isolationLevel !== undefined)
      await this.#commands.send(`set transaction isolation level ${isolationLevel}`)
    const { begin } = this.traits
    await this.#commands.send(
      accessMode === undefined ? begin.default : begin.accessMode![accessMode],
    )
  }

  async commit(): Promise<void> {
    await this.#commands.send('commit')
  }

  async rollback(): Promise<void> {
    if (!this.#isBegun || this.#lost !== undefined) return
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

  state(error: unknown): EngineState | Promise<EngineState> {
    if (this.#lost !== undefined) {
      if (error === undefined) throw this.#lost
      return 'none'
    }
    // Errors tell by their codes, but for a few.
    if (error === undefined || describeError(error).transactionFate === 'statement') return 'open'
    return this.probe()
  }

  async probe(): Promise<EngineState> {
    return mysqlState((sql) => this.client.query(sql))
  }

  async cancel(): Promise<void> {
    const { threadId } = this.client
    if (typeof threadId !== 'number' || this.#second === undefined) return
    const second = await this.#second()
    try {
      // It may have come when this connection was somebody else's, whose statement is not to be cancelled.
      if (this.#isEnded) return
      this.#cancelling = second.query(`kill query ${threadId}`)
      await this.#cancelling
    } finally {
      second.release?.()
    }
  }

  /** InnoDB defers no constraint. */
  async checkDeferred(): Promise<void> {}

  async end(broken: unknown): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    await this.#cancelling?.catch(() => {})
    const { client } = this
    const fault = this.#lost ?? (this.#isBegun ? broken : undefined)
    try {
      if (this.#second !== undefined && fault !== undefined) client.destroy()
      else if (this.#second !== undefined) client.release?.()
      else if (fault !== undefined && describeError(fault).category !== 'connection')
        client.destroy()
    } finally {
      client.off?.('error', this.#onError)
      this.#give()
    }
  }
}
