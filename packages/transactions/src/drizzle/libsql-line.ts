import { engineTraits, type EngineTraits } from '@keelson/core'
import { TransactionOptionsError } from '../errors.ts'
import { checkBegin } from '../scope/begin-check.ts'
import type { BeginSettings, EngineState } from '../scope/line.ts'
import { Commands } from './commands.ts'
import type { DrizzleLine } from './driver.ts'
import { cloneSession, type DrizzleSession } from './internals.ts'

type Mode = 'write' | 'read' | 'deferred'

/** A client of libsql, as far as it is used. https://docs.turso.tech/sdk/ts/reference */
export interface LibsqlClient {
  readonly protocol: string
  transaction(mode: Mode): Promise<LibsqlTransaction>
}

interface LibsqlTransaction {
  readonly closed: boolean
  commit(): Promise<void>
  rollback(): Promise<void>
  close(): void
}

/** A connection of libsql with a transaction on it, which libsql begins and ends itself. */
export class LibsqlLine implements DrizzleLine {
  readonly traits: EngineTraits = engineTraits.sqlite
  readonly databaseName: string = 'libsql'
  readonly publishesRoots: boolean = false
  readonly #session: DrizzleSession
  readonly #give: () => void
  #transaction: LibsqlTransaction | undefined
  #commands: Commands | undefined
  #isQueryOnly = false

  constructor(session: DrizzleSession, give: () => void) {
    this.#session = session
    this.#give = give
  }

  get client(): object {
    return this.#transaction!
  }

  async begin(settings: BeginSettings): Promise<void> {
    checkBegin(this.traits, settings, undefined)
    const mode = modeOf(settings)
    this.#log(`begin ${mode}`)
    this.#transaction = await (this.#session.client as LibsqlClient).transaction(mode)
    this.#commands = new Commands(cloneSession(this.#session, { tx: this.#transaction }), 'sqlite')
    // What SQLite in this process makes of 'read' is no more than a snapshot; a server refuses writes.
    if (mode !== 'read' || (this.#session.client as LibsqlClient).protocol !== 'file') return
    await this.#commands.send('pragma query_only = on')
    this.#isQueryOnly = true
  }

  async commit(): Promise<void> {
    await this.#restore()
    this.#log('commit')
    await this.#transaction!.commit()
  }

  async rollback(isLost: boolean): Promise<void> {
    if (this.#transaction === undefined || isLost || this.#transaction.closed) return
    await this.#restore()
    this.#log('rollback')
    await this.#transaction.rollback()
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

  /** libsql asks SQLite, or knows from the server. */
  state(): EngineState {
    return this.#transaction!.closed ? 'none' : 'open'
  }

  /** SQLite runs in this thread, or is asked over a protocol that cannot interrupt. */
  async cancel(): Promise<void> {}

  async checkDeferred(): Promise<void> {
    await this.#commands!.checkDeferred()
  }

  async end(): Promise<void> {
    try {
      if (this.#transaction?.closed === false) await this.#restore()
    } finally {
      // Gives the connection back, and rolls back what is still open on it.
      this.#transaction?.close()
      this.#give()
    }
  }

  /** Others use the connection next. */
  async #restore(): Promise<void> {
    if (!this.#isQueryOnly) return
    await this.#commands!.send('pragma query_only = off')
    this.#isQueryOnly = false
  }

  /** What libsql sends by itself. */
  #log(sql: string): void {
    this.#session.logger?.logQuery(sql, [])
  }
}

function modeOf({ accessMode, behavior = 'immediate' }: BeginSettings): Mode {
  if (accessMode === 'read only') return 'read'
  if (behavior === 'exclusive') {
    throw new TransactionOptionsError(
      'behavior',
      "transaction() cannot have `behavior` 'exclusive' on libsql, which begins a transaction as 'write', 'read' or " +
        "'deferred'. Use 'immediate', which keeps other writers out. Nothing was sent.",
    )
  }
  return behavior === 'deferred' ? 'deferred' : 'write'
}
