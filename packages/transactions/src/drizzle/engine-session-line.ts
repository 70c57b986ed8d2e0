import type { EngineSession, EngineTraits } from '@keelson/core'
import type { AcquireOptions } from '../run/run-transaction.ts'
import { checkBegin } from '../scope/begin-check.ts'
import type { BeginSettings, EngineState } from '../scope/line.ts'
import type { Root } from '../scope/root.ts'
import { acquireTimeoutError } from '../run/acquire-timeout-error.ts'
import { foreignKeyError } from '../scope/commit-errors.ts'
import type { DrizzleLine } from './driver.ts'

/** A session of one of our own databases with a transaction on it. */
export class EngineSessionLine implements DrizzleLine {
  readonly traits: EngineTraits
  readonly databaseName: string
  readonly publishesRoots: boolean = true
  readonly engineSession: EngineSession
  readonly #options: AcquireOptions
  readonly #suspended: Root | undefined
  #isBegun = false

  /** @param suspended the open transaction that the caller has left */
  constructor(
    traits: EngineTraits,
    databaseName: string,
    session: EngineSession,
    options: AcquireOptions,
    suspended: Root | undefined,
  ) {
    this.traits = traits
    this.databaseName = databaseName
    this.engineSession = session
    this.#options = options
    this.#suspended = suspended
  }

  async begin(settings: BeginSettings): Promise<void> {
    checkBegin(this.traits, settings, this.#suspended)
    const { accessMode, behavior } = settings
    this.#isBegun = true
    await this.#inTime((signal) =>
      this.engineSession.begin({
        ...(accessMode && { accessMode }),
        ...(behavior && { behavior }),
        ...(signal && { signal }),
      }),
    )
  }

  /** The database gets the connection when the transaction begins. */
  async #inTime(begin: (signal: AbortSignal | undefined) => Promise<void>): Promise<void> {
    const { timeoutMs, signal } = this.#options
    if (timeoutMs === undefined) return begin(signal)
    const abort = new AbortController()
    const timer = setTimeout(() => abort.abort(acquireTimeoutError(timeoutMs)), timeoutMs)
    try {
      await begin(signal === undefined ? abort.signal : AbortSignal.any([signal, abort.signal]))
    } finally {
      clearTimeout(timer)
    }
  }

  async commit(): Promise<void> {
    await this.engineSession.commit()
  }

  async rollback(): Promise<void> {
    if (this.#isBegun && this.engineSession.inTransaction) await this.engineSession.rollback()
  }

  async savepoint(name: string): Promise<void> {
    await this.engineSession.savepoint!(name)
  }

  async rollbackTo(name: string): Promise<void> {
    await this.engineSession.rollbackToSavepoint!(name)
  }

  async release(name: string): Promise<void> {
    await this.engineSession.releaseSavepoint!(name)
  }

  state(): EngineState {
    if (!this.engineSession.isAborted) return 'open'
    return this.traits.savepoint === undefined ? 'failed' : 'none'
  }

  async cancel(reason: unknown): Promise<void> {
    this.engineSession.cancel(reason)
  }

  async checkDeferred(): Promise<void> {
    if (this.traits.engine !== 'sqlite') return
    const { rows } = await (this.engineSession as ExecutingSession).execute(
      'pragma foreign_key_check',
    )
    if (rows[0] !== undefined) throw foreignKeyError(rows[0])
  }

  async end(): Promise<void> {
    await this.engineSession.release()
  }
}

interface ExecutingSession extends EngineSession {
  execute(sql: string): Promise<{ readonly rows: readonly object[] }>
}
