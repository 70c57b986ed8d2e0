import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  attachSuppressed,
  queryChannel,
  type QueryEvent,
  type QueryOutcome,
  QueryTimeoutError,
  excerpt,
  traceStreamEnd,
  traceStreamStart,
  Holder,
} from '@keelson/core'
import type { StreamOptions } from '../contract.ts'
import { type PreparedStatement } from '../statement/prepared-statement.ts'
import type { Endable } from '../session/lifetime.ts'
import type { InlineEngine } from './inline-engine.ts'
import type { Owned } from './ownership.ts'
import type { Patience } from '../session/patience.ts'
import { queryEvent, type EventSource } from '../session/query-event.ts'
import { checkParameters, checkStreamOptions } from '../session/statement-options.ts'
import { sourceOfItsOwn, sourceOnOwned, type StreamSource } from './stream-source.ts'

/** After this many milliseconds of work the event loop gets its turn. */
const sliceMs = 5

/** Why a stream ends whose consumer closes it while it still waits for a connection. */
const leftEarly = new DOMException('The stream was closed before it began.', 'AbortError')

const done: IteratorResult<unknown[], undefined> = Object.freeze({ done: true, value: undefined })

/** What a stream needs of the session it belongs to. */
export interface StreamSession {
  readonly source: EventSource
  readonly patience: Patience
  /** The connection of the open transaction, if there is one. */
  owned(): Owned | undefined
  refuse(statement: PreparedStatement): void
  failed(error: unknown): void
  ended(stream: InlineStream): void
}

/**
 * Rows in chunks, with at most one chunk in memory. It opens with the first `next()`, and ends when it is read to its
 * end, left (`return()`), ended from outside, or fails; whichever comes first frees its connection.
 */
export class InlineStream implements AsyncIterableIterator<unknown[]>, Endable {
  readonly sql: string
  readonly #engine: InlineEngine
  readonly #session: StreamSession
  readonly #parameters: readonly unknown[]
  readonly #rows: 'objects' | 'arrays'
  readonly #chunkRows: number
  readonly #signal: AbortSignal | undefined
  readonly #ending = new AbortController()
  readonly #chunks: AsyncGenerator<unknown[], void>
  #holder: Holder | undefined
  #isOwned = false
  #isOpening = false
  #wasTold = false
  #event: QueryEvent | undefined
  #delivered = 0
  /** Milliseconds spent in SQLite, without those of the consumer. */
  #spentMs = 0

  constructor(
    engine: InlineEngine,
    sql: string,
    parameters: readonly unknown[],
    options: StreamOptions,
    session: StreamSession,
  ) {
    checkParameters(parameters)
    checkStreamOptions(options)
    this.sql = sql
    this.#engine = engine
    this.#session = session
    this.#parameters = parameters
    this.#rows = options.rows ?? 'objects'
    this.#chunkRows = options.chunkRows ?? 500
    this.#signal = options.signal
    this.#chunks = this.#read()
  }

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
    const { aborted, reason } = this.#ending.signal
    // Rows that an ended stream still has are not handed out: its end must not look like the end of the data.
    if (aborted && reason !== leftEarly && !this.#wasTold) {
      this.#wasTold = true
      throw reason
    }
    return aborted ? done : (result as IteratorResult<unknown[], undefined>)
  }

  async return(): Promise<IteratorResult<unknown[], undefined>> {
    // Else this would wait for the connection too.
    if (this.#isOpening) this.#ending.abort(leftEarly)
    await this.#chunks.return()
    this.#session.ended(this)
    return done
  }

  describe(): string {
    return (this.#holder ?? new Holder('stream', this.sql)).describe()
  }

  async end(error: unknown): Promise<void> {
    this.#ending.abort(error)
    await this.return()
  }

  readonly #abort = (): void => {
    const { reason } = this.#signal!
    this.end(reason).catch((later: unknown) => attachSuppressed(reason, later))
  }

  async *#read(): AsyncGenerator<unknown[], void> {
    const { signal } = this.#ending
    this.#signal?.addEventListener('abort', this.#abort, { once: true })
    let source: StreamSource | undefined
    let outcome: QueryOutcome = 'early'
    this.#traceStart()
    try {
      this.#signal?.throwIfAborted()
      this.#isOpening = true
      source = await this.#open(signal)
      this.#isOpening = false
      this.#engine.opened(this)
      if (this.#event !== undefined) this.#event.waitMs = performance.now() - this.#event.startMs
      yield* this.#chunksOf(source, signal)
      outcome = 'ok'
    } catch (error) {
      this.#wasTold ||= error === signal.reason
      outcome = 'error'
      if (this.#event !== undefined) this.#event.error = error
      throw error
    } finally {
      if (signal.aborted) outcome = 'aborted'
      this.#signal?.removeEventListener('abort', this.#abort)
      this.#engine.ended(this)
      try {
        source?.finish(outcome === 'ok' || outcome === 'early' ? 'kept' : 'undone')
      } finally {
        this.#session.ended(this)
        this.#traceEnd(outcome)
      }
    }
  }

  #traceStart(): void {
    if (!queryChannel.hasSubscribers) return
    this.#event = queryEvent(
      'stream',
      this.#session.source,
      this.#engine,
      this.sql,
      this.#parameters,
    )
    traceStreamStart(this.#event)
  }

  #traceEnd(outcome: QueryOutcome): void {
    const event = this.#event
    if (event === undefined) return
    event.outcome = outcome
    event.rows = this.#delivered
    traceStreamEnd(event, this.#spentMs)
  }

  async *#chunksOf(
    { engine, statement }: StreamSource,
    signal: AbortSignal,
  ): AsyncGenerator<unknown[], void> {
    const { queryTimeoutMs } = this.#engine.options
    let turn = performance.now()
    const rows = engine.iterate(statement, this.#parameters, this.#rows)
    try {
      for (let done = false; !done;) {
        const start = performance.now()
        if (start - turn > sliceMs) {
          await nextTurn()
          signal.throwIfAborted()
          turn = performance.now()
        }
        const chunk: unknown[] = []
        while (chunk.length < this.#chunkRows) {
          const row = rows.next()
          if (row === undefined) {
            done = true
            break
          }
          chunk.push(row)
          if ((chunk.length & 15) === 0 && performance.now() - turn > sliceMs) break
        }
        this.#spentMs += performance.now() - Math.max(start, turn)
        if (this.#event !== undefined && this.#delivered === 0)
          this.#event.firstRowMs = performance.now() - this.#event.startMs
        this.#delivered += chunk.length
        if (queryTimeoutMs !== undefined && this.#spentMs > queryTimeoutMs) {
          throw new QueryTimeoutError(
            `The stream spent ${Math.round(this.#spentMs)} ms in SQLite, more than queryTimeoutMs allows, and was ended after ` +
              `${this.#delivered} rows: ${excerpt(this.sql)}.`,
          )
        }
        if (chunk.length > 0) yield chunk
        signal.throwIfAborted()
      }
    } catch (error) {
      this.#session.failed(error)
      throw error
    } finally {
      rows.close()
    }
  }

  async #open(signal: AbortSignal): Promise<StreamSource> {
    const { sql } = this
    const owned = this.#session.owned()
    const check = (statement: PreparedStatement): void => this.#session.refuse(statement)
    if (owned !== undefined) {
      this.#isOwned = true
      owned.holder.lastSql = sql
      return sourceOnOwned(owned, { sql, check })
    }
    this.#holder = new Holder('stream', sql)
    const wanted = {
      engine: this.#engine,
      sql,
      parameters: this.#parameters,
      check,
      holder: this.#holder,
      opened: () => this.#engine.opened(this),
    }
    return this.#session.patience.during(sql, signal, (either) =>
      sourceOfItsOwn({ ...wanted, signal: either }),
    )
  }
}
