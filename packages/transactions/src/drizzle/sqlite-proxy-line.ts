import { describeError, engineTraits, type EngineTraits } from '@keelson/core'
import { checkBegin } from '../scope/begin-check.ts'
import type { BeginSettings, EngineState } from '../scope/line.ts'
import { rolledBackError } from '../scope/commit-errors.ts'
import { Commands } from './commands.ts'
import type { DrizzleLine } from './driver.ts'
import { cloneSession, type DrizzleSession } from './internals.ts'

/** Connections on which a transaction is still open because it could not be rolled back. */
const leftOpen = new WeakSet<object>()

/** The connection behind the callback of sqlite-proxy, with a transaction on it. */
export class SqliteProxyLine implements DrizzleLine {
  readonly traits: EngineTraits = engineTraits.sqlite
  readonly databaseName: string = 'sqlite'
  readonly publishesRoots: boolean = false
  readonly client: object
  readonly #commands: Commands
  /** For what may well fail, and is nobody's business. */
  readonly #quiet: Commands
  readonly #give: () => void
  #isBegun = false
  #isQueryOnly = false

  constructor(session: DrizzleSession, give: () => void) {
    this.client = session.client as object
    this.#give = give
    this.#commands = new Commands(session, 'sqlite')
    this.#quiet = new Commands(cloneSession(session, { logger: { logQuery() {} } }), 'sqlite')
  }

  async begin(settings: BeginSettings): Promise<void> {
    checkBegin(this.traits, settings, undefined)
    if (leftOpen.has(this.client)) {
      if ((await this.#probe()) === 'open') await this.#commands.send('rollback')
      leftOpen.delete(this.client)
    }
    const isReadOnly = settings.accessMode === 'read only'
    if (isReadOnly) {
      await this.#commands.send('pragma query_only = on')
      this.#isQueryOnly = true
    }
    this.#isBegun = true
    const behavior = settings.behavior ?? (isReadOnly ? 'deferred' : 'immediate')
    await this.#commands.send(this.traits.begin.behavior![behavior])
  }

  async commit(): Promise<void> {
    try {
      await this.#commands.send('commit')
    } catch (error) {
      const { message } = describeError(error)
      throw /no transaction is active/.test(message) ? rolledBackError('sqlite', error) : error
    }
  }

  async rollback(isLost: boolean): Promise<void> {
    if (!this.#isBegun || isLost) return
    // After a BEGIN that failed there is nothing to roll back, which SQLite would call an error.
    if ((await this.#probe()) === 'open') await this.#commands.send('rollback')
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

  state(error: unknown): Promise<EngineState> | EngineState {
    // A commit that finds nothing to commit says so.
    return error === undefined ? 'open' : this.#probe()
  }

  /** A BEGIN inside a transaction is an error; where it is none, the transaction was over, and this one is taken back. */
  async #probe(): Promise<EngineState> {
    try {
      await this.#quiet.send('begin')
    } catch {
      return 'open'
    }
    await this.#quiet.send('rollback')
    return 'none'
  }

  /** A callback cannot be interrupted. */
  async cancel(): Promise<void> {}

  async checkDeferred(): Promise<void> {
    await this.#commands.checkDeferred()
  }

  async end(broken: unknown): Promise<void> {
    try {
      if (broken !== undefined && this.#isBegun) leftOpen.add(this.client)
      if (this.#isQueryOnly) await this.#commands.send('pragma query_only = off')
    } finally {
      this.#isQueryOnly = false
      this.#give()
    }
  }
}
