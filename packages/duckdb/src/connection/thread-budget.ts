import type { Interruption } from './interruption.ts'

/**
 * How many calls of DuckDB may be on the way at once in this process.
 *
 * Each occupies a thread of libuv's pool for as long as DuckDB works, and files, DNS and crypto of the whole process
 * wait for the same threads (https://github.com/duckdb/duckdb-node-neo/issues/325). One thread is left for them.
 */
export class ThreadBudget {
  readonly max: number
  #inUse = 0
  readonly #waiting: (() => void)[] = []

  constructor(max: number) {
    this.max = max
  }

  /** The one of this process, shared by every copy of this package. */
  static get shared(): ThreadBudget {
    const host = globalThis as { [key]?: ThreadBudget }
    return (host[key] ??= new ThreadBudget(Math.max(1, poolSize() - 1)))
  }

  /**
   * Runs a call once a thread is free for it.
   *
   * @param interruption ends the wait; a call that has begun is its own business
   */
  async run<R>(call: () => Promise<R>, interruption: Interruption | undefined): Promise<R> {
    interruption?.throwIfAborted()
    if (this.#inUse < this.max) this.#inUse++
    else await this.#turn(interruption?.signal)
    try {
      return await call()
    } finally {
      const next = this.#waiting.shift()
      // Whoever is next takes over the thread, so that nobody slips in between.
      if (next === undefined) this.#inUse--
      else next()
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = (): void => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(start), 1)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', leave, { once: true })
      this.#waiting.push(start)
    })
  }
}

const key = Symbol.for('keelson.duckdb.thread-budget')

/** https://docs.libuv.org/en/v1.x/threadpool.html: 4 unless the environment says otherwise, at most 1024. */
function poolSize(): number {
  const given = Number.parseInt(process.env['UV_THREADPOOL_SIZE'] ?? '', 10)
  return Number.isNaN(given) ? 4 : Math.min(Math.max(given, 1), 1024)
}
