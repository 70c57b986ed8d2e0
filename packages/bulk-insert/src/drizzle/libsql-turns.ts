import { AsyncLocalStorage } from 'node:async_hooks'
import { kindOf } from '@keelson/core/drizzle'
import type { DrizzleSession } from './internals.ts'

/** A client of libsql, as far as it is used. https://docs.turso.tech/sdk/ts/reference */
interface LibsqlClient {
  readonly protocol: string
}

/** When the last one that waits is done. */
const tails = new WeakMap<LibsqlClient, Promise<void>>()

const callers = new AsyncLocalStorage<LibsqlTurns>()

/**
 * The turns that transactions on a client of libsql take. It begins each on a connection of its own, and SQLite, which lets
 * one write, refuses the others at once. Nor is that all: `@libsql/client` 0.18.0 does not reset the statement that was
 * refused, so that its connection keeps the file locked from its next read on, outside of WAL mode for every other one.
 * What others do on the client is not seen here; `withTransactions()` of `@keelson/transactions` sees it.
 */
export class LibsqlTurns {
  readonly #client: LibsqlClient
  readonly #caller: LibsqlTurns | undefined
  #isTaken = false

  private constructor(client: LibsqlClient) {
    this.#client = client
    this.#caller = callers.getStore()
  }

  /** Undefined for other drivers, and for a server, which has its own. */
  static of(session: DrizzleSession): LibsqlTurns | undefined {
    if (kindOf(session) !== 'LibSQLSession') return undefined
    const client = session.client as LibsqlClient
    return client.protocol === 'file' ? new LibsqlTurns(client) : undefined
  }

  /** Runs what is to be recognized by `take()` in whatever it calls, later too. */
  recognize<R>(fn: () => R): R {
    return callers.run(this, fn)
  }

  /** Runs a transaction when it is its turn. */
  async take<R>(fn: () => Promise<R>): Promise<R> {
    // It would wait for one that waits for it; libsql refuses it.
    if (this.#isWithin(this.#client)) return fn()
    const before = tails.get(this.#client)
    let leave!: () => void
    const over = new Promise<void>((resolve) => (leave = resolve))
    tails.set(
      this.#client,
      Promise.all([before, over]).then(() => {}),
    )
    await before
    this.#isTaken = true
    try {
      return await fn()
    } finally {
      this.#isTaken = false
      leave()
    }
  }

  #isWithin(client: LibsqlClient): boolean {
    const caller = this.#caller
    if (caller === undefined) return false
    return (caller.#isTaken && caller.#client === client) || caller.#isWithin(client)
  }
}
