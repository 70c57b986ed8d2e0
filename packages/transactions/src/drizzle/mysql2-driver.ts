import { engineTraits, type EngineTraits } from '@keelson/core'
import { databaseFor, type TransactionDatabase } from '../database.ts'
import type { AcquireOptions } from '../run/run-transaction.ts'
import type { Root } from '../scope/root.ts'
import { acquireInTime } from './acquire-in-time.ts'
import type { Binding, DrizzleLine, TransactionDriver } from './driver.ts'
import type { DrizzleSession } from './internals.ts'
import { type Mysql2Connection, Mysql2Line } from './mysql2-line.ts'
import { SecondConnections } from './second-connection.ts'
import { SessionBindings } from './session-binding.ts'
import { SharedConnection } from './shared-connection.ts'

/** A pool of mysql2, with promises: what Drizzle makes of a pool with callbacks. */
interface Mysql2Pool {
  readonly pool?: { readonly config?: { readonly connectionLimit?: number } }
  getConnection(): Promise<Mysql2Connection>
}

/** Drizzle's mysql2, over a pool or over one connection. */
export class Mysql2Driver implements TransactionDriver {
  readonly traits: EngineTraits = engineTraits.mysql
  readonly key: object
  readonly watchesOutside: boolean
  readonly #bindings: SessionBindings
  readonly #database: TransactionDatabase
  readonly #pool: Mysql2Pool | undefined
  readonly #seconds: SecondConnections

  constructor(session: DrizzleSession) {
    const client = session.client as Mysql2Pool | Mysql2Connection
    this.key = client
    this.#database = databaseFor(client)
    this.#pool = 'getConnection' in client ? client : undefined
    this.watchesOutside = this.#pool === undefined
    this.#seconds = new SecondConnections(
      this.#database,
      () => this.#pool?.pool?.config?.connectionLimit ?? 10,
    )
    const stub = { client: { query: async () => [{}] } }
    this.#bindings = new SessionBindings(session, 'mysql', stub)
  }

  prepare(): Promise<void> | undefined {
    return this.#bindings.prepare()
  }

  bind({ client }: DrizzleLine): Binding | undefined {
    return client && this.#bindings.bind({ client })
  }

  async acquire(options: AcquireOptions): Promise<DrizzleLine> {
    const { session } = this.#bindings
    const pool = this.#pool
    if (pool === undefined) {
      const give = await SharedConnection.of(this.#database).take(options)
      return new Mysql2Line(session, session.client as Mysql2Connection, undefined, give)
    }
    const suspended = this.#database.suspendedRoot
    const given = suspended && this.#seconds.wait(suspended)
    try {
      const giveBack = (late: Mysql2Connection): unknown => late.release?.()
      const connection = await acquireInTime(pool.getConnection(), options, giveBack)
      const second = (): Promise<Mysql2Connection> => pool.getConnection()
      return new Mysql2Line(session, connection, second, () => given?.())
    } catch (error) {
      given?.()
      throw error
    }
  }

  async outside<R>(sql: string, send: () => Promise<R>, suspended: Root | undefined): Promise<R> {
    if (this.#pool === undefined) return SharedConnection.of(this.#database).statement(sql, send)
    return this.#seconds.outside(send, suspended)
  }
}
