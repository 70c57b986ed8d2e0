import type { DatabaseClosedError } from '@keelson/core'
import type { SqliteSession } from '../contract.ts'
import { InlineMaintenance } from '../maintenance/inline-maintenance.ts'
import type { EventSource } from '../session/query-event.ts'
import { SessionDatabase } from '../session/session-database.ts'
import type { InlineEngine } from './inline-engine.ts'
import { InlineSession } from './inline-session.ts'

/** See `SqliteDatabase`. */
export class InlineDatabase extends SessionDatabase {
  readonly mode = 'inline'
  readonly #engine: InlineEngine
  readonly #closeWriter: () => void

  /** @param closeWriter does nothing for a handle that was handed in */
  constructor(engine: InlineEngine, closeWriter: () => void) {
    super(engine, new InlineSession(engine), new InlineMaintenance(engine))
    this.#engine = engine
    this.#closeWriter = closeWriter
  }

  protected override newSession(
    source: EventSource | undefined,
    isForOneTransaction: boolean,
  ): SqliteSession {
    return new InlineSession(this.#engine, source, isForOneTransaction)
  }

  protected override async closeAll(
    error: DatabaseClosedError,
    deadline: number,
  ): Promise<string[]> {
    const engine = this.#engine
    const forced: string[] = []
    try {
      const streams = engine.open.filter((each) => !(each instanceof InlineSession))
      forced.push(...streams.map((stream) => stream.describe()))
      await Promise.all(streams.map((stream) => stream.end(error)))
      await engine.idleUntil(deadline)
      for (const each of engine.open) {
        forced.push(each.describe())
        await each.end(error)
      }
    } finally {
      try {
        engine.snapshot?.close()
        await engine.readers?.close({ deadlineMs: Math.max(0, deadline - performance.now()) })
        this.#optimize()
      } finally {
        this.#closeWriter()
      }
    }
    return forced
  }

  #optimize(): void {
    const { options, readers } = this.#engine
    if (options.readOnly || readers === undefined) return
    try {
      this.#engine.control('pragma optimize')
    } catch {
      // Another process is writing, or the disk is full: the statistics stay as they were.
    }
  }
}
