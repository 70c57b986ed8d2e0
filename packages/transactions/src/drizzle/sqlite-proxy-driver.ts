import { engineTraits, type EngineTraits } from '@keelson/core'
import { databaseFor, type TransactionDatabase } from '../database.ts'
import type { AcquireOptions } from '../run/run-transaction.ts'
import type { Binding, DrizzleLine, TransactionDriver } from './driver.ts'
import type { DrizzleSession } from './internals.ts'
import { SessionBindings } from './session-binding.ts'
import { SharedConnection } from './shared-connection.ts'
import { SqliteProxyLine } from './sqlite-proxy-line.ts'

/** Drizzle's sqlite-proxy: whatever is behind the callback, it is taken for one connection. */
export class SqliteProxyDriver implements TransactionDriver {
  readonly traits: EngineTraits = engineTraits.sqlite
  readonly key: object
  readonly watchesOutside: boolean = true
  readonly #bindings: SessionBindings
  readonly #database: TransactionDatabase

  constructor(session: DrizzleSession) {
    this.key = session.client as object
    this.#database = databaseFor(this.key)
    this.#bindings = new SessionBindings(session, 'sqlite', { client: async () => ({ rows: [] }) })
  }

  prepare(): Promise<void> | undefined {
    return this.#bindings.prepare()
  }

  bind({ client }: DrizzleLine): Binding | undefined {
    return client && this.#bindings.bind({ client })
  }

  async acquire(options: AcquireOptions): Promise<DrizzleLine> {
    const give = await SharedConnection.of(this.#database).take(options)
    return new SqliteProxyLine(this.#bindings.session, give)
  }

  outside<R>(sql: string, send: () => Promise<R>): Promise<R> {
    return SharedConnection.of(this.#database).statement(sql, send)
  }
}
