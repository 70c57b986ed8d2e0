import { RowsRejectedError } from './errors.ts'
import type { Ticket } from './entry.ts'
import type { Fate, RejectedFate } from './fate.ts'

/** Of `add()`: one row, one promise. */
export class RowTicket implements Ticket {
  readonly promise: Promise<Fate>
  #resolve!: (fate: Fate) => void
  #reject!: (error: unknown) => void
  readonly #isWatched: boolean

  /** @param isWatched whether somebody else hears of a failure, so that it is no mistake when nobody awaits the promise */
  constructor(isWatched: boolean) {
    this.#isWatched = isWatched
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  settle(_index: number, fate: Fate): void {
    this.#resolve(fate)
  }

  fail(_index: number, error: unknown): void {
    if (this.#isWatched) this.promise.catch(ignore)
    this.#reject(error)
  }
}

/** Of `addMany()`: a promise that waits for all rows. */
export class RowsTicket implements Ticket {
  readonly promise: Promise<readonly Fate[]>
  readonly #fates: (Fate | RejectedFate)[]
  readonly #isWatched: boolean
  #open: number
  #failed = 0
  #resolve!: (fates: readonly Fate[]) => void
  #reject!: (error: unknown) => void

  constructor(rows: number, isWatched: boolean) {
    this.#fates = Array.from({ length: rows })
    this.#open = rows
    this.#isWatched = isWatched
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (rows === 0) this.#resolve([])
  }

  settle(index: number, fate: Fate): void {
    this.#set(index, fate)
  }

  fail(index: number, error: unknown): void {
    this.#failed++
    this.#set(index, { status: 'rejected', error })
  }

  #set(index: number, fate: Fate | RejectedFate): void {
    this.#fates[index] = fate
    if (--this.#open > 0) return
    if (this.#failed === 0) this.#resolve(this.#fates as Fate[])
    else {
      if (this.#isWatched) this.promise.catch(ignore)
      this.#reject(new RowsRejectedError(this.#fates))
    }
  }
}

function ignore(): void {}
