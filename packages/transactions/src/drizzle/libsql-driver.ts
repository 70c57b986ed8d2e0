import { engineTraits, type EngineTraits } from '@keelson/core'
import { databaseFor, type TransactionDatabase } from '../database.ts'
import type { AcquireOptions } from '../run/run-transaction.ts'
import type { Binding, DrizzleLine, TransactionDriver } from './driver.ts'
import type { DrizzleSession } from './internals.ts'
import { type LibsqlClient, LibsqlLine } from './libsql-line.ts'
import { SessionBindings } from './session-binding.ts'
import { SharedConnection } from './shared-connection.ts'

/**
 * Drizzle's libsql. A local file is one database that one may write at a time, and `:memory:` has one connection, so both
 * are taken in turns; what is remote takes care of that itself.
 */
export class LibsqlDriver implements TransactionDriver {
  readonly traits: EngineTraits = engineTraits.sqlite
  readonly key: object
  readonly watchesOutside: boolean
  readonly #bindings: SessionBindings
  readonly #database: TransactionDatabase

  constructor(session: DrizzleSession) {
    const client = session.client as LibsqlClient
    this.key = client
    this.#database = databaseFor(client)
    this.watchesOutside = client.protocol === 'file'
    const stub = { transaction: async () => ({ async commit() {}, async rollback() {} }) }
    this.#bindings = new SessionBindings(session, 'sqlite', { client: stub })
  }

  prepare(): Promise<void> | undefined {
    return this.#bindings.prepare()
  }

  bind({ client }: DrizzleLine): Binding | undefined {
    return client && this.#bindings.bind({ tx: client })
  }

  async acquire(options: AcquireOptions): Promise<DrizzleLine> {
    const give = this.watchesOutside
      ? await SharedConnection.of(this.#database).take(options)
      : () => {}
    return new LibsqlLine(this.#bindings.session, give)
  }

  outside<R>(sql: string, send: () => Promise<R>): Promise<R> {
    return this.watchesOutside ? SharedConnection.of(this.#database).statement(sql, send) : send()
  }
}
