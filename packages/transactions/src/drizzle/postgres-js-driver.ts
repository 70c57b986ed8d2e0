import { engineTraits, type EngineTraits } from '@keelson/core'
import { databaseFor, type TransactionDatabase } from '../database.ts'
import type { AcquireOptions } from '../run/run-transaction.ts'
import type { Root } from '../scope/root.ts'
import { acquireInTime } from './acquire-in-time.ts'
import type { Binding, DrizzleLine, TransactionDriver } from './driver.ts'
import type { DrizzleSession } from './internals.ts'
import { PostgresJsLine, type PostgresJsSql } from './postgres-js-line.ts'
import { SecondConnections } from './second-connection.ts'
import { SessionBindings } from './session-binding.ts'

/** Drizzle's postgres.js, which is always a pool. */
export class PostgresJsDriver implements TransactionDriver {
  readonly traits: EngineTraits = engineTraits.postgresql
  readonly key: object
  readonly watchesOutside: boolean = false
  readonly #bindings: SessionBindings
  readonly #database: TransactionDatabase
  readonly #seconds: SecondConnections

  constructor(session: DrizzleSession) {
    const client = session.client as PostgresJsSql
    this.key = client
    this.#database = databaseFor(client)
    this.#seconds = new SecondConnections(this.#database, () => client.options.max)
    const stub = { begin: (fn: (tx: object) => unknown) => fn({}) }
    this.#bindings = new SessionBindings(session, 'pg', { client: stub })
  }

  prepare(): Promise<void> | undefined {
    return this.#bindings.prepare()
  }

  bind({ client }: DrizzleLine): Binding | undefined {
    return client && this.#bindings.bind({ client })
  }

  async acquire(options: AcquireOptions): Promise<DrizzleLine> {
    const client = this.key as PostgresJsSql
    const suspended = this.#database.suspendedRoot
    const given = suspended && this.#seconds.wait(suspended)
    try {
      const reserved = await acquireInTime(client.reserve(), options, (late) => late.release())
      return new PostgresJsLine(this.#bindings.session, client, reserved, () => given?.())
    } catch (error) {
      given?.()
      throw error
    }
  }

  async outside<R>(_sql: string, send: () => Promise<R>, suspended: Root | undefined): Promise<R> {
    return this.#seconds.outside(send, suspended)
  }
}
