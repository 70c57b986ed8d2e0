import { Holder } from '@keelson/core'
import type { StreamOptions } from '../contract.ts'
import { leftEarly, type RowSource, RowStream, type StreamSession } from '../session/row-stream.ts'
import type { StatementKind } from '../statement/statement-kinds.ts'
import { type Begin, flag } from '../worker/protocol.ts'
import { Chunks } from './chunks.ts'
import { AskedOfThread, whileInteresting } from './interest.ts'
import { errorOf } from './reply-error.ts'
import { sendable } from './sendable.ts'
import { orTerminated } from './stuck-threads.ts'
import type { Reply, Thread, Ticket } from './thread.ts'
import { askRoute, isOfWriter, noteRoute } from './threaded-autocommit.ts'
import type { ThreadedEngine } from './threaded-engine.ts'
import type { OwnedThread } from './threaded-session.ts'

/** Chunks that the thread may make before they are asked for. */
const chunksAhead = 2

/** What a stream needs of the session it belongs to. */
export interface ThreadedStreamSession extends StreamSession {
  /** The connection of the open transaction, if there is one. */
  owned(): OwnedThread | undefined
  /** What begins that transaction, if it may not have been begun. */
  takeBegin(): Begin | undefined
  /** Notes what a reply tells of the transaction. */
  replied(reply: Reply): Reply
}

/** Where the rows come from. */
interface Source extends RowSource {
  readonly thread: Thread
  readonly ticket: Ticket
  readonly chunks: Chunks
}

/** See `RowStream`; a thread makes the chunks, a few ahead. Waiting for them counts as time in SQLite. */
export class ThreadedStream extends RowStream<Source> {
  readonly #engine: ThreadedEngine
  readonly #session: ThreadedStreamSession

  constructor(
    engine: ThreadedEngine,
    sql: string,
    parameters: readonly unknown[],
    options: StreamOptions,
    session: ThreadedStreamSession,
  ) {
    super(engine, sql, parameters, options, session)
    this.#engine = engine
    this.#session = session
  }

  protected override async *chunksOf(
    { thread, ticket, chunks }: Source,
    signal: AbortSignal,
  ): AsyncGenerator<unknown[], void> {
    for (;;) {
      const start = performance.now()
      const chunk = await chunks.next()
      this.spentMs += performance.now() - start
      if (chunk === undefined) return
      this.delivers(chunk.length)
      thread.more(ticket.id)
      if (chunk.length > 0) yield chunk
      signal.throwIfAborted()
    }
  }

  protected override async open(signal: AbortSignal): Promise<Source> {
    const { sql } = this
    const parameters = sendable(this.parameters, sql)
    const owned = this.#session.owned()
    if (owned !== undefined) {
      this.runsOn(owned.holder)
      return this.#start(owned.thread, parameters, flag.owned, this.#session.takeBegin(), () => {})
    }
    this.holder = new Holder('stream', sql)
    return this.#session.patience.during(sql, signal, (either) =>
      this.#openByItself(parameters, this.holder!, either),
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
    if (kind.mayRead && !(await this.#isOfWriter(kind, parameters, signal))) {
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

  async #isOfWriter(
    kind: StatementKind,
    parameters: readonly unknown[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { sql } = this
    const engine = this.#engine
    const { generation } = engine
    if (kind.route?.generation === generation) return isOfWriter(kind)
    if (!engine.isPrivate) return false
    kind.route = undefined
    const asking = askRoute(engine, sql, parameters)
    const reply = noteRoute(
      kind,
      generation,
      await whileInteresting(asking, sql, signal, undefined),
    )
    if (reply !== undefined) throw errorOf(reply, sql, true)
    return isOfWriter(kind)
  }

  /** @returns once it is known that there are rows, or that there will be none */
  async #start(
    thread: Thread,
    parameters: readonly unknown[],
    flags: number,
    begin: Begin | undefined,
    giveBack: () => void,
  ): Promise<Source> {
    const { sql } = this
    const isReader = (flags & flag.mayGoElsewhere) !== 0
    const chunks = new Chunks(this.ending.signal)
    const ticket = thread.stream(
      sql,
      parameters,
      { as: this.rows, flags, begin, chunkRows: this.chunkRows },
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
    if (this.ending.signal.aborted && !chunks.isElsewhere && !chunks.hasFailed) {
      await finish('undone')
      throw this.ending.signal.reason
    }
    if (chunks.isElsewhere) {
      await thread.endStream('kept').reply
    } else if (chunks.hasFailed) {
      await thread.endStream('undone').reply
      throw chunks.error
    }
    return { thread, ticket, chunks, finish }
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
