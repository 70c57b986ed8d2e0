/** Over 300 lines, being one subject: a stream from its opening, wherever that is, to its end, whatever that is. */
import {
  attachSuppressed,
  Holder,
  queryChannel,
  type QueryEvent,
  type QueryOutcome,
  traceStreamEnd,
  traceStreamStart,
} from '@keelson/core'
import type { StreamOptions } from '../contract.ts'
import type { Patience } from '../session/patience.ts'
import { type EventSource, queryEvent } from '../session/query-event.ts'
import { checkParameters, checkStreamOptions } from '../session/statement-options.ts'
import type { Endable } from '../session/lifetime.ts'
import { flag } from '../worker/protocol.ts'
import { Chunks } from './chunks.ts'
import { AskedOfThread } from './interest.ts'
import { errorOf } from './reply-error.ts'
import { orTerminated } from './stuck-threads.ts'
import { sendable } from './sendable.ts'
import type { Reply, Thread, Ticket } from './thread.ts'
import type { ThreadedEngine } from './threaded-engine.ts'
import type { OwnedThread } from './threaded-session.ts'

/** Chunks that the thread may make before they are asked for. */
const chunksAhead = 2

/** Why a stream ends whose consumer closes it while it still waits for a connection. */
const leftEarly = new DOMException('The stream was closed before it began.', 'AbortError')

const done: IteratorResult<unknown[], undefined> = Object.freeze({ done: true, value: undefined })

/** What a stream needs of the session it belongs to. */
export interface ThreadedStreamSession {
  readonly source: EventSource
  readonly patience: Patience
  /** The connection of the open transaction, if there is one. */
  owned(): OwnedThread | undefined
  /** What begins that transaction, if it was not begun. */
  takeBegin(): string | undefined
  /** Notes what a reply tells of the transaction. */
  replied(reply: Reply): Reply
  ended(stream: ThreadedStream): void
}

/** Where the rows come from. */
interface Source {
  readonly thread: Thread
  readonly ticket: Ticket
  readonly chunks: Chunks
  finish(outcome: 'kept' | 'undone'): Promise<void>
}

/** Rows in chunks that a thread makes, a few ahead. See `InlineStream` for how it ends. */
export class ThreadedStream implements AsyncIterableIterator<unknown[]>, Endable {
  readonly sql: string
  readonly #engine: ThreadedEngine
  readonly #session: ThreadedStreamSession
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
  /** Milliseconds spent in waiting for rows, without those of the consumer. */
  #spentMs = 0

  constructor(
    engine: ThreadedEngine,
    sql: string,
    parameters: readonly unknown[],
    options: StreamOptions,
    session: ThreadedStreamSession,
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
    let source: Source | undefined
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
      this.#isOpening = false
      if (signal.aborted) outcome = 'aborted'
      this.#signal?.removeEventListener('abort', this.#abort)
      this.#engine.ended(this)
      try {
        await source?.finish(outcome === 'ok' || outcome === 'early' ? 'kept' : 'undone')
      } finally {
        this.#session.ended(this)
        this.#traceEnd(outcome)
      }
    }
  }

  async *#chunksOf(
    { thread, ticket, chunks }: Source,
    signal: AbortSignal,
  ): AsyncGenerator<unknown[], void> {
    for (;;) {
      const start = performance.now()
      const chunk = await chunks.next()
      this.#spentMs += performance.now() - start
      if (chunk === undefined) return
      if (this.#event !== undefined && this.#delivered === 0)
        this.#event.firstRowMs = performance.now() - this.#event.startMs
      this.#delivered += chunk.length
      thread.more(ticket.id)
      if (chunk.length > 0) yield chunk
      signal.throwIfAborted()
    }
  }

  async #open(signal: AbortSignal): Promise<Source> {
    const { sql } = this
    const parameters = sendable(this.#parameters, sql)
    const owned = this.#session.owned()
    if (owned !== undefined) {
      this.#isOwned = true
      owned.holder.lastSql = sql
      return this.#start(owned.thread, parameters, flag.owned, this.#session.takeBegin(), () => {})
    }
    this.#holder = new Holder('stream', sql)
    return this.#session.patience.during(sql, signal, (either) =>
      this.#openByItself(parameters, this.#holder!, either),
    )
  }

  async #openByItself(
    parameters: readonly unknown[],
    holder: Holder,
    signal: AbortSignal,
  ): Promise<Source> {
    const { sql } = this
    const engine = this.#engine
    engine.assertOpen()
    const kind = engine.kinds.of(sql)
    if (kind.mayRead && !engine.isPrivate) {
      const lease = await engine.borrowReader(sql, signal)
      const release = once(() => lease.release())
      try {
        const { resource } = lease
        const mayGo = flag.mayGoElsewhere
        const source = await this.#start(resource, parameters, mayGo, undefined, release)
        if (!source.chunks.isElsewhere) return source
      } catch (error) {
        release()
        throw error
      }
      release()
    }
    await engine.gate.enter(holder, sql, signal)
    const leave = once(() => engine.gate.leave(holder))
    try {
      signal.throwIfAborted()
      engine.opened(this)
      return await this.#start(engine.writer, parameters, 0, undefined, leave)
    } catch (error) {
      leave()
      throw error
    }
  }

  /** @returns once it is known that there are rows, or that there will be none */
  async #start(
    thread: Thread,
    parameters: readonly unknown[],
    flags: number,
    begin: string | undefined,
    giveBack: () => void,
  ): Promise<Source> {
    const { sql } = this
    const isReader = (flags & flag.mayGoElsewhere) !== 0
    const chunks = new Chunks(this.#ending.signal)
    const ticket = thread.stream(
      sql,
      parameters,
      { as: this.#rows, flags, begin, chunkRows: this.#chunkRows },
      (rows) => chunks.add(rows as unknown[]),
    )
    for (let count = 0; count < chunksAhead; count++) thread.more(ticket.id)
    void ticket.reply.then((reply) => chunks.ended(this.#session.replied(reply), sql))
    const finish = async (outcome: 'kept' | 'undone'): Promise<void> => {
      try {
        if (thread.hasExited) return
        new AskedOfThread(thread, ticket, true).giveUp(leftEarly)
        const ended = thread.endStream(outcome).reply
        const reply = isReader ? await orTerminated(thread, ended) : await ended
        if (reply.kind === 'failed' && !chunks.isElsewhere) throw errorOf(reply, sql, false)
      } finally {
        giveBack()
      }
    }
    await chunks.known
    if (this.#ending.signal.aborted && !chunks.isElsewhere && !chunks.hasFailed) {
      await finish('undone')
      throw this.#ending.signal.reason
    }
    if (chunks.isElsewhere) {
      await thread.endStream('kept').reply
    } else if (chunks.hasFailed) {
      await thread.endStream('undone').reply
      throw chunks.error
    }
    return { thread, ticket, chunks, finish }
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
}

function once(run: () => void): () => void {
  let hasRun = false
  return () => {
    if (hasRun) return
    hasRun = true
    run()
  }
}
