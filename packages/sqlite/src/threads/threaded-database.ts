import { type DatabaseClosedError, settlesWithin } from '@keelson/core'
import type { SqliteSession } from '../contract.ts'
import type { EventSource } from '../session/query-event.ts'
import { SessionDatabase } from '../session/session-database.ts'
import type { ThreadedEngine } from './threaded-engine.ts'
import { ThreadedMaintenance } from './threaded-maintenance.ts'
import { ThreadedSession } from './threaded-session.ts'

/** What is rolled back at the deadline takes a moment, in milliseconds. */
const graceMs = 250

/** See `SqliteDatabase`. */
export class ThreadedDatabase extends SessionDatabase {
  readonly mode = 'threads'
  readonly #engine: ThreadedEngine

  constructor(engine: ThreadedEngine) {
    super(engine, new ThreadedSession(engine), new ThreadedMaintenance(engine))
    this.#engine = engine
  }

  protected override newSession(
    source: EventSource | undefined,
    isForOneTransaction: boolean,
  ): SqliteSession {
    return new ThreadedSession(this.#engine, source, isForOneTransaction)
  }

  protected override async closeAll(
    error: DatabaseClosedError,
    deadline: number,
  ): Promise<string[]> {
    const engine = this.#engine
    const forced: string[] = []
    try {
      const streams = engine.open.filter((each) => !(each instanceof ThreadedSession))
      forced.push(...streams.map((stream) => stream.describe()))
      await settledBy(
        deadline,
        streams.map((stream) => stream.end(error)),
      )
      await engine.idleUntil(deadline)
      const left = engine.open
      forced.push(...left.map((each) => each.describe()))
      await settledBy(
        deadline + graceMs,
        left.map((each) => each.end(error)),
      )
      if (!engine.options.readOnly) await engine.optimize(deadline)
    } finally {
      forced.push(...(await engine.closeThreads(deadline + graceMs)))
    }
    return forced
  }
}

/** Waits for those that settle until then; a thread that is stuck is ended by force afterwards. */
async function settledBy(deadline: number, work: readonly Promise<unknown>[]): Promise<void> {
  if (work.length === 0) return
  await settlesWithin(Math.max(graceMs, deadline - performance.now()), Promise.allSettled(work))
}
