import { stat } from 'node:fs/promises'
import type { ThreadedEngine } from './threaded-engine.ts'

/** How many statements write until the size of the log is looked at. */
const statementsPerLook = 500

/** SQLite itself copies the log into the file from 1,000 pages on, which are 4 MiB, unless somebody reads from it. */
const mostBytes = 16 * 1024 * 1024

/** For how long reads are held back, in milliseconds. */
const pauseMs = 200

/** After a log could not be emptied, in milliseconds: a stream may be reading from it. */
const againMs = 1_000

/**
 * Keeps the write-ahead log small. It can be emptied only while nobody reads from it, and with readers that are never all
 * idle it would grow for ever: so they are held back for a moment.
 */
export class Checkpoints {
  readonly #engine: ThreadedEngine
  #count = 0
  #isLooking = false
  #notBefore = 0

  constructor(engine: ThreadedEngine) {
    this.#engine = engine
  }

  count(): void {
    if (++this.#count < statementsPerLook || this.#isLooking) return
    this.#count = 0
    if (performance.now() < this.#notBefore) return
    this.#isLooking = true
    void this.#look().finally(() => {
      this.#isLooking = false
    })
  }

  async #look(): Promise<void> {
    const engine = this.#engine
    try {
      const { size } = await stat(`${engine.path}-wal`)
      if (size < mostBytes) return
      await engine.readers.paused(pauseMs, () => engine.checkpoint())
    } catch {
      // It is tried again: another process may be writing, or the database is being closed.
    } finally {
      this.#notBefore = performance.now() + againMs
    }
  }
}
