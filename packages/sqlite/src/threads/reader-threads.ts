import { settlesWithin } from '@keelson/core'
import type { Asked } from './interest.ts'
import type { Reply, RunOptions, Thread, Ticket } from './thread.ts'

/** Requests on their way to one thread; more wait here, where they can go to whichever is free first. */
const depth = 16

/** How long a thread may run on with what nobody wants any more, in milliseconds, before another takes its place. */
const patienceMs = 100

/** After how long without an answer others take over what waits behind a statement, in milliseconds. */
const shareMs = 5

interface Read {
  readonly sql: string
  readonly parameters: readonly unknown[]
  readonly options: RunOptions
  readonly settle: (reply: Reply) => void
  thread: Thread | undefined
  ticket: Ticket | undefined
  /** Why nobody wants it any more. */
  reason: unknown
}

/** The threads that ordinary reads are spread over; each serves many at a time. */
export class ReaderThreads {
  readonly #max: number
  readonly #open: (exited: (thread: Thread) => void, changed: () => void) => Thread
  readonly #threads: Thread[] = []
  readonly #reads = new Map<Thread, Set<Read>>()
  readonly #waiting: Read[] = []
  /** Threads that are stuck in one step of a statement that nobody wants any more. */
  readonly #stuck = new Set<Thread>()
  readonly #closedBy: () => unknown
  #shareTimer: NodeJS.Timeout | undefined
  #isPaused = false
  #isClosed = false
  #whenIdle: (() => void) | undefined

  /** @param open makes a thread, whose events are told to the callbacks */
  constructor(
    max: number,
    open: (exited: (thread: Thread) => void, changed: () => void) => Thread,
    closedBy: () => unknown,
  ) {
    this.#max = max
    this.#open = open
    this.#closedBy = closedBy
  }

  run(sql: string, parameters: readonly unknown[], options: RunOptions): Asked {
    let settle!: (reply: Reply) => void
    const reply = new Promise<Reply>((resolve) => {
      settle = resolve
    })
    const read: Read = {
      sql,
      parameters,
      options,
      settle,
      thread: undefined,
      ticket: undefined,
      reason: undefined,
    }
    if (this.#waiting.length > 0 || !this.#start(read)) this.#waiting.push(read)
    return {
      reply,
      get reason() {
        return read.reason
      },
      get hasBegun() {
        return read.ticket !== undefined && read.thread!.hasBegun(read.ticket.id)
      },
      get isRunning() {
        return read.ticket !== undefined && read.thread!.isRunning(read.ticket.id)
      },
      giveUp: (reason) => this.#giveUp(read, reason),
      abandon: (reason) => void this.#giveUp(read, reason),
    }
  }

  /** Forgets what threads have found out about statements. */
  forgetStatements(): void {
    for (const thread of this.#threads) thread.forgetStatements()
  }

  /** Holds reads back while `work` runs, once those on their way are done, or `patienceMs` are over. */
  async paused<T>(waitMs: number, work: () => Promise<T>): Promise<T> {
    this.#isPaused = true
    try {
      await this.#idle(waitMs)
      return await work()
    } finally {
      this.#isPaused = false
      this.#pump()
    }
  }

  async #idle(waitMs: number): Promise<void> {
    if (this.#isIdle) return
    await settlesWithin(waitMs, new Promise<void>((resolve) => (this.#whenIdle = resolve)))
    this.#whenIdle = undefined
  }

  /** Ends them once what was asked for is done, or by force at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    const start = performance.now()
    await this.#idle(deadlineMs)
    this.#isClosed = true
    clearTimeout(this.#shareTimer)
    const reply: Reply = {
      kind: 'exited',
      cause: undefined,
      hasBegun: false,
      closedBy: this.#closedBy(),
    }
    for (const read of this.#waiting.splice(0)) read.settle(reply)
    const left = Math.max(0, deadlineMs - (performance.now() - start))
    const ends = this.#threads.splice(0).map((thread) => closeBy(thread, Math.max(left, 50)))
    // Those that are stuck end as soon as they can be ended.
    await Promise.all([...ends, ...[...this.#stuck].map((thread) => closeBy(thread, 0))])
  }

  /** Nothing is on its way; while reads are held back, they do not count. */
  get #isIdle(): boolean {
    if (this.#threads.some(({ inFlight }) => inFlight > 0)) return false
    return this.#isPaused || this.#waiting.length === 0
  }

  #start(read: Read): boolean {
    if (this.#isPaused || this.#isClosed) return false
    const thread = this.#pick()
    if (thread === undefined) return false
    this.#send(read, thread)
    return true
  }

  #send(read: Read, thread: Thread): void {
    const ticket = thread.run(read.sql, read.parameters, read.options)
    read.thread = thread
    read.ticket = ticket
    const reads = this.#reads.get(thread)
    reads?.add(read)
    void ticket.reply.then((reply) => {
      reads?.delete(read)
      // Meanwhile it may have been sent to another one.
      if (read.ticket === ticket) read.settle(reply)
    })
  }

  #pick(): Thread | undefined {
    let best: Thread | undefined
    for (const thread of this.#threads)
      if (best === undefined || rank(thread) < rank(best)) best = thread
    if ((best === undefined || best.inFlight > 0) && this.#threads.length < this.#max)
      best = this.#add()
    return best !== undefined && best.inFlight < depth ? best : undefined
  }

  #add(): Thread {
    const thread = this.#open(
      (exited) => this.#exited(exited),
      () => this.#pump(),
    )
    this.#threads.push(thread)
    this.#reads.set(thread, new Set())
    return thread
  }

  /**
   * Takes from a thread that is at work on something long what waits behind it, once another one has nothing to do. What
   * is short is over before this is looked at.
   */
  #share(): void {
    if (this.#shareTimer !== undefined || this.#threads.length < 2) return
    if (!this.#threads.some(({ inFlight }) => inFlight > 1)) return
    this.#shareTimer = setTimeout(() => {
      this.#shareTimer = undefined
      this.#takeOver()
    }, shareMs).unref()
  }

  #takeOver(): void {
    const idle = this.#threads.find(({ inFlight }) => inFlight === 0)
    if (idle === undefined) return
    const now = performance.now()
    for (const thread of this.#threads) {
      if (thread.inFlight < 2 || now - thread.lastHeardMs < shareMs) continue
      for (const read of this.#reads.get(thread)!) {
        const { id } = read.ticket!
        if (thread.hasBegun(id)) continue
        thread.cancel(id)
        // It may have begun in this moment; then its answer counts.
        if (thread.hasBegun(id)) continue
        thread.giveUp(id, undefined)
        this.#send(read, idle)
      }
    }
    this.#share()
  }

  #pump(): void {
    this.#share()
    while (this.#waiting.length > 0 && !this.#isPaused && !this.#isClosed) {
      const thread = this.#pick()
      if (thread === undefined) break
      this.#send(this.#waiting.shift()!, thread)
    }
    if (this.#whenIdle !== undefined && this.#isIdle) this.#whenIdle()
    for (const thread of this.#stuck) if (thread.inFlight === 0) this.#retire(thread)
  }

  #giveUp(read: Read, reason: unknown): true {
    read.reason = reason
    const { thread, ticket } = read
    if (thread === undefined || ticket === undefined) {
      const at = this.#waiting.indexOf(read)
      if (at !== -1) this.#waiting.splice(at, 1)
      read.settle({ kind: 'given up', reason })
      return true
    }
    thread.cancel(ticket.id)
    if (thread.isRunning(ticket.id))
      setTimeout(() => {
        if (thread.isRunning(ticket.id)) this.#replace(thread)
      }, patienceMs).unref()
    thread.giveUp(ticket.id, reason)
    return true
  }

  /** Nothing interrupts SQLite within a step: another thread takes over what this one was to do next. */
  #replace(thread: Thread): void {
    const at = this.#threads.indexOf(thread)
    // So many, and no more: each holds a connection, and a core.
    if (at === -1 || this.#stuck.size >= this.#max) return
    this.#threads.splice(at, 1)
    this.#stuck.add(thread)
    for (const read of this.#reads.get(thread)!) {
      thread.cancel(read.ticket!.id)
      read.ticket = undefined
      read.thread = undefined
      this.#waiting.unshift(read)
    }
    this.#pump()
  }

  #retire(thread: Thread): void {
    this.#stuck.delete(thread)
    this.#reads.delete(thread)
    void thread.close()
  }

  #exited(thread: Thread): void {
    this.#stuck.delete(thread)
    this.#reads.delete(thread)
    const at = this.#threads.indexOf(thread)
    if (at !== -1) this.#threads.splice(at, 1)
    this.#pump()
  }
}

/** The least busy one, and among those that are not, one that has begun. */
function rank({ inFlight, isReady }: Thread): number {
  return inFlight + (isReady ? 0 : 0.5)
}

/** How long is waited for a thread that was told to end, in milliseconds: within a step of SQLite it does not hear. */
const terminationMs = 1_000

/** The same for one that has not begun, which ends by itself. */
const beginningMs = 10_000

/** Ends a thread, by force where it does not end by itself. */
export async function closeBy(thread: Thread, deadlineMs: number): Promise<boolean> {
  if (await settlesWithin(deadlineMs, thread.close())) return true
  const { isReady } = thread
  await settlesWithin(isReady ? terminationMs : beginningMs, thread.terminate())
  return !isReady
}
