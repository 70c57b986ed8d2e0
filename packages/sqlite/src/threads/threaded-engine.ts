import { existsSync } from 'node:fs'
import { Holder, type Lease, Pool, settlesWithin } from '@keelson/core'
import { borrowFrom, readersSettings } from '../session/borrow-reader.ts'
import { WriteGate } from '../session/write-gate.ts'
import { DatabaseLifetime } from '../session/lifetime.ts'
import { connect } from '../connection/connect.ts'
import type { ResolvedSqliteOptions } from '../options.ts'
import type { TaskName } from '../worker/protocol.ts'
import { Checkpoints } from './checkpoints.ts'
import { closeBy } from './close-by.ts'
import { ReaderThreads } from './reader-threads.ts'
import { errorOf } from './reply-error.ts'
import { StatementKinds } from '../statement/statement-kinds.ts'
import { Thread, type ThreadEvents } from './thread.ts'

/**
 * The threads of one database: one that writes, behind a gate, some that ordinary reads are spread over, and as many for
 * streams and read-only transactions, which have one for themselves.
 */
export class ThreadedEngine extends DatabaseLifetime {
  readonly options: ResolvedSqliteOptions
  readonly gate: WriteGate
  readonly kinds: StatementKinds
  readonly readers: ReaderThreads
  readonly #pinned: Pool<Thread>
  readonly #checkpoints: Checkpoints
  /** All that have not ended. */
  readonly #threads = new Set<Thread>()
  #writer: Thread | undefined
  /** Whether the connection that writes has something that reads may mean and others do not have. */
  #isPrivate = false
  #generation = 0
  #lastTransaction = 0

  constructor(path: string, options: ResolvedSqliteOptions) {
    super(path)
    this.options = options
    this.gate = new WriteGate(options.busyTimeoutMs)
    this.kinds = new StatementKinds(options.statementCacheSize * 4)
    const closedBy = (): unknown => this.closedError
    this.readers = new ReaderThreads(
      options.readers,
      (exited, settled) => this.#newThread(true, { exited, settled, ready: settled }),
      closedBy,
    )
    this.#pinned = new Pool<Thread>({
      ...readersSettings(path, options),
      create: () => this.#newThread(true, {}),
      destroy: async (thread) => void (await closeBy(thread, closeMs)),
      validate: (thread) => !thread.hasExited,
    })
    this.#checkpoints = new Checkpoints(this)
    if (!options.readOnly) this.#openWriter()
  }

  /** The thread that writes; a new one where the last has ended. */
  get writer(): Thread {
    return this.#writer === undefined || this.#writer.hasExited ? this.#openWriter() : this.#writer
  }

  get isPrivate(): boolean {
    return this.#isPrivate
  }

  /** Changes with what the names in a statement may mean. */
  get generation(): number {
    return this.#generation
  }

  #openWriter(): Thread {
    this.#generation++
    this.#isPrivate = false
    this.#writer = this.#newThread(false, {
      privacy: (isPrivate) => {
        this.#isPrivate = isPrivate
        this.#generation++
      },
    })
    return this.#writer
  }

  #newThread(isReader: boolean, events: Omit<ThreadEvents, 'closedBy'>): Thread {
    const thread = new Thread(this.path, isReader, this.options, {
      ...events,
      closedBy: () => this.closedError,
    })
    this.#threads.add(thread)
    void thread.exited.then(() => this.#threads.delete(thread))
    return thread
  }

  /** A number that no other transaction has. */
  newTransaction(): number {
    return ++this.#lastTransaction
  }

  /** A statement has defined something anew, or may have. */
  definitionsChanged(): void {
    this.#generation++
    this.readers.forgetStatements()
  }

  /** Something was written. */
  wrote(): void {
    this.#checkpoints.count()
  }

  /**
   * A thread for one alone, as soon as there is one.
   *
   * @param purpose what it is for, for the error message of others
   * @throws {ConnectionBusyError} after `busyTimeoutMs`, naming what has them all
   */
  async borrowReader(purpose: string, signal?: AbortSignal): Promise<Lease<Thread>> {
    return borrowFrom(this.#pinned, this.options, purpose, signal)
  }

  /** Does a piece of maintenance in its turn on the thread that writes. */
  async exclusively<T>(what: string, name: TaskName, argument?: unknown): Promise<T> {
    this.assertOpen()
    const holder = new Holder('maintenance', what)
    await this.gate.enter(holder, what)
    try {
      this.assertOpen()
      return await this.task<T>(this.writer, what, name, argument)
    } finally {
      this.gate.leave(holder)
    }
  }

  /** Empties the write-ahead log, as far as nobody reads from it. */
  async checkpoint(): Promise<void> {
    await this.exclusively('pragma wal_checkpoint(truncate)', 'checkpoint')
  }

  /** Does a check on a thread that reads. */
  async reading<T>(what: string, name: TaskName): Promise<T> {
    this.assertOpen()
    return this.untilClosed(new AbortController(), async (signal) => {
      const lease = await this.borrowReader(what, signal)
      try {
        return await this.task<T>(lease.resource, what, name)
      } finally {
        lease.release()
      }
    })
  }

  async task<T>(thread: Thread, what: string, name: TaskName, argument?: unknown): Promise<T> {
    const reply = await thread.task(name, argument).reply
    if (reply.kind === 'value') return reply.value as T
    throw errorOf(reply, what, false)
  }

  /** Refreshes the planner's statistics where they are out of date, if there is time for it. */
  async optimize(deadline: number): Promise<void> {
    const writer = this.#writer
    if (writer === undefined || writer.hasExited) return
    const leftMs = Math.max(0, deadline - performance.now())
    // Where another process is writing, or the disk is full, the statistics stay as they were.
    await settlesWithin(leftMs, writer.task('optimize').reply)
  }

  /** Ends every thread, by force where it does not end until then. @returns what was ended so */
  async closeThreads(deadline: number): Promise<string[]> {
    const left = (): number => Math.max(closeMs, deadline - performance.now())
    const writer = this.#writer
    this.#writer = undefined
    // The last connection to close copies the log into the file, and only one that writes can.
    await Promise.all([this.readers.close(left()), this.#pinned.close({ deadlineMs: left() })])
    const inTime = writer === undefined || (await closeBy(writer, left()))
    await Promise.all(Array.from(this.#threads, (thread) => closeBy(thread, 0)))
    if (!inTime) return ['a statement that the thread that writes was still running']
    if (!this.options.readOnly && existsSync(`${this.path}-wal`)) this.#closeFile()
    return []
  }

  /** After a thread that has ended by itself. */
  #closeFile(): void {
    try {
      connect(this.path, this.options, false).database.close()
    } catch {
      // Another process has it, and will do so.
    }
  }
}

/** How long a thread may take to close its connection, in milliseconds. */
const closeMs = 250
