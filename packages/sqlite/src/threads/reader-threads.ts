import { settlesWithin } from '@keelson/core'
import type { Asked } from './interest.ts'
import { Read } from './read.ts'
import { closeBy } from './close-by.ts'
import type { StatementKind } from '../statement/statement-kinds.ts'
import type { Reply, RunOptions, Thread } from './thread.ts'

/** Requests on their way to one thread; more wait here, where they can go to whichever is free first. */
const depth = 16

/** How long a thread may run on with what nobody wants any more, in milliseconds, before another takes its place. */
const patienceMs = 100

/** After how long without an answer others take over what waits behind a statement, in milliseconds. */
const shareMs = 5

/**
 * A thread that is awake takes this much more, in microseconds as far as is known, before another one is woken: that takes
 * longer than most statements.
 */
const togetherUs = 500

/** What one thread has to do. */
interface Load {
  readonly reads: Set<Read>
  us: number
}

/** The threads that ordinary reads are spread over; each serves many at a time. */
export class ReaderThreads {
  readonly #max: number
  readonly #open: (exited: (thread: Thread) => void, changed: () => void) => Thread
  readonly #threads: Thread[] = []
  readonly #loads = new Map<Thread, Load>()
  readonly #waiting: Read[] = []
  /** Threads that are stuck in one step of a statement that nobody wants any more. */
  readonly #stuck = new Set<Thread>()
  readonly #closedBy: () => unknown
  #shareTimer: NodeJS.Timeout | undefined
  #isPaused = false
  #isClosed = false
  /** Who waits, and for what: a pause and a close may do so at the same time. */
  readonly #awaited = new Map<() => void, () => boolean>()

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

  run(
    sql: string,
    parameters: readonly unknown[],
    options: RunOptions,
    kind: StatementKind,
  ): Asked {
    const read = new Read(sql, parameters, options, kind, this.#giveUp)
    if (this.#waiting.length > 0 || !this.#start(read)) this.#waiting.push(read)
    return read
  }

  /** Forgets what threads have found out about statements. */
  forgetStatements(): void {
    for (const thread of this.#threads) thread.forgetStatements()
  }

  /** Holds reads back while `work` runs, once those on their way are done, or `patienceMs` are over. */
  async paused<T>(waitMs: number, work: () => Promise<T>): Promise<T> {
    this.#isPaused = true
    try {
      await this.#until(() => this.#isQuiet, waitMs)
      return await work()
    } finally {
      this.#isPaused = false
      this.#pump()
    }
  }

  async #until(isSo: () => boolean, waitMs: number): Promise<void> {
    if (isSo()) return
    let tell!: () => void
    const told = new Promise<void>((resolve) => {
      tell = resolve
    })
    this.#awaited.set(tell, isSo)
    await settlesWithin(waitMs, told)
    this.#awaited.delete(tell)
  }

  /** Ends them once what was asked for is done, or by force at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    const start = performance.now()
    await this.#until(() => this.#isQuiet && this.#waiting.length === 0, deadlineMs)
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

  /** Nothing is on its way; reads may be held back. */
  get #isQuiet(): boolean {
    return this.#threads.every(({ inFlight }) => inFlight === 0)
  }

  #start(read: Read): boolean {
    if (this.#isPaused || this.#isClosed) return false
    const thread = this.#pick(read)
    if (thread === undefined) return false
    this.#send(read, thread)
    return true
  }

  #send(read: Read, thread: Thread): void {
    const load = this.#loads.get(thread)
    const turn = ++read.turn
    read.thread = thread
    read.costUs = read.expectedUs
    load?.reads.add(read)
    if (load !== undefined) load.us += read.costUs
    read.id = thread.start(read.sql, read.parameters, read.options, (reply) => {
      if (read.turn !== turn) return
      this.#release(read, load)
      // It had begun when another thread was to take it over, and was told so all the same.
      if (reply.kind === 'cancelled') return this.#again(read)
      if (reply.kind === 'rows') read.took(thread.paceUs)
      read.settle(reply)
    })
  }

  #again(read: Read): void {
    read.thread = undefined
    this.#waiting.unshift(read)
    this.#pump()
  }

  /** It is this thread's no more. */
  #release(read: Read, load: Load | undefined): void {
    if (load?.reads.delete(read) === true) load.us -= read.costUs
  }

  /** The first one that is done soon, also with this; else the one that has least to do. */
  #pick(read: Read): Thread | undefined {
    const { expectedUs } = read
    let best: Thread | undefined
    for (const thread of this.#threads) {
      if (this.#isSoonDone(thread, expectedUs)) return thread
      if (best === undefined || rank(thread) < rank(best)) best = thread
    }
    if ((best === undefined || best.inFlight > 0) && this.#threads.length < this.#max)
      best = this.#add()
    return best !== undefined && best.inFlight < depth ? best : undefined
  }

  #isSoonDone(thread: Thread, costUs: number): boolean {
    const { reads, us } = this.#loads.get(thread)!
    if (!thread.isReady || us + costUs > togetherUs) return false
    if (thread.inFlight === 0) return true
    // Nothing that was given up runs on, and nothing takes longer than it did before.
    return thread.inFlight === reads.size && performance.now() - thread.silentSinceMs < shareMs
  }

  #add(): Thread {
    const thread = this.#open(
      (exited) => this.#exited(exited),
      () => this.#pump(),
    )
    this.#threads.push(thread)
    this.#loads.set(thread, { reads: new Set(), us: 0 })
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
      if (thread.inFlight < 2 || now - thread.silentSinceMs < shareMs) continue
      const load = this.#loads.get(thread)!
      for (const read of load.reads) {
        const { id } = read
        if (thread.hasBegun(id)) continue
        thread.cancel(id)
        // It may have begun in this moment; then its answer counts.
        if (thread.hasBegun(id)) continue
        this.#release(read, load)
        this.#send(read, idle)
        thread.giveUp(id, undefined)
      }
    }
    this.#share()
  }

  #pump(): void {
    this.#share()
    while (this.#waiting.length > 0 && !this.#isPaused && !this.#isClosed) {
      const thread = this.#pick(this.#waiting[0]!)
      if (thread === undefined) break
      this.#send(this.#waiting.shift()!, thread)
    }
    if (this.#awaited.size > 0) for (const [tell, isSo] of this.#awaited) if (isSo()) tell()
    for (const thread of this.#stuck) if (thread.inFlight === 0) this.#retire(thread)
  }

  readonly #giveUp = (read: Read, reason: unknown): void => {
    read.reason = reason
    const { thread, id } = read
    if (thread === undefined) {
      const at = this.#waiting.indexOf(read)
      if (at !== -1) this.#waiting.splice(at, 1)
      read.settle({ kind: 'given up', reason })
      return
    }
    thread.cancel(id)
    if (thread.isRunning(id))
      setTimeout(() => {
        if (thread.isRunning(id)) this.#replace(thread)
      }, patienceMs).unref()
    thread.giveUp(id, reason)
  }

  /** Nothing interrupts SQLite within a step: another thread takes over what this one was to do next. */
  #replace(thread: Thread): void {
    const at = this.#threads.indexOf(thread)
    // So many, and no more: each holds a connection, and a core.
    if (at === -1 || this.#stuck.size >= this.#max) return
    this.#threads.splice(at, 1)
    this.#stuck.add(thread)
    for (const read of this.#loads.get(thread)!.reads) {
      thread.cancel(read.id)
      read.thread = undefined
      read.turn++
      this.#waiting.unshift(read)
    }
    this.#pump()
  }

  #retire(thread: Thread): void {
    this.#stuck.delete(thread)
    this.#loads.delete(thread)
    void thread.close()
  }

  #exited(thread: Thread): void {
    this.#stuck.delete(thread)
    this.#loads.delete(thread)
    const at = this.#threads.indexOf(thread)
    if (at !== -1) this.#threads.splice(at, 1)
    this.#pump()
  }
}

/** The least busy one, and among those that are not, one that has begun. */
function rank({ inFlight, isReady }: Thread): number {
  return inFlight + (isReady ? 0 : 0.5)
}
