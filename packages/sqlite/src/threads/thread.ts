/** Over 300 lines, being one subject: one thread, and what was asked of it. */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { settlesWithin } from '@keelson/core'
import type { ResolvedSqliteOptions } from '../options.ts'
import { packRun, unpackAnswers } from '../worker/packing.ts'
import {
  type Answer,
  answer,
  ask,
  type Begin,
  type ColumnarRows,
  type Effects,
  type ErrorPayload,
  type Layout,
  type Request,
  sharedBytes,
  slot,
  type TaskName,
  type ThreadSetup,
} from '../worker/protocol.ts'
import { RowFactory } from './row-factory.ts'

/** Texts of statements that a thread is reminded of by number; then it starts anew. */
const mostTexts = 2_000

/** A number from which on they begin anew, as soon as nothing is asked for. */
const highId = 2 ** 30

/** How long a thread may take to notice that it has to end, in milliseconds, before it is ended by force. */
const stepMs = 500

/** How a request has ended. */
export type Reply =
  | { readonly kind: 'rows'; readonly rows: unknown[]; readonly effects: Effects | undefined }
  | { readonly kind: 'value'; readonly value: unknown }
  | {
      readonly kind: 'failed'
      readonly error: ErrorPayload
      readonly hasEnded: boolean
      readonly isUnbegun: boolean
    }
  | { readonly kind: 'elsewhere' | 'cancelled' }
  /** The thread has ended; `hasBegun` tells whether it can have done anything. */
  | {
      readonly kind: 'exited'
      readonly cause: unknown
      readonly hasBegun: boolean
      /** What the database was closed with, if it was. */
      readonly closedBy: unknown
    }
  /** Nobody waits for it any more; `hasNotRun` where that is certain. */
  | { readonly kind: 'given up'; readonly reason: unknown; readonly hasNotRun?: boolean }

/** A request on its way. */
export interface Ticket {
  readonly id: number
  readonly reply: Promise<Reply>
}

export interface RunOptions {
  readonly flags: number
  readonly as: 'objects' | 'arrays'
  readonly begin?: Begin | undefined
  readonly timeoutMs?: number | undefined
}

interface Pending {
  readonly settle: (reply: Reply) => void
  readonly as: 'objects' | 'arrays'
  readonly textId: number
  readonly layouts: Map<number, RowFactory>
  rows: unknown[] | undefined
  /** How long the thread has worked on the parts that have come, in microseconds. */
  workedUs: number
  /** Told of what comes before the end. */
  readonly part: ((part: unknown) => void) | undefined
}

/** What the owner of a thread is told. */
export interface ThreadEvents {
  /** What the database was closed with, if it was. */
  readonly closedBy: () => unknown
  readonly ready?: () => void
  readonly privacy?: (isPrivate: boolean) => void
  /** A request has ended. */
  readonly settled?: () => void
  /** It has ended, asked to or not. */
  readonly exited?: (thread: Thread) => void
}

/** One thread with a connection to the database. */
export class Thread {
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #shared = new Int32Array(new SharedArrayBuffer(sharedBytes))
  readonly #events: ThreadEvents
  readonly #pending = new Map<number, Pending>()
  /** Requests whose callers have gone. What their answers tell of their statements is needed for the next ones. */
  readonly #givenUp = new Map<number, Pending>()
  /** What is sent next. */
  #batch: unknown[] | undefined
  #lastId = 0
  readonly #textIds = new Map<string, number>()
  #lastTextId = 0
  #lastStream = 0
  #layouts = new Map<number, RowFactory>()
  #taken = 0
  #silentSinceMs = 0
  #worked = 0
  #paceUs = 0
  #failure: unknown
  #isReady = false
  #hasExited = false
  #isClosing = false
  readonly #exited: Promise<void>

  constructor(
    path: string,
    isReader: boolean,
    options: ResolvedSqliteOptions,
    events: ThreadEvents,
  ) {
    this.#events = events
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const setup: ThreadSetup = {
      keelsonSqlite: true,
      path,
      isReader,
      options: connectionOptions(options),
      shared: this.#shared.buffer as SharedArrayBuffer,
      port: port2,
    }
    this.#worker = new Worker(new URL(options.worker ?? ownFile()), {
      workerData: setup,
      transferList: [port2],
      // With it Node runs no file: `node --input-type=module -e` would have no threads.
      ...(process.execArgv.some((each) => each.startsWith('--input-type')) && { execArgv: [] }),
      name: `keelson sqlite ${isReader ? 'reader' : 'writer'}`,
    })
    this.#worker.unref()
    port1.on('message', (batch: readonly unknown[]) => this.#receive(batch))
    // That the thread has ended is to be heard before the process does, by those who wait.
    port1.on('close', () => {
      if (this.#pending.size > 0) this.#worker.ref()
    })
    port1.unref()
    this.#worker.on('error', (error) => {
      this.#failure ??= error
    })
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#hasEnded()
        resolve()
      })
    })
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** Settles when it has ended. */
  get exited(): Promise<void> {
    return this.#exited
  }

  /** It does not answer any more. */
  get hasExited(): boolean {
    return this.#hasExited
  }

  /** Requests on their way, whether anybody waits for them or not. */
  get inFlight(): number {
    return this.#pending.size + this.#givenUp.size
  }

  /** How long it took for each of the requests that it has just answered, in microseconds. */
  get paceUs(): number {
    return this.#paceUs
  }

  /** Since when it is at work without an answer, by `performance.now()`. */
  get silentSinceMs(): number {
    return this.#silentSinceMs
  }

  /**
   * Runs a statement.
   *
   * @param settle told of the reply, never before this returns
   * @returns the request's number
   */
  start(
    sql: string,
    parameters: readonly unknown[],
    { flags, as, begin, timeoutMs }: RunOptions,
    settle: (reply: Reply) => void,
  ): number {
    const known = this.#textIds.get(sql)
    const textId = known ?? this.#newText(sql)
    const id = this.#register(as, textId, undefined, settle)
    const text = known === undefined ? sql : undefined
    if (id !== 0) this.#send([id, ask.run, textId, text, parameters, flags, begin, timeoutMs])
    return id
  }

  run(sql: string, parameters: readonly unknown[], options: RunOptions): Ticket {
    return ticketOf((settle) => this.start(sql, parameters, options, settle))
  }

  control(sql: string, begin?: Begin): Ticket {
    return this.#ask(undefined, (id) => [id, ask.control, sql, begin])
  }

  bulk(rows: ColumnarRows, begin: Begin | undefined): Ticket {
    return this.#ask(undefined, (id) => [id, ask.bulk, rows, begin])
  }

  task(name: TaskName, argument?: unknown, progress?: (value: unknown) => void): Ticket {
    return this.#ask(progress, (id) => [id, ask.task, name, argument])
  }

  /** @param part told of each chunk of rows */
  stream(
    sql: string,
    parameters: readonly unknown[],
    options: RunOptions & { readonly chunkRows: number },
    part: (rows: unknown) => void,
  ): Ticket {
    const { flags, as, begin, chunkRows } = options
    return ticketOf((settle) => {
      const id = this.#register(as, --this.#lastStream, part, settle)
      if (id !== 0) this.#send([id, ask.stream, sql, parameters, flags, chunkRows, begin])
      return id
    })
  }

  /** Asks for one more chunk of the open stream. */
  more(id: number): void {
    this.#send([id, ask.more])
  }

  endStream(outcome: 'kept' | 'undone'): Ticket {
    return this.#ask(undefined, (id) => [id, ask.endStream, outcome])
  }

  /** Nobody wants it any more. What has not begun will not, unless `hasBegun()` says so after this. */
  cancel(id: number): void {
    this.#send([id, ask.cancel])
    this.#flush()
  }

  /** Ends a request for its caller, whatever the thread does. */
  giveUp(id: number, reason: unknown): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#givenUp.set(id, pending)
    this.#settle(id, pending, { kind: 'given up', reason })
  }

  /** Whether the thread has begun with it, or is about to; its answer may be on its way. */
  hasBegun(id: number): boolean {
    return id <= Atomics.load(this.#shared, slot.runningTo)
  }

  /** Whether the thread is at work on it. */
  isRunning(id: number): boolean {
    const from = Atomics.load(this.#shared, slot.runningFrom)
    return from !== 0 && id >= from && id <= Atomics.load(this.#shared, slot.runningTo)
  }

  /** Forgets what was found out about the texts of statements. */
  forgetStatements(): void {
    if (this.#textIds.size > 0) this.#forgetTexts()
  }

  /** Ends once everything is done that was asked for. */
  close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true
      this.#worker.ref()
      this.#send([0, ask.close])
    }
    return this.#exited
  }

  /**
   * Ends it as soon as it can be ended, for its callers at once: SQLite is not interrupted within a step. By itself, so
   * that its connection is closed; by force where it does not look whether it has to.
   */
  async terminate(): Promise<void> {
    this.#isClosing = true
    // A process that ends while a thread loads better-sqlite3 would abort.
    this.#worker.ref()
    Atomics.store(this.#shared, slot.stop, 1)
    this.#ring()
    this.#hasEnded()
    if (!this.#isReady || (await settlesWithin(stepMs, this.#exited))) return this.#exited
    this.#worker.unref()
    await this.#worker.terminate()
  }

  #newText(sql: string): number {
    if (this.#textIds.size >= mostTexts) this.#forgetTexts()
    const textId = ++this.#lastTextId
    this.#textIds.set(sql, textId)
    return textId
  }

  #forgetTexts(): void {
    this.#textIds.clear()
    this.#layouts = new Map()
    this.#send([0, ask.forget])
  }

  #ask(part: Pending['part'], request: (id: number) => Request): Ticket {
    return ticketOf((settle) => {
      const id = this.#register('arrays', 0, part, settle)
      if (id !== 0) this.#send(request(id))
      return id
    })
  }

  /** @returns the number of a new request; 0 where the thread has ended */
  #register(
    as: 'objects' | 'arrays',
    textId: number,
    part: Pending['part'],
    settle: (reply: Reply) => void,
  ): number {
    if (this.#hasExited) {
      const reply = this.#exit(false)
      queueMicrotask(() => settle(reply))
      return 0
    }
    if (this.#pending.size === 0) {
      if (this.#lastId > highId && this.#givenUp.size === 0) {
        this.#lastId = 0
        Atomics.store(this.#shared, slot.runningTo, 0)
      }
      this.#port.ref()
      this.#silentSinceMs = performance.now()
    }
    const id = ++this.#lastId
    this.#pending.set(id, {
      settle,
      as,
      textId,
      layouts: this.#layouts,
      rows: undefined,
      workedUs: 0,
      part,
    })
    return id
  }

  #send(request: Request): void {
    if (this.#batch === undefined) {
      this.#batch = []
      queueMicrotask(this.#flush)
    }
    if (request[1] === ask.run) packRun(this.#batch, request)
    else this.#batch.push(request)
  }

  readonly #flush = (): void => {
    const batch = this.#batch
    if (batch === undefined) return
    this.#batch = undefined
    this.#port.postMessage(batch)
    this.#ring()
  }

  #ring(): void {
    Atomics.add(this.#shared, slot.bell, 1)
    // One that falls asleep now looks at the bell once more.
    if (Atomics.load(this.#shared, slot.sleeping) !== 0) Atomics.notify(this.#shared, slot.bell)
  }

  #receive(batch: readonly unknown[]): void {
    this.#silentSinceMs = performance.now()
    const worked = Atomics.load(this.#shared, slot.worked)
    this.#paceUs = ((worked - this.#worked) | 0) / (batch[0] as number)
    this.#worked = worked
    unpackAnswers(batch, this.#take)
  }

  readonly #take = (given: Answer): void => {
    const [id, kind] = given
    if (id === 0) {
      this.#takeNews(given)
      return
    }
    const pending = this.#pending.get(id)
    if (kind === answer.columns && given[7]) this.#acknowledge()
    if (pending === undefined) {
      this.#takeLate(given)
      return
    }
    switch (kind) {
      case answer.done:
        this.#settle(id, pending, { kind: 'rows', rows: [], effects: given[2] })
        break
      case answer.flat: {
        const [, , values, count, layout, effects] = given
        const rows = this.#factory(pending, layout).fromFlat(values, count, pending.as)
        this.#settle(id, pending, { kind: 'rows', rows, effects })
        break
      }
      case answer.columns: {
        const [, , columns, count, layout, effects, hasMore] = given
        const factory = this.#factory(pending, layout)
        if (pending.part !== undefined) {
          pending.part(factory.fromColumns(columns, count, pending.as, []))
          if (!hasMore) this.#settle(id, pending, { kind: 'rows', rows: [], effects })
          break
        }
        const rows = factory.fromColumns(columns, count, pending.as, (pending.rows ??= []))
        pending.workedUs += this.#paceUs
        if (!hasMore) this.#paceUs = pending.workedUs
        if (!hasMore) this.#settle(id, pending, { kind: 'rows', rows, effects })
        break
      }
      case answer.failed:
        this.#settle(id, pending, {
          kind: 'failed',
          error: given[2],
          hasEnded: given[3],
          isUnbegun: given[4],
        })
        break
      case answer.elsewhere:
        this.#settle(id, pending, { kind: 'elsewhere' })
        break
      case answer.cancelled:
        this.#settle(id, pending, { kind: 'cancelled' })
        break
      case answer.value:
        this.#settle(id, pending, { kind: 'value', value: given[2] })
        break
      case answer.progress:
        pending.part?.(given[2])
        break
    }
  }

  /** What is left of an answer that nobody waits for. */
  #takeLate(given: Answer): void {
    const [id, kind] = given
    const pending = this.#givenUp.get(id)
    if (pending === undefined || kind === answer.progress) return
    // A stream has its layout for itself, and is over.
    const isKept = pending.textId > 0 && (kind === answer.flat || kind === answer.columns)
    if (isKept) this.#noteLayout(pending, given[4])
    if (kind === answer.columns && given[6]) return
    this.#givenUp.delete(id)
    this.#events.settled?.()
  }

  #takeNews(given: Answer): void {
    if (given[1] === answer.ready) {
      this.#isReady = true
      this.#events.ready?.()
    } else if (given[1] === answer.privacy) this.#events.privacy?.(given[2] as boolean)
    else if (given[1] === answer.failed) this.#failure ??= given[2]
  }

  /** The rest of a large result may come; only after a turn, so that the event loop gets its own. */
  #acknowledge(): void {
    if (this.#taken++ === 0)
      setImmediate(() => {
        Atomics.add(this.#shared, slot.taken, this.#taken)
        Atomics.notify(this.#shared, slot.taken)
        this.#taken = 0
      })
  }

  #factory(pending: Pending, layout: Layout | undefined): RowFactory {
    this.#noteLayout(pending, layout)
    return pending.layouts.get(pending.textId)!
  }

  #noteLayout({ layouts, textId }: Pending, layout: Layout | undefined): void {
    if (layout !== undefined) layouts.set(textId, new RowFactory(layout.names))
  }

  #settle(id: number, pending: Pending, reply: Reply): void {
    this.#pending.delete(id)
    if (pending.textId < 0) pending.layouts.delete(pending.textId)
    if (this.#pending.size === 0) this.#port.unref()
    pending.settle(reply)
    this.#events.settled?.()
  }

  #exit(hasBegun: boolean): Reply {
    return { kind: 'exited', cause: this.#failure, hasBegun, closedBy: this.#events.closedBy() }
  }

  #hasEnded(): void {
    if (this.#hasExited) return
    this.#hasExited = true
    this.#port.close()
    const waiting = [...this.#pending]
    this.#pending.clear()
    this.#givenUp.clear()
    const lastBegun = Atomics.load(this.#shared, slot.runningTo)
    for (const [id, { settle }] of waiting) settle(this.#exit(id <= lastBegun))
    this.#events.exited?.(this)
  }
}

function ticketOf(start: (settle: (reply: Reply) => void) => number): Ticket {
  let id = 0
  const reply = new Promise<Reply>((settle) => {
    id = start(settle)
  })
  return { id, reply }
}

/** In the source this is TypeScript, which Node runs as it is. */
function ownFile(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new URL(`../worker/main.${extension}`, import.meta.url).href
}

function connectionOptions(options: ResolvedSqliteOptions): ThreadSetup['options'] {
  const { readOnly, busyTimeoutMs, synchronous, foreignKeys, statementCacheSize, int64 } = options
  const { pragmas, maxRows, connectionModule, queryTimeoutMs } = options
  return {
    readOnly,
    busyTimeoutMs,
    synchronous,
    foreignKeys,
    statementCacheSize,
    int64,
    pragmas: { ...pragmas },
    maxRows,
    connectionModule,
    queryTimeoutMs,
  }
}
