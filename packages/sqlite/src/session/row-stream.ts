import {
  attachSuppressed,
  Holder,
  queryChannel,
  statementCall,
  type QueryEvent,
  type QueryOutcome,
  traceStreamEnd,
  traceStreamStart,
} from '@keelson/core'
import type { StreamOptions } from '../contract.ts'
import type { DatabaseLifetime, Endable } from './lifetime.ts'
import type { Patience } from './patience.ts'
import { type EventSource, queryEvent } from './query-event.ts'
import { checkParameters, checkStreamOptions } from './statement-options.ts'

/** Why a stream ends whose consumer closes it while it still waits for a connection. */
export const leftEarly: DOMException = new DOMException(
  'The stream was closed before it began.',
  'AbortError',
)

const done: IteratorResult<unknown[], undefined> = Object.freeze({ done: true, value: undefined })

/** What a stream needs of the session it belongs to. */
export interface StreamSession {
  readonly source: EventSource
  readonly patience: Patience
  /** It has let go of everything. */
  readonly ended: () => void
}

/** Where the rows of a stream come from. */
export interface RowSource {
  /** A statement that writes is undone when the stream fails, and kept when its consumer merely stops reading. */
  finish(outcome: 'kept' | 'undone'): void | Promise<void>
}

/**
 * Rows in chunks. It opens with the first `next()`, and ends when it is read to its end, left (`return()`), ended from
 * outside, or fails; whichever comes first frees its connection.
 */
export abstract class RowStream<Source extends RowSource>
  implements AsyncIterableIterator<unknown[]>, Endable
{
  readonly sql: string
  protected readonly parameters: readonly unknown[]
  protected readonly rows: 'objects' | 'arrays'
  protected readonly chunkRows: number
  /** Aborted when it is to end. */
  protected readonly ending: AbortController = new AbortController()
  protected holder: Holder | undefined
  readonly #lifetime: DatabaseLifetime
  readonly #session: StreamSession
  readonly #signal: AbortSignal | undefined
  readonly #chunks: AsyncGenerator<unknown[], void>
  #isOwned = false
  #isOpening = false
  #wasTold = false
  #event: QueryEvent | undefined
  #delivered = 0
  /** Milliseconds spent in SQLite, without those of the consumer. */
  protected spentMs = 0

  constructor(
    lifetime: DatabaseLifetime,
    sql: string,
    parameters: readonly unknown[],
    options: StreamOptions,
    session: StreamSession,
  ) {
    checkParameters(parameters)
    checkStreamOptions(options)
    this.sql = sql
    this.parameters = parameters
    this.rows = options.rows ?? 'objects'
    this.chunkRows = options.chunkRows ?? 500
    this.#lifetime = lifetime
    this.#session = session
    this.#signal = options.signal
    this.#chunks = this.#read()
  }

  /** Takes a connection, and begins the statement. */
  protected abstract open(signal: AbortSignal): Promise<Source>

  protected abstract chunksOf(source: Source, signal: AbortSignal): AsyncGenerator<unknown[], void>

  /** It runs on the connection of its session's transaction. */
  get isOwned(): boolean {
    return this.#isOwned
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<unknown[], undefined>> {
    const result = await this.#chunks.next().catch((error: unknown) => {
      if (error !== leftEarly) throw error
      return done
    })
    const { aborted, reason } = this.ending.signal
    // Rows that an ended stream still has are not handed out: its end must not look like the end of the data.
    if (aborted && reason !== leftEarly && !this.#wasTold) {
      this.#wasTold = true
      throw reason
    }
    return aborted ? done : (result as IteratorResult<unknown[], undefined>)
  }

  async return(): Promise<IteratorResult<unknown[], undefined>> {
    // Else this would wait for the connection too.
    if (this.#isOpening) this.ending.abort(leftEarly)
    await this.#chunks.return()
    this.#session.ended()
    return done
  }

  describe(): string {
    return (this.holder ?? new Holder('stream', this.sql)).describe()
  }

  async end(error: unknown): Promise<void> {
    this.ending.abort(error)
    await this.return()
  }

  /** It runs on the connection that somebody else has taken. */
  protected runsOn(holder: Holder): void {
    this.#isOwned = true
    holder.lastSql = this.sql
  }

  /** Rows are about to be handed out. */
  protected delivers(count: number): void {
    if (this.#event !== undefined && this.#delivered === 0)
      this.#event.firstRowMs = performance.now() - this.#event.startMs
    this.#delivered += count
  }

  /** Rows handed out so far. */
  protected get delivered(): number {
    return this.#delivered
  }

  readonly #abort = (): void => {
    const { reason } = this.#signal!
    this.end(reason).catch((later: unknown) => attachSuppressed(reason, later))
  }

  async *#read(): AsyncGenerator<unknown[], void> {
    const { signal } = this.ending
    this.#signal?.addEventListener('abort', this.#abort, { once: true })
    let source: Source | undefined
    let outcome: QueryOutcome = 'early'
    this.#traceStart()
    const call = statementCall()
    try {
      this.#signal?.throwIfAborted()
      this.#isOpening = true
      source = await this.open(signal)
      this.#isOpening = false
      this.#lifetime.opened(this)
      for (const told of [this.#event, call])
        if (told !== undefined) told.waitMs = performance.now() - told.startMs
      yield* this.chunksOf(source, signal)
      outcome = 'ok'
    } catch (error) {
      this.#wasTold ||= error === signal.reason
      outcome = 'error'
      if (this.#event !== undefined) this.#event.error = error
      throw error
    } finally {
      this.#isOpening = false
      if (signal.aborted) outcome = 'aborted'
      this.#signal?.removeEventListener('abort', this.#abort)
      this.#lifetime.ended(this)
      try {
        const finished = source?.finish(outcome === 'ok' || outcome === 'early' ? 'kept' : 'undone')
        if (finished !== undefined) await finished
      } finally {
        this.#session.ended()
        this.#traceEnd(outcome)
      }
    }
  }

  #traceStart(): void {
    if (!queryChannel.hasSubscribers) return
    const { source } = this.#session
    this.#event = queryEvent('stream', source, this.#lifetime, this.sql, this.parameters)
    traceStreamStart(this.#event)
  }

  #traceEnd(outcome: QueryOutcome): void {
    const event = this.#event
    if (event === undefined) return
    event.outcome = outcome
    event.rows = this.#delivered
    traceStreamEnd(event, this.spentMs)
  }
}
