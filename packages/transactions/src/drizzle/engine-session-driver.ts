import {
  databaseOf,
  type EngineName,
  type EngineSession,
  engineTraits,
  type EngineTraits,
  onEngineSession,
} from '@keelson/core'
import { databaseFor, type TransactionDatabase } from '../database.ts'
import { TransactionDeadlockError } from '../errors.ts'
import type { AcquireOptions } from '../run/run-transaction.ts'
import type { Root } from '../scope/root.ts'
import type { Binding, DrizzleLine, TransactionDriver } from './driver.ts'
import { EngineSessionLine } from './engine-session-line.ts'
import type { DrizzleDatabase, DrizzleSession } from './internals.ts'

/** A session of one of our own drivers. */
interface CapableSession extends DrizzleSession {
  readonly [databaseOf]: () => EngineDatabase | undefined
  readonly [onEngineSession]: (session: EngineSession) => {
    readonly session: DrizzleSession
    transaction(depth: number): DrizzleDatabase
    committed(): Promise<void>
  }
}

interface EngineDatabase {
  readonly path: string
  /** Only of DuckDB, which may have to be opened first. */
  open?(): Promise<unknown>
  connect(options: { readonly source: 'drizzle' }): EngineSession
}

/** Our own drivers, through sessions that Kysely on the same database can speak through as well. */
export class EngineSessionDriver implements TransactionDriver {
  readonly traits: EngineTraits
  readonly key: object
  /** The database itself has what is outside wait. */
  readonly watchesOutside: boolean = false
  readonly refusesControl: boolean = true
  readonly #session: CapableSession
  readonly #database: TransactionDatabase

  constructor(session: DrizzleSession, engine: EngineName) {
    this.#session = session as CapableSession
    this.traits = engineTraits[engine]
    // Undefined for `drizzle.mock()`, which runs nothing.
    this.key = this.#session[databaseOf]() ?? session
    this.#database = databaseFor(this.key)
  }

  prepare(): undefined {
    return undefined
  }

  bind({ engineSession }: DrizzleLine): Binding | undefined {
    if (engineSession === undefined) return undefined
    const on = this.#session[onEngineSession](engineSession)
    return {
      session: on.session,
      handle: (depth) => on.transaction(depth),
      committed: () => on.committed(),
    }
  }

  async acquire(options: AcquireOptions): Promise<DrizzleLine> {
    const database = this.key as EngineDatabase
    await database.open?.()
    return new EngineSessionLine(
      this.traits,
      database.path,
      database.connect({ source: 'drizzle' }),
      options,
      this.#database.suspendedRoot,
    )
  }

  outside<R>(sql: string, send: () => Promise<R>, suspended: Root | undefined): Promise<R> {
    if (suspended === undefined || !this.#holdsWriter(suspended) || !mayWrite.test(sql))
      return send()
    return Promise.reject(
      new TransactionDeadlockError(
        'Cannot write outside the transaction that is open: SQLite lets one write at a time, and the statement would ' +
          'wait for the transaction that waits for it. Run it inside, or after the commit with afterCommit(). Nothing was sent.',
      ),
    )
  }

  #holdsWriter(root: Root): boolean {
    return this.traits.engine === 'sqlite' && root.options.accessMode !== 'read only'
  }
}

/** Begins like a statement that writes; one that merely reads does not wait for the writer. */
const mayWrite =
  /^\s*(?:insert|update|delete|replace|create|alter|drop|with\b[^]*\b(?:insert|update|delete)\b)/i
