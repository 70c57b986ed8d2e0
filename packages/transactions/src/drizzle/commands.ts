import { engineTraits, type EngineTraits, quoteIdentifier } from '@keelson/core'
import { rowsOf } from '@keelson/core/drizzle'
import { foreignKeyError } from '../scope/commit-errors.ts'
import { type DrizzleSession, prepareCommand } from './internals.ts'

/** What every transaction sends in the same words: through its session, so that Drizzle's logger is told of it. */
export class Commands {
  readonly #session: DrizzleSession
  readonly #traits: EngineTraits

  /** @param session of the transaction */
  constructor(session: DrizzleSession, engine: EngineTraits['engine']) {
    this.#session = session
    this.#traits = engineTraits[engine]
  }

  /** Sends a statement that is in no scope, and returns the client's result. */
  async send(sql: string): Promise<unknown> {
    return prepareCommand(this.#session, sql).execute()
  }

  async rows(sql: string): Promise<readonly Record<string, unknown>[]> {
    const prepared = prepareCommand(this.#session, sql) as {
      all?(): Promise<unknown>
      execute(): Promise<unknown>
    }
    return rowsOf(await (prepared.all === undefined ? prepared.execute() : prepared.all()))
  }

  async savepoint(name: string): Promise<void> {
    await this.send(`${this.#traits.savepoint!.create} ${this.#quoted(name)}`)
  }

  async rollbackTo(name: string): Promise<void> {
    await this.send(`${this.#traits.savepoint!.rollbackTo} ${this.#quoted(name)}`)
  }

  async release(name: string): Promise<void> {
    await this.send(`${this.#traits.savepoint!.release} ${this.#quoted(name)}`)
  }

  /** What a commit would check. */
  async checkDeferred(): Promise<void> {
    const { engine } = this.#traits
    if (engine === 'postgresql') await this.send('set constraints all immediate')
    if (engine !== 'sqlite') return
    const [first] = await this.rows('pragma foreign_key_check')
    if (first !== undefined) throw foreignKeyError(first)
  }

  #quoted(name: string): string {
    return quoteIdentifier(name, this.#traits.engine)
  }
}
