import type { BetterSqlite3Database, BetterSqlite3Statement } from '../better-sqlite3.ts'

/** Reads after which the snapshot is renewed, so that a long chain of awaits does not read the past. */
const readsPerSnapshot = 256
/** As Node made it: a test with fake timers must not keep a snapshot open. */
const nextTick = process.nextTick.bind(process)

/**
 * Lets the reads of one macrotask share one read transaction: taking and releasing SQLite's read lock costs more than
 * a point select itself. It opens with the second read of a macrotask and is over before the next macrotask begins, so
 * it is never older than the code that runs; anything that writes ends it first.
 *
 * It does not see what another connection commits within the same macrotask, unless that connection is Keelson's own
 * in this process.
 */
export class TickSnapshot {
  readonly #database: BetterSqlite3Database
  readonly #path: string
  readonly #siblings: Set<TickSnapshot>
  readonly #begin: BetterSqlite3Statement
  readonly #commit: BetterSqlite3Statement
  #open = false
  #armed = false
  #reads = 0

  /** @param path snapshots of the same path end each other when one of their databases writes */
  constructor(database: BetterSqlite3Database, path: string) {
    this.#database = database
    this.#path = path
    this.#siblings = siblingsOf(path)
    this.#begin = database.prepare('begin')
    this.#commit = database.prepare('commit')
    this.#siblings.add(this)
  }

  /** Call before each read. */
  touch(): void {
    if (this.#reads++ === 0) {
      this.#arm()
    } else if (!this.#open) {
      this.#begin.run()
      this.#open = true
      this.#arm()
    } else if (this.#reads > readsPerSnapshot) {
      this.end()
      this.touch()
    }
  }

  /** Call before anything that is not a plain read. */
  end(): void {
    this.#reads = 0
    if (!this.#open) return
    this.#open = false
    // An I/O error may have ended the transaction already.
    if (this.#database.inTransaction) this.#commit.run()
  }

  /** Call before a write: what it changes must be seen by the next read through any of this process's databases. */
  endAll(): void {
    for (const snapshot of this.#siblings) snapshot.end()
  }

  /** Call when the database is closed. */
  close(): void {
    this.end()
    this.#siblings.delete(this)
    if (this.#siblings.size === 0) snapshotsByPath.delete(this.#path)
  }

  #arm(): void {
    if (this.#armed) return
    this.#armed = true
    // Node runs it when the queue of microtasks is empty, or earlier; in any case before the next macrotask.
    nextTick(this.#tickIsOver)
  }

  readonly #tickIsOver = (): void => {
    this.#armed = false
    if (this.#database.open) this.end()
  }
}

/** Snapshots by path: read-your-writes between two databases on one file needs them to know of each other. */
const snapshotsByPath = new Map<string, Set<TickSnapshot>>()

function siblingsOf(path: string): Set<TickSnapshot> {
  let siblings = snapshotsByPath.get(path)
  if (siblings === undefined) snapshotsByPath.set(path, (siblings = new Set()))
  return siblings
}
