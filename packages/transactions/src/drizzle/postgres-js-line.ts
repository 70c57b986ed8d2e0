import { describeError, engineTraits, type EngineTraits } from '@keelson/core'
import { checkBegin } from '../scope/begin-check.ts'
import type { BeginSettings, EngineState } from '../scope/line.ts'
import { postgresBegin } from './postgres-begin.ts'
import { Commands, rolledBackError } from './commands.ts'
import type { DrizzleLine } from './driver.ts'
import { cloneSession, type DrizzleSession } from './internals.ts'

/** postgres.js, as far as it is used. https://github.com/porsager/postgres */
export interface PostgresJsSql {
  readonly options: {
    readonly max: number
    readonly database?: string
    onclose?: ((id: number) => void) | null
  }
  reserve(): Promise<PostgresJsReserved>
  unsafe(sql: string, parameters?: unknown[]): Promise<PostgresJsResult>
}

/** One connection of postgres.js, which is ours until it is released. */
export interface PostgresJsReserved {
  unsafe(sql: string, parameters?: unknown[], options?: object): PostgresJsQuery
  release(): void
}

interface PostgresJsQuery extends Promise<PostgresJsResult> {
  values(): Promise<unknown>
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
  readonly #sql: PostgresJsSql
  readonly #reserved: PostgresJsReserved
  readonly #commands: Commands
  readonly #give: () => void
  #isBegun = false
  #isEnded = false
  #pid: number | undefined
  /** Some connection of the pool was closed, and it may have been this one. */
  #isSuspect = false
  #lost: unknown

  /** @param give lets others have what was waited for */
  constructor(
    session: DrizzleSession,
    sql: PostgresJsSql,
    reserved: PostgresJsReserved,
    give: () => void,
  ) {
    this.#reserved = reserved
    this.client = {
      unsafe: (...args) => (this.#isSuspect ? this.#checked(args) : reserved.unsafe(...args)),
    }
    this.#sql = sql
    this.databaseName = sql.options.database ?? 'postgresql'
    this.#give = give
    this.#commands = new Commands(cloneSession(session, { client: this.client }), 'postgresql')
  }

  async begin(settings: BeginSettings): Promise<void> {
    checkBegin(this.traits, settings, undefined)
    this.#isBegun = true
    const { state } = (await this.#commands.send(postgresBegin(settings))) as PostgresJsResult
    this.#pid = state?.pid ?? undefined
    listen(this.#sql).add(this.#onClose)
  }

  readonly #onClose = (): void => {
    this.#isSuspect = true
  }

  /**
   * postgres.js opens a closed connection again for whoever comes next, and what is reserved goes on with the new one,
   * on which nothing is in a transaction. Only the server tells which one it is.
   */
  #checked(args: Parameters<PostgresJsReserved['unsafe']>): PostgresJsQuery {
    const send = async <R>(run: () => Promise<R>): Promise<R> => {
      await this.#check()
      return run()
    }
    const query = {
      // oxlint-disable-next-line unicorn/no-thenable -- a query of postgres.js is sent when it is awaited
      then: (resolve: never, reject: never) =>
        send(() => this.#reserved.unsafe(...args)).then(resolve, reject),
      values: () => send(() => this.#reserved.unsafe(...args).values()),
    }
    return query as unknown as PostgresJsQuery
  }

  async #check(): Promise<void> {
    if (this.#lost === undefined) {
      try {
        const [row] = await this.#reserved.unsafe('select pg_backend_pid() as pid')
        this.#isSuspect = false
        if ((row as { pid: number }).pid === this.#pid) return
        this.#lost = lostError()
      } catch (error) {
        this.#lost = error
      }
      this.#isSuspect = true
    }
    throw this.#lost
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

  async state(error: unknown): Promise<EngineState> {
    if (this.#isSuspect) await this.#check()
    // Every error in a transaction of PostgreSQL dooms it, or its savepoint; a commit looks at its answer.
    return error === undefined ? 'open' : 'failed'
  }

  async cancel(): Promise<void> {
    if (this.#pid === undefined) return
    await this.#sql.unsafe('select pg_cancel_backend($1)', [this.#pid])
  }

  async checkDeferred(): Promise<void> {
    await this.#commands.checkDeferred()
  }

  async end(broken: unknown): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    listen(this.#sql).delete(this.#onClose)
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

const listeners = new WeakMap<PostgresJsSql, Set<() => void>>()

/** Those who are to hear when a connection of the pool is closed. */
function listen(sql: PostgresJsSql): Set<() => void> {
  const known = listeners.get(sql)
  if (known !== undefined) return known
  const all = new Set<() => void>()
  listeners.set(sql, all)
  const { onclose } = sql.options
  sql.options.onclose = (id) => {
    for (const each of all) each()
    onclose?.(id)
  }
  return all
}

function lostError(): Error {
  const error = new Error(
    'The connection of the transaction was closed, and with it the transaction.',
  )
  return Object.assign(error, { code: 'ECONNRESET' })
}
