import type { DatabaseInstance } from './database-instance.ts'
import { WatchedDatabase } from './watched-database.ts'

/** How many databases that are closed are told of apart; the others are in `<other>`, with all that was counted. */
const mostClosed = 8
/** The same of those that cannot tell when they are closed, which Drizzle's cannot, and that nobody uses just now. */
const mostUnused = 100

/** The databases of one timing, of which an application may open and close any number. */
export class DatabaseList implements Iterable<WatchedDatabase> {
  readonly #all = new Set<WatchedDatabase>()
  #others: WatchedDatabase | undefined
  readonly #maxFingerprints: number
  readonly #opened: (database: WatchedDatabase) => void

  /** @param opened is told of each that is added */
  constructor(maxFingerprints: number, opened: (database: WatchedDatabase) => void) {
    this.#maxFingerprints = maxFingerprints
    this.#opened = opened
  }

  *[Symbol.iterator](): Generator<WatchedDatabase> {
    yield* this.#all
    if (this.#others !== undefined) yield this.#others
  }

  add(database: WatchedDatabase): void {
    database.isListed = true
    this.#all.add(database)
    this.#opened(database)
    this.#bound()
  }

  /** One of those who use it has closed it. */
  close(instance: DatabaseInstance): void {
    instance.closed()
    if (--instance.database.users === 0) this.#bound()
  }

  #bound(): void {
    this.#fold(mostClosed, ({ users }) => users === 0)
    this.#fold(
      mostUnused,
      ({ users, source, running, transactions }) =>
        users > 0 && source === 'drizzle' && running === 0 && transactions.open.size === 0,
    )
  }

  /** Adds the oldest ones to the others. One that is used again all the same is listed again, and begins anew. */
  #fold(most: number, isOfThese: (database: WatchedDatabase) => boolean): void {
    const these = [...this.#all].filter(isOfThese)
    for (const database of these.slice(0, Math.max(0, these.length - most))) {
      this.#all.delete(database)
      database.isListed = false
      this.#others ??= new WatchedDatabase(
        '<other>',
        'kysely',
        'other_sql',
        false,
        this.#maxFingerprints,
      )
      this.#others.absorb(database)
    }
  }
}
