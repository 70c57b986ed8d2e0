import type { TransactionDatabase } from '../database.ts'
import { TransactionDeadlockError } from '../errors.ts'
import type { Root } from '../scope/root.ts'

/**
 * Watches a pool for transactions that wait for a connection beside their own (`requiresNew`, `outside`): once every
 * connection is held by such a one, none of them would ever go on.
 */
export class SecondConnections {
  readonly #database: TransactionDatabase
  readonly #max: () => number
  /** How many each transaction asks for at the same time. */
  readonly #asked = new Map<Root, number>()

  /** @param max how many connections the pool gives */
  constructor(database: TransactionDatabase, max: () => number) {
    this.#database = database
    this.#max = max
  }

  /**
   * Sends a statement that is in no transaction, on a connection of the pool.
   *
   * @param suspended the open transaction that the caller has left
   * @throws {TransactionDeadlockError} when it would wait for ever
   */
  async outside<R>(send: () => Promise<R>, suspended: Root | undefined): Promise<R> {
    if (suspended === undefined) return send()
    const given = this.wait(suspended)
    try {
      return await send()
    } finally {
      given()
    }
  }

  /**
   * Notes that a transaction waits for what somebody else's connection has to do.
   *
   * @returns to be called when it no longer does
   * @throws {TransactionDeadlockError} when it would wait for ever
   */
  wait(root: Root): () => void {
    const { waitingForSecond } = this.#database
    const asked = this.#asked.get(root) ?? 0
    const max = this.#max()
    if (asked === 0 && waitingForSecond.size + 1 >= max) throw deadlockError(max)
    this.#asked.set(root, asked + 1)
    waitingForSecond.add(root)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      const left = this.#asked.get(root)! - 1
      if (left > 0) this.#asked.set(root, left)
      else {
        this.#asked.delete(root)
        waitingForSecond.delete(root)
      }
    }
  }
}

function deadlockError(max: number): TransactionDeadlockError {
  return new TransactionDeadlockError(
    `Cannot get a second connection: the pool gives no more than ${max}, each of which is held by a transaction that ` +
      'waits for a second one (requiresNew, outside), so none of them could ever go on. A pool needs at least one ' +
      'connection more than there are such transactions at the same time (pool size >= transactions + 1). Nothing was sent.',
  )
}
