/** Over 300 lines, being one subject: what a thread does with each kind of request. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { StatementEngine } from '../statement/statement-engine.ts'
import { isPragma } from '../statement/verb.ts'
import { Answers } from './answers.ts'
import { answering, hasBegun, runCommand, tellFailure, whileWanted } from './answering.ts'
import { Costs } from './costs.ts'
import { runBackup } from './backup-job.ts'
import { runColumns } from './bulk-job.ts'
import { payloadOf } from './error-payload.ts'
import { GroupCommit } from './group-commit.ts'
import { Inbox } from './inbox.ts'
import { KnownLayouts } from './known-layouts.ts'
import { Privacy } from './privacy.ts'
import {
  answer,
  ask,
  type BulkRequest,
  type ControlRequest,
  flag,
  nothing,
  type Request,
  type RunRequest,
  type StreamRequest,
  type TaskRequest,
  type ThreadSetup,
} from './protocol.ts'
import { type RunnerParts, StatementRunner } from './statement-runner.ts'
import { StreamJob } from './stream-job.ts'
import { Tasks } from './tasks.ts'
import { Texts } from './texts.ts'

/** Node collects prepared statements that nobody has any more only in a turn of the event loop. */
const batchesPerTurn = 200

/** How long the thread sleeps at most, in milliseconds, before the event loop gets a turn. */
const sleepMs = 1_000

/** Runs on a thread of its own: one connection, and what is asked of it, in order. */
export class ThreadServer {
  readonly #engine: StatementEngine
  readonly #isReader: boolean
  readonly #inbox: Inbox
  readonly #answers: Answers
  readonly #parts: RunnerParts
  readonly #runner: StatementRunner
  readonly #group: GroupCommit
  readonly #tasks: Tasks
  readonly #costs = new Costs()
  #stream: StreamJob | undefined
  /** Backups that are being made, in turns of the event loop. */
  #backups = 0
  #isClosing = false

  constructor(engine: StatementEngine, setup: ThreadSetup) {
    const { port, shared, options, isReader, path } = setup
    this.#engine = engine
    this.#isReader = isReader
    this.#inbox = new Inbox(port, shared)
    this.#answers = new Answers(port, shared)
    this.#parts = {
      engine,
      isReader,
      busyTimeoutMs: options.busyTimeoutMs,
      queryTimeoutMs: options.queryTimeoutMs,
      inbox: this.#inbox,
      answers: this.#answers,
      texts: new Texts(),
      layouts: new KnownLayouts(engine.database),
      privacy: new Privacy(engine.database, this.#answers),
      lastBegun: { transaction: 0 },
    }
    this.#runner = new StatementRunner(this.#parts)
    this.#group = new GroupCommit(this.#parts, this.#runner)
    this.#tasks = new Tasks(engine, path)
  }

  /** Serves until it is told to close. */
  async serve(): Promise<void> {
    this.#answers.add([0, answer.ready])
    this.#answers.flush()
    for (let batches = 1; !this.#isEnding; batches++) {
      this.#inbox.drain()
      if (this.#inbox.size > 0) this.#serveBatch()
      else if (!this.#sendChunk() && this.#backups === 0 && this.#inbox.sleep(sleepMs)) batches = 0
      if (batches % batchesPerTurn === 0 || this.#backups > 0) await nextTurn()
    }
    this.#stream?.end('undone')
    this.#engine.database.close()
  }

  get #isEnding(): boolean {
    return this.#isClosing || this.#inbox.isStopped
  }

  #serveBatch(): void {
    const { layouts } = this.#parts
    layouts.refresh()
    this.#answers.begin()
    while (this.#inbox.size > 0 && !this.#isEnding) {
      if (this.#isReader ? this.#readTogether() : this.#group.run()) {
        this.#answers.flush()
        continue
      }
      const request = this.#inbox.shift()
      // Nobody waits for one without a number, and what has run before it has begun all the same.
      if (request[0] !== 0) this.#inbox.begin(request[0], request[0])
      if (request[1] === ask.run) this.#run(request)
      else {
        this.#answers.flush()
        this.#serveOne(request)
      }
      this.#inbox.drain()
    }
    this.#inbox.end()
    this.#answers.flush()
  }

  /** Reads that wait see one snapshot: to take it is most of the work of a small one. */
  #readTogether(): boolean {
    const { database } = this.#engine
    if (database.inTransaction || this.#stream !== undefined) return false
    let size = 0
    while (size < this.#inbox.size && isPlainRead(this.#inbox.peek(size)!)) size++
    if (size < 2 && !(size === 1 && this.#hasStar(this.#inbox.peek()!))) return false
    try {
      this.#engine.prepare('begin').forRun().run()
    } catch {
      // Each says for itself what keeps it from running.
      return false
    }
    try {
      for (let count = 0; count < size; count++) {
        const request = this.#inbox.shift() as RunRequest
        this.#inbox.begin(request[0], request[0])
        this.#run(request)
      }
    } finally {
      if (database.inTransaction) this.#engine.prepare('commit').forRun().run()
    }
    return true
  }

  /** Runs a statement; who asked for something quick before does not wait for what takes long. */
  #run(request: RunRequest): void {
    const textId = request[2]
    if (this.#costs.isLong(textId)) this.#answers.flush()
    const start = performance.now()
    this.#runner.run(request)
    this.#costs.note(textId, performance.now() - start)
    if (this.#costs.isLong(textId)) this.#answers.flush()
    if (isPragma(this.#parts.texts.take(textId, undefined))) this.#group.hold()
  }

  /** Its columns are looked up, which has to see what the statement sees. */
  #hasStar(request: Request): boolean {
    const [, , textId, text] = request as RunRequest
    return this.#parts.texts.take(textId, text).includes('*')
  }

  #serveOne(request: Request): void {
    // What was given up before it began must not begin, a transaction least of all.
    if (this.#inbox.isCancelled(request[0])) {
      this.#answers.add([request[0], answer.cancelled])
      return
    }
    switch (request[1]) {
      case ask.control:
        this.#control(request)
        break
      case ask.stream:
        this.#openStream(request)
        break
      case ask.endStream:
        this.#endStream(request[0], request[2])
        break
      case ask.bulk:
        this.#runBulk(request)
        break
      case ask.task:
        this.#runTask(request)
        break
      case ask.forget:
        this.#parts.texts.forget()
        this.#costs.forget()
        this.#parts.layouts.forget()
        this.#engine.forgetStatements()
        break
      case ask.close:
        this.#isClosing = true
        break
    }
  }

  #control([id, , sql, begin]: ControlRequest): void {
    const isRollback = sql === 'rollback'
    if (sql === 'commit' && !hasBegun(this.#parts, begin)) {
      this.#answers.add([id, answer.done, nothing])
      return
    }
    answering(this.#parts, { id, begin, isOwned: !isRollback }, () => {
      if (!isRollback || this.#engine.database.inTransaction) runCommand(this.#parts, id, sql)
      if (sql.startsWith('rollback')) this.#rolledBack()
      this.#answers.add([id, answer.done, nothing])
    })
  }

  /** What was found out while a schema stood that is gone now. */
  #rolledBack(): void {
    if (this.#isReader) return
    this.#engine.forgetStatements()
    this.#parts.layouts.forget()
    this.#parts.privacy.look()
  }

  #openStream(request: StreamRequest): void {
    const stream = new StreamJob(this.#parts, request)
    this.#stream = stream
    stream.open()
  }

  /** @returns whether there was something to do for the stream */
  #sendChunk(): boolean {
    if (this.#stream?.isOpen !== true || this.#inbox.credit === 0) return false
    this.#inbox.credit--
    this.#stream.sendChunk()
    return true
  }

  #endStream(id: number, outcome: 'kept' | 'undone'): void {
    const stream = this.#stream
    this.#stream = undefined
    this.#inbox.credit = 0
    answering(this.#parts, { id, begin: undefined, isOwned: false }, () => {
      stream?.end(outcome)
      this.#answers.add([id, answer.done, nothing])
    })
  }

  #runBulk([id, , rows, begin]: BulkRequest): void {
    answering(this.#parts, { id, begin, isOwned: true }, () => {
      const { failure, ...result } = runColumns(this.#engine, rows)
      const hasEnded = failure !== undefined && !this.#engine.database.inTransaction
      const error = failure && payloadOf(failure.error)
      this.#answers.add([id, answer.value, { ...result, error, hasEnded }])
    })
  }

  #runTask([id, , name, argument]: TaskRequest): void {
    const asked = { id, begin: undefined, isOwned: false }
    if (name === 'backup') {
      this.#backups++
      runBackup(this.#parts, id, argument)
        .catch((error: unknown) => tellFailure(this.#parts, asked, error, false))
        .finally(() => {
          this.#backups--
          this.#answers.flush()
        })
      return
    }
    answering(this.#parts, asked, () => {
      const run = (): unknown => this.#tasks.run(name, argument)
      this.#answers.add([id, answer.value, whileWanted(this.#parts, id, run)])
    })
  }
}

function isPlainRead(request: Request): boolean {
  return (
    request[1] === ask.run &&
    (request[5] & (flag.owned | flag.mayGoElsewhere)) === flag.mayGoElsewhere
  )
}
