import type { WatchedDatabase } from '../record/watched-database.ts'

/**
 * Has the pools looked at while no query comes back: a pool that is stuck is noticed by nobody else. There is a timer only as
 * long as a database is open whose pool is known; it keeps neither the process alive nor the timing.
 */
export class PoolWatch {
  readonly #databases: Iterable<WatchedDatabase>
  readonly #look: (database: WatchedDatabase, nowMs: number) => void
  readonly #everyMs: number
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(
    databases: Iterable<WatchedDatabase>,
    everyMs: number,
    look: (database: WatchedDatabase, nowMs: number) => void,
  ) {
    this.#databases = databases
    this.#everyMs = everyMs
    this.#look = look
  }

  /** A database is measured whose pool may be known. */
  opened({ gauges }: WatchedDatabase): void {
    if (gauges === undefined || this.#timer !== undefined || this.#isClosed) return
    const watch = new WeakRef(this)
    const timer = setInterval(() => {
      const known = watch.deref()
      if (known === undefined) clearInterval(timer)
      else known.#tick()
    }, this.#everyMs).unref()
    this.#timer = timer
  }

  close(): void {
    this.#isClosed = true
    this.#stop()
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    const pooled = Array.from(this.#databases).filter(({ gauges }) => gauges !== undefined)
    if (pooled.length === 0) this.#stop()
    const now = performance.now()
    for (const database of pooled) this.#look(database, now)
  }
}
