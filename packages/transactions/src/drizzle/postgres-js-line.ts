import { describeError, engineTraits, type EngineTraits } from '@keelson/core'
import { checkBegin } from '../scope/begin-check.ts'
import type { BeginSettings, EngineState } from '../scope/line.ts'
import { postgresBegin } from './postgres-begin.ts'
import { rolledBackError } from '../scope/commit-errors.ts'
import { Commands } from './commands.ts'
import type { DrizzleLine } from './driver.ts'
import { cloneSession, type DrizzleSession } from './internals.ts'

/** postgres.js, as far as it is used. https://github.com/porsager/postgres */
export interface PostgresJsSql {
  readonly options: { readonly max: number; readonly database?: string }
  reserve(): Promise<PostgresJsReserved>
}

/** One connection of postgres.js, which is ours until it is released. */
export interface PostgresJsReserved {
  unsafe(sql: string, parameters?: unknown[], options?: object): PostgresJsQuery
  release(): void
}

interface PostgresJsQuery extends Promise<PostgresJsResult> {
  values(): Promise<unknown>
}

/** A connection, as `onexecute` of a query is given it. */
interface PostgresJsConnection {
  onclose?: ((error: unknown) => void) | null
}

interface PostgresJsResult extends Array<unknown> {
  readonly command?: string
  readonly state?: { readonly pid?: number | null }
}

/**
 * A reserved connection of postgres.js with a transaction on it. Its own `begin()` is of no use here: it remembers every
 * error of a statement, and will not commit where a savepoint has undone it.
 */
export class PostgresJsLine implements DrizzleLine {
  readonly traits: EngineTraits = engineTraits.postgresql
  readonly publishesRoots: boolean = false
  /** What the statements of the transaction are sent to. */
  readonly client: Pick<PostgresJsReserved, 'unsafe'>
  readonly databaseName: string
  readonly #session: DrizzleSession
  readonly #sql: PostgresJsSql
  readonly #reserved: PostgresJsReserved
  readonly #commands: Commands
  readonly #give: () => void
  #isBegun = false
  #isEnded = false
  #pid: number | undefined
  /** On its way to the server. */
  #cancelling: Promise<unknown> | undefined
  /** Why the connection was closed. */
  #lost: unknown

  /** @param give lets others have what was waited for */
  constructor(
    session: DrizzleSession,
    sql: PostgresJsSql,
    reserved: PostgresJsReserved,
    give: () => void,
  ) {
    this.#reserved = reserved
    this.#session = session
    // It opens a closed connection again for whoever comes next, and on a closed one it throws where nobody can catch it.
    this.client = {
      unsafe: (...args) =>
        this.#lost === undefined ? reserved.unsafe(...args) : failing(this.#lost),
    }
    this.#sql = sql
    this.databaseName = sql.options.database ?? 'postgresql'
    this.#give = give
    this.#commands = new Commands(cloneSession(session, { client: this.client }), 'postgresql')
  }

  async begin(settings: BeginSettings): Promise<void> {
    checkBegin(this.traits, settings, undefined)
    this.#isBegun = true
    const sql = postgresBegin(settings)
    this.#session.logger?.logQuery(sql, [])
    // As its own begin() learns on which connection it is, and that it was closed.
    const onexecute = (connection: PostgresJsConnection): boolean => {
      connection.onclose = (error) => {
        this.#lost ??= error
      }
      return true
    }
    const { state } = await this.#reserved.unsafe(sql, [], { onexecute })
    this.#pid = state?.pid ?? undefined
  }

  async commit(): Promise<void> {
    const { command } = (await this.#commands.send('commit')) as PostgresJsResult
    if (command !== undefined && command !== 'COMMIT') throw rolledBackError('postgresql')
  }

  async rollback(isLost: boolean): Promise<void> {
    if (!this.#isBegun || isLost || this.#lost !== undefined) return
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

  state(error: unknown): EngineState {
    if (this.#lost !== undefined) {
      // Before a commit: the transaction has to fail with what happened to it.
      if (error === undefined) throw this.#lost
      return 'none'
    }
    // Every error in a transaction of PostgreSQL dooms it, or its savepoint; a commit looks at its answer.
    return error === undefined ? 'open' : 'failed'
  }

  async cancel(): Promise<void> {
    if (this.#pid === undefined) return
    const second = await this.#sql.reserve()
    try {
      // It may have come when this connection was somebody else's, whose statement is not to be cancelled.
      if (this.#isEnded) return
      this.#cancelling = second.unsafe('select pg_cancel_backend($1)', [this.#pid])
      await this.#cancelling
    } finally {
      second.release()
    }
  }

  async checkDeferred(): Promise<void> {
    await this.#commands.checkDeferred()
  }

  async end(broken: unknown): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    await this.#cancelling?.catch(() => {})
    try {
      // One that was closed has been taken back already, and giving it back again would have others use it.
      if (await this.#isIdle(broken)) this.#reserved.release()
    } finally {
      this.#give()
    }
  }

  /** Whether the next one who gets the connection finds no transaction on it. One that cannot be trusted is closed. */
  async #isIdle(broken: unknown): Promise<boolean> {
    if (!this.#isBegun) return true
    if (this.#lost !== undefined) return false
    if (broken === undefined) return true
    if (describeError(broken).category === 'connection') return false
    try {
      await this.#reserved.unsafe('rollback')
      return true
    } catch {
      // postgres.js has no other way to throw a connection away. It opens a new one in its place.
      await this.#reserved.unsafe('select pg_terminate_backend(pg_backend_pid())').catch(() => {})
      return false
    }
  }
}

/** A query that is not sent, and fails when it is awaited. */
function failing(error: unknown): PostgresJsQuery {
  const fail = (): Promise<never> => Promise.reject(error)
  const query = {
    // oxlint-disable-next-line unicorn/no-thenable -- as a query of postgres.js is sent when it is awaited
    then: (resolve: undefined, reject: undefined) => fail().then(resolve, reject),
    values: fail,
  }
  return query as unknown as PostgresJsQuery
}
