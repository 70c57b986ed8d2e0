import { engineTraits, type EngineTraits } from '@keelson/core'
import { databaseFor, type TransactionDatabase } from '../database.ts'
import type { AcquireOptions } from '../run/run-transaction.ts'
import type { Root } from '../scope/root.ts'
import { acquireInTime } from './acquire-in-time.ts'
import type { Binding, DrizzleLine, TransactionDriver } from './driver.ts'
import type { DrizzleSession } from './internals.ts'
import { NodePostgresLine, type PostgresClient, type PostgresPool } from './node-postgres-line.ts'
import { SecondConnections } from './second-connection.ts'
import { SessionBindings } from './session-binding.ts'
import { SharedConnection } from './shared-connection.ts'

/** Drizzle's node-postgres, over a pool or over one client. */
export class NodePostgresDriver implements TransactionDriver {
  readonly traits: EngineTraits = engineTraits.postgresql
  readonly key: object
  readonly watchesOutside: boolean
  readonly #bindings: SessionBindings
  readonly #database: TransactionDatabase
  readonly #pool: PostgresPool | undefined
  readonly #seconds: SecondConnections

  constructor(session: DrizzleSession) {
    const client = session.client as PostgresPool | PostgresClient
    this.key = client
    this.#database = databaseFor(client)
    this.#pool = isPool(client) ? client : undefined
    this.watchesOutside = this.#pool === undefined
    this.#seconds = new SecondConnections(this.#database, () => this.#pool?.options.max ?? 1)
    const stub = { client: { query: async () => ({ rows: [] }) } }
    this.#bindings = new SessionBindings(session, 'pg', stub)
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
      return new NodePostgresLine(session, session.client as PostgresClient, undefined, give)
    }
    const suspended = this.#database.suspendedRoot
    const given = suspended && this.#seconds.wait(suspended)
    try {
      const client = await acquireInTime(pool.connect(), options, (late) => late.release!())
      return new NodePostgresLine(session, client, pool, () => given?.())
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

function isPool(client: PostgresPool | PostgresClient): client is PostgresPool {
  return 'totalCount' in client && 'options' in client
}
