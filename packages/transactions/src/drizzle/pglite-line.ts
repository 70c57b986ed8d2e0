import { describeError, engineTraits, type EngineTraits } from '@keelson/core'
import { checkBegin } from '../scope/begin-check.ts'
import type { BeginSettings, EngineState } from '../scope/line.ts'
import { postgresModes } from './postgres-begin.ts'
import { rolledBackError } from '../scope/commit-errors.ts'
import { Commands } from './commands.ts'
import type { DrizzleLine } from './driver.ts'
import { cloneSession, type DrizzleSession } from './internals.ts'

/** A PGlite, as far as it is used. https://pglite.dev/docs/api */
export interface PGliteClient {
  transaction<R>(fn: (tx: PGliteTransaction) => Promise<R>): Promise<R>
}

interface PGliteTransaction {
  rollback(): Promise<void>
  readonly closed: boolean
}

/**
 * A PGlite with a transaction on it: one of its own, which locks out everybody else, whose callback is held open until
 * ours has ended.
 */
export class PGliteLine implements DrizzleLine {
  readonly traits: EngineTraits = engineTraits.postgresql
  readonly databaseName: string = 'pglite'
  readonly publishesRoots: boolean = false
  readonly #session: DrizzleSession
  readonly #give: () => void
  #transaction: PGliteTransaction | undefined
  #commands: Commands | undefined
  /** Lets the callback return, which commits. */
  #finish: (() => void) | undefined
  #ended: Promise<void> | undefined

  constructor(session: DrizzleSession, give: () => void) {
    this.#session = session
    this.#give = give
  }

  /** What the statements of the transaction are sent to. */
  get client(): object {
    return this.#transaction!
  }

  async begin(settings: BeginSettings): Promise<void> {
    checkBegin(this.traits, settings, undefined)
    this.#log('begin')
    const client = this.#session.client as PGliteClient
    await new Promise<void>((begun, failed) => {
      this.#ended = client.transaction((transaction) => {
        this.#transaction = transaction
        const held = new Promise<void>((finish) => (this.#finish = finish))
        begun()
        return held
      })
      this.#ended.catch(failed)
    })
    this.#commands = new Commands(
      cloneSession(this.#session, { client: this.#transaction }),
      'postgresql',
    )
    const modes = postgresModes(settings)
    if (modes.length > 0) await this.#commands.send(`set transaction ${modes.join(' ')}`)
  }

  async commit(): Promise<void> {
    this.#log('commit')
    this.#finish!()
    try {
      await this.#ended
    } catch (error) {
      // PGlite looks at the answer to COMMIT, and throws an error of its own making.
      if (describeError(error).sqlState === undefined) throw rolledBackError('postgresql', error)
      throw error
    }
  }

  async rollback(): Promise<void> {
    const transaction = this.#transaction
    if (transaction === undefined || transaction.closed) return
    this.#log('rollback')
    try {
      await transaction.rollback()
    } finally {
      this.#finish!()
      await this.#ended!.catch(() => {})
    }
  }

  async savepoint(name: string): Promise<void> {
    await this.#commands!.savepoint(name)
  }

  async rollbackTo(name: string): Promise<void> {
    await this.#commands!.rollbackTo(name)
  }

  async release(name: string): Promise<void> {
    await this.#commands!.release(name)
  }

  state(error: unknown): EngineState {
    if (this.#transaction!.closed) return 'none'
    // Every error in a transaction of PostgreSQL dooms it, or its savepoint; a commit looks at its answer.
    return error === undefined ? 'open' : 'failed'
  }

  /** PGlite runs in this thread: nothing else runs before a statement has ended. */
  async cancel(): Promise<void> {}

  async checkDeferred(): Promise<void> {
    await this.#commands!.checkDeferred()
  }

  async end(): Promise<void> {
    try {
      // Returning would commit what could not be set up, or rolled back.
      const transaction = this.#transaction
      if (transaction?.closed === false) await this.rollback()
    } finally {
      this.#finish?.()
      this.#give()
    }
  }

  /** What PGlite sends by itself. */
  #log(sql: string): void {
    this.#session.logger?.logQuery(sql, [])
  }
}
