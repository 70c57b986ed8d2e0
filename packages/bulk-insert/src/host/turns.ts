import { AsyncLocalStorage } from 'node:async_hooks'
import { ConnectionBusyError } from '@keelson/core'

/** What there is one turn at a time on. */
export interface Place {
  /** Whose turns they are: those of the same object are the same. */
  readonly of: object
  /** Why there is one at a time, after "is under way ". */
  readonly why: string
}

/** When the last one that waits for it is done. */
const tails = new WeakMap<object, Promise<void>>()

const callers = new AsyncLocalStorage<Turns>()

/** A transaction, for those who have savepoints in it. */
export function withinTransaction(connection: object): Place {
  return {
    of: connection,
    why: 'in the same transaction: what one of them undoes could be what the other has written',
  }
}

/**
 * The turns that are taken on what has room for one at a time: a transaction for the savepoints of those who work in it side
 * by side, since to go back to a savepoint undoes whatever was done after it, by anybody. What others than this package do
 * there is not seen; `withTransactions()` of `@keelson/transactions` sees it, and has turns of its own.
 */
export class Turns {
  readonly #where: string
  readonly #caller = callers.getStore()
  /** What it is the turn of this one on. */
  readonly #taken = new Set<object>()

  /** @param where the function of this package that takes them, for errors */
  constructor(where: string) {
    this.#where = where
  }

  /** Runs what is to be recognized by `take()` in whatever it calls, later too. */
  recognize<R>(fn: () => R): R {
    return callers.run(this, fn)
  }

  /**
   * Runs `fn` when it is its turn.
   *
   * @throws {ConnectionBusyError} when it would wait for one that waits for it
   */
  async take<R>({ of: place, why }: Place, fn: () => Promise<R>): Promise<R> {
    const holder = Turns.#holderOf(place)
    if (holder !== undefined) throw this.#nestedError(holder, why)
    const before = tails.get(place)
    let leave!: () => void
    const over = new Promise<void>((resolve) => (leave = resolve))
    tails.set(
      place,
      Promise.all([before, over]).then(() => {}),
    )
    await before
    this.#taken.add(place)
    try {
      return await callers.run(this, fn)
    } finally {
      this.#taken.delete(place)
      leave()
    }
  }

  #nestedError(holder: Turns, why: string): ConnectionBusyError {
    return new ConnectionBusyError(
      `${this.#where} was called by the rows, a validation or a callback of a ${holder.#where} that is under way ${why}. ` +
        'Call it before that one, or after it. Nothing was sent.',
    )
  }

  /** Undefined when nobody who has called it has a turn there. */
  static #holderOf(place: object): Turns | undefined {
    let caller = callers.getStore()
    while (caller !== undefined && !caller.#taken.has(place)) caller = caller.#caller
    return caller
  }
}
