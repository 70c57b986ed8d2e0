import { engineTraits, type EngineTraits } from '@keelson/core'
import { databaseFor, type TransactionDatabase } from '../database.ts'
import type { AcquireOptions } from '../run/run-transaction.ts'
import type { Binding, DrizzleLine, TransactionDriver } from './driver.ts'
import type { DrizzleSession } from './internals.ts'
import { type PGliteClient, PGliteLine } from './pglite-line.ts'
import { SessionBindings } from './session-binding.ts'
import { SharedConnection } from './shared-connection.ts'

/** Drizzle's PGlite: one connection, in this process. */
export class PGliteDriver implements TransactionDriver {
  readonly traits: EngineTraits = engineTraits.postgresql
  readonly key: object
  readonly watchesOutside: boolean = true
  readonly #bindings: SessionBindings
  readonly #database: TransactionDatabase

  constructor(session: DrizzleSession) {
    const client = session.client as PGliteClient
    this.key = client
    this.#database = databaseFor(client)
    const stub = { transaction: (fn: (tx: object) => Promise<unknown>) => fn({}) }
    this.#bindings = new SessionBindings(session, 'pg', { client: stub })
  }

  prepare(): Promise<void> | undefined {
    return this.#bindings.prepare()
  }

  bind({ client }: DrizzleLine): Binding | undefined {
    return client && this.#bindings.bind({ client })
  }

  async acquire(options: AcquireOptions): Promise<DrizzleLine> {
    const give = await SharedConnection.of(this.#database).take(options)
    return new PGliteLine(this.#bindings.session, give)
  }

  outside<R>(sql: string, send: () => Promise<R>): Promise<R> {
    return SharedConnection.of(this.#database).statement(sql, send)
  }
}
