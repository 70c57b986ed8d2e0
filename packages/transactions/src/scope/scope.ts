/** Over 300 lines, being one subject: what a scope is doing decides what each of its calls may do. */
import {
  atCallSite,
  attachSuppressed,
  callSite,
  callStatement,
  captureCallSite,
  ConnectionBusyError,
  describeError,
  excerpt,
  KeelsonError,
  nextEventId,
  type StatementCall,
  statementCall,
  TransactionAbortedError,
  transactionChannel,
  TransactionClosedError,
  TransactionTrace,
} from '@keelson/core'
import {
  CommitOutcomeUnknownError,
  TransactionControlError,
  UnexpectedRollbackError,
} from '../errors.ts'
import type { TransactionScope } from '../run/transaction-scope.ts'
import { type Hook, Hooks, runHooks } from './hooks.ts'
import type { Root } from './root.ts'
import { transactionControl } from './statement-control.ts'
import { describeHolder, type TurnHolder, TurnQueue } from './turn-queue.ts'

/** A stream that is open in a scope. */
export interface OpenStream {
  readonly sql: string
  /** Ends it: its reader is told the error. */
  end(error: Error): Promise<void>
}

/**
 * A transaction, or a savepoint in one. It decides what may be sent and when: one statement after the other, nothing of
 * its own while a savepoint inside it is open (whose rollback would take it along), and nothing once it has ended.
 */
export class Scope {
  readonly id: number = nextEventId()
  readonly root: Root
  readonly parent: Scope | undefined
  /** 0 for the transaction, 1 for a savepoint in it, and so on. */
  readonly depth: number
  readonly savepoint: string | undefined
  readonly begun: Error
  /** What callers are told of it. */
  info: TransactionScope | undefined
  readonly startMs: number = performance.now()
  readonly hooks: Hooks = new Hooks()
  /** Its statements, streams and nested scopes, one at a time. */
  readonly turns: TurnQueue = new TurnQueue()
  statements = 0
  lastSql: string | undefined
  #status: 'open' | 'draining' | 'closed' = 'open'
  /** Why it was closed, where that is more than that it has ended. */
  #closedBy: unknown
  /** The engine refuses everything but a rollback since this error. */
  #failed: { readonly error: unknown } | undefined
  /** What joined it has failed. */
  #rollbackOnly: { readonly error: unknown } | undefined
  #unseen: { readonly error: unknown } | undefined
  #child: Scope | undefined
  /** What is nested in it or has joined it and has not ended, or waits for its turn to begin. */
  #parts: Set<TurnHolder> | undefined
  #stream: OpenStream | undefined
  /** Its turn among the statements of the scope around it. */
  #turn: TurnHolder | undefined
  #trace: TransactionTrace | undefined
  #abort: AbortController | undefined
  /** It is being ended, or has been. */
  #ending: Promise<void> | undefined

  private constructor(root: Root, parent: Scope | undefined, begun: Error) {
    this.root = root
    this.parent = parent
    this.depth = parent === undefined ? 0 : parent.depth + 1
    this.savepoint = parent === undefined ? undefined : root.nextSavepoint()
    this.begun = begun
  }

  /** Begins a root transaction on its line. On failure the line has ended. */
  static async begin(root: Root, begun: Error): Promise<Scope> {
    const scope = new Scope(root, undefined, begun)
    const { line, options } = root
    scope.#traceStart()
    try {
      await atCallSite(begun, () => line.begin(options))
    } catch (error) {
      scope.#status = 'closed'
      root.isOver = true
      scope.#trace?.ended('begin_failed', 0, error)
      await line.end(error).catch((later: unknown) => attachSuppressed(error, later))
      throw error
    }
    scope.#trace?.begun()
    root.deepest = scope
    root.database.roots.add(root)
    return scope
  }

  /** Sets a savepoint, once its turn among the statements of this scope has come. */
  async nest(begun: Error, waitTimeoutMs?: number, signal?: AbortSignal): Promise<Scope> {
    const { root } = this
    this.assertUsable('a nested transaction')
    const turn: TurnHolder = {
      kind: 'nested transaction',
      sql: undefined,
      begun,
      since: performance.now(),
    }
    this.#addPart(turn)
    try {
      await this.#enter(turn, `a nested transaction`, waitTimeoutMs, signal)
    } catch (error) {
      this.#parts!.delete(turn)
      throw error
    }
    const scope = new Scope(root, this, begun)
    try {
      scope.#traceStart()
      await root.line.savepoint(scope.savepoint!)
    } catch (error) {
      scope.#status = 'closed'
      scope.#trace?.ended('begin_failed', 0, error)
      await this.#noteFailure(error)
      this.#parts!.delete(turn)
      this.turns.leave(turn)
      throw error
    }
    scope.#trace?.begun()
    scope.#turn = turn
    this.#child = scope
    root.deepest = scope
    // The scope around may have been closed meanwhile.
    if (this.#status === 'closed') {
      const error = this.#closedError('a nested transaction')
      await scope.rollback(error)
      throw error
    }
    return scope
  }

  /**
   * Begins a part that joins this scope, with no savepoint of its own.
   *
   * @returns to be called when the part has ended; the scope does not commit before
   */
  join(begun: Error): () => void {
    this.assertUsable('a transaction that joins it')
    const part: TurnHolder = {
      kind: 'transaction',
      sql: undefined,
      begun,
      since: performance.now(),
    }
    this.#addPart(part)
    return () => this.#parts!.delete(part)
  }

  #addPart(part: TurnHolder): void {
    ;(this.#parts ??= new Set()).add(part)
  }

  get #isClosed(): boolean {
    return this.#status === 'closed'
  }

  get isOpen(): boolean {
    return this.#status === 'open' && this.root.lost === undefined
  }

  /** Whether it is open in that one, at whatever depth. */
  isInside(other: Scope): boolean {
    let scope: Scope | undefined = this.#status === 'open' ? this.parent : undefined
    while (scope !== undefined && scope !== other) scope = scope.parent
    return scope !== undefined
  }

  get elapsedMs(): number {
    return performance.now() - this.startMs
  }

  /** Is aborted when the transaction is to stop: its time is up, its signal was aborted, or the one around it has ended. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#status === 'closed')
      this.#abort.abort(this.#closedBy ?? this.#closedError('anything'))
    return this.#abort.signal
  }

  /** What the events of its statements tell of it. */
  get told(): { readonly id: number; readonly depth: number } {
    return { id: this.#trace?.id ?? this.id, depth: this.depth }
  }

  /** A statement that was sent past it has run for so many milliseconds. */
  ran(ms: number): void {
    this.#trace?.ran(ms)
  }

  /** Runs a statement, once its turn has come. */
  async run<R>(sql: string, send: () => Promise<R>, isCommand = false): Promise<R> {
    if (!this.#isUsable) this.assertUsable(excerpt(sql))
    if (!isCommand) this.#refuseControl(sql)
    const turn: TurnHolder = { kind: 'statement', sql, begun: undefined, since: 0 }
    // Whoever measures the statement is told how long it waited, and where it ran.
    const call = statementCall()
    if (!this.turns.tryEnter(turn)) await this.#enter(turn, excerpt(sql))
    const start = performance.now()
    turn.since = start
    this.statements++
    this.lastSql = sql
    this.#noteInHolders(sql)
    try {
      const result = await (call === undefined ? send() : this.#sendMeasured(call, start, send))
      if (this.#mayHaveCommitted(sql)) await this.#assertKept(sql)
      return result
    } catch (error) {
      await this.#noteFailure(error)
      throw error
    } finally {
      this.#trace?.ran(performance.now() - start)
      this.turns.leave(turn)
    }
  }

  #sendMeasured<R>(call: StatementCall, start: number, send: () => Promise<R>): Promise<R> {
    call.waitMs = start - call.startMs
    call.tx ??= this.told
    call.attempt = this.info?.attempt
    return callStatement(call, send)
  }

  /**
   * Takes the turn for a stream. Until `leave` is called, every other statement of the scope is refused.
   *
   * @returns to be called when the stream has ended, with the error it ended with
   */
  async openStream(stream: OpenStream): Promise<(error?: unknown) => Promise<void>> {
    const { sql } = stream
    if (!this.#isUsable) this.assertUsable(excerpt(sql))
    this.#refuseControl(sql)
    const turn: TurnHolder = { kind: 'stream', sql, begun: captureCallSite(), since: 0 }
    if (!this.turns.tryEnter(turn)) await this.#enter(turn, excerpt(sql))
    turn.since = performance.now()
    this.statements++
    this.lastSql = sql
    this.#stream = stream
    // Those who wait asked before the stream was there; it may be the loop over it that they keep waiting.
    this.turns.refuseWaiting(this.#streamError('a statement'))
    let isLeft = false
    return async (error) => {
      if (isLeft) return
      isLeft = true
      this.#stream = undefined
      try {
        if (error !== undefined) await this.#noteFailure(error)
      } finally {
        this.turns.leave(turn)
      }
    }
  }

  /** A part that joined has failed: nothing of this scope may be kept. */
  markRollbackOnly(error: unknown): void {
    this.#rollbackOnly ??= { error }
  }

  addHook(kind: 'beforeCommit' | 'afterCommit' | 'afterRollback', hook: Hook): void {
    if (this.#status !== 'open') throw this.#closedError(`${kind}()`)
    this.hooks.add(kind, hook)
  }

  /**
   * Ends the scope and keeps what it did: RELEASE, or COMMIT. What was sent before is waited for, nothing comes after.
   *
   * @param interruption may end it until its last statement is sent
   * @returns the hooks to be run now that the transaction is committed
   * @throws what kept it from that; everything is rolled back then
   */
  async commit(interruption?: { end(): void }): Promise<readonly Hook[]> {
    try {
      this.#assertOpen('commit')
      if (this.hasLastHooks) {
        await this.runBeforeCommit()
        this.#assertOpen('commit')
      }
      // From here on nothing can slip in behind the last statement and be committed, or worse, autocommitted.
      this.#status = 'draining'
      const [unfinished] = this.#parts ?? []
      if (unfinished !== undefined) throw this.#unfinishedPartError(unfinished)
      if (this.#stream !== undefined)
        await this.#endStream('The transaction was committed while the stream was open.')
      const failed = this.#unseen
      if (!this.turns.isIdle) await this.turns.idle()
      await this.#assertCommittable(failed ?? this.#unseen)
      // It, or what is around it, may have been stopped meanwhile, and what is around it be about to undo it.
      if (this.#ending !== undefined || this.#isClosed) throw this.#closedError('commit')
      interruption?.end()
    } catch (error) {
      interruption?.end()
      await this.rollback(error)
      throw error
    }
    this.#close(undefined)
    const ended = this.parent === undefined ? this.#commitRoot() : this.#release()
    this.#ending = ended.then(
      () => {},
      () => {},
    )
    return ended
  }

  /**
   * Ends the scope and undoes what it did. Does nothing when it has ended.
   *
   * @param reason for which it is rolled back; what fails meanwhile is attached to it
   */
  rollback(reason?: unknown, closedBy?: unknown): Promise<void> {
    return (this.#ending ??= this.#rollback(reason, closedBy))
  }

  async #rollback(reason: unknown, closedBy: unknown): Promise<void> {
    const error = reason ?? new Error('rolled back')
    await this.#fence(closedBy)
    const start = performance.now()
    try {
      await (this.parent === undefined
        ? this.#rollbackRoot(error)
        : this.#rollbackToSavepoint(error))
    } finally {
      this.#trace?.ended('rolled_back', performance.now() - start, reason)
      await this.#runAfterRollback(error)
    }
    if (reason === undefined) rethrowSuppressed(error)
  }

  /** Refuses everything from now on, with an error of the caller's, and stops what is running. */
  interrupt(error: unknown): void {
    if (this.#status === 'closed') return
    const innermost = this.#innermost
    this.#refuseAll(error)
    if (innermost.turns.holder !== undefined) {
      void this.root.line.cancel(error).catch((later: unknown) => attachSuppressed(error, later))
    }
  }

  get #innermost(): Scope {
    return this.#child === undefined ? this : this.#child.#innermost
  }

  #refuseAll(error: unknown): void {
    if (this.#child !== undefined) this.#child.#refuseAll(error)
    this.#close(error)
    this.turns.refuseWaiting(error)
  }

  /** The callback has returned, or thrown: waits until nothing runs any more, and takes what is inside along. */
  async #fence(closedBy: unknown): Promise<void> {
    this.#close(closedBy)
    this.turns.refuseWaiting(this.#closedError('a statement that was still waiting'))
    await this.#endStream('The transaction was rolled back while the stream was open.')
    const child = this.#child
    if (child !== undefined) {
      const undone = child.rollback(
        this.#closedError('a nested transaction'),
        this.#closedError('a statement'),
      )
      // Where it was being rolled back already, whoever does so is told what its hooks have thrown.
      await undone.catch(() => {})
    }
    await this.turns.idle()
  }

  #close(by: unknown): void {
    if (this.#status === 'closed') return
    this.#status = 'closed'
    this.#closedBy = by
    if (by !== undefined) this.#abort?.abort(by)
  }

  /** Waits for what was sent, and ends a stream that is open. */
  async finish(): Promise<void> {
    await this.#endStream('The test ended while the stream was open.')
    await this.turns.idle()
  }

  /** Whether hooks are to run before it commits. */
  get hasLastHooks(): boolean {
    return this.hooks.beforeCommit !== undefined && (this.parent === undefined || this.#isTestChild)
  }

  async runBeforeCommit(): Promise<void> {
    // A hook may register another one.
    for (let hook = this.hooks.beforeCommit?.shift(); hook !== undefined;) {
      // Async, since what it returns may be a query of Drizzle, which begins where it is awaited.
      const each: Hook = hook
      await this.root.database.within(this, async () => each())
      hook = this.hooks.beforeCommit?.shift()
    }
  }

  /** @param error for which it is rolled back, which the hooks' own are attached to */
  async #runAfterRollback(error: unknown): Promise<void> {
    const errors = await this.root.database.leave(() => runHooks(this.hooks.afterRollback))
    for (const each of errors) attachSuppressed(error, each)
  }

  async #assertCommittable(unseen: { readonly error: unknown } | undefined): Promise<void> {
    const { root } = this
    if (root.lost === undefined && unseen !== undefined) throw unseen.error
    this.#refuseFailed(committing)
    if (this.#rollbackOnly !== undefined) throw unexpectedRollbackError(this.#rollbackOnly.error)
    if (this.parent !== undefined) return
    if (root.doomed !== undefined) throw unexpectedRollbackError(root.doomed.error)
    const told = root.line.state(undefined)
    const state = typeof told === 'string' ? told : await told
    if (state === 'failed') throw abortedError(undefined, committing)
    if (state === 'none') {
      root.lost = { error: undefined }
      throw abortedError(undefined, committing)
    }
  }

  async #commitRoot(): Promise<readonly Hook[]> {
    const { root } = this
    const start = performance.now()
    try {
      await root.line.commit()
    } catch (error) {
      const thrown =
        describeError(error).category === 'connection' ? unknownOutcomeError(error) : error
      this.#trace?.ended('commit_failed', performance.now() - start, thrown)
      if (thrown !== error) root.broken ??= error
      else if (!(error instanceof KeelsonError && error.code === 'TRANSACTION_ABORTED'))
        await this.#undo(thrown)
      await this.#over(thrown)
      await this.#runAfterRollback(thrown)
      throw thrown
    }
    this.#trace?.ended('committed', performance.now() - start)
    await this.#over(undefined)
    return this.hooks.afterCommit ?? []
  }

  async #release(): Promise<readonly Hook[]> {
    const { root, savepoint } = this
    const parent = this.parent!
    const start = performance.now()
    try {
      await root.line.release(savepoint!)
    } catch (error) {
      if (await root.noteFailure(error)) this.#failed ??= { error }
      await this.#undoSavepoint(error)
      this.#trace?.ended('commit_failed', performance.now() - start, error)
      this.#leaveParent()
      await this.#runAfterRollback(error)
      throw error
    }
    this.#trace?.ended('committed', performance.now() - start)
    this.#leaveParent()
    if (this.#isTestChild) return this.hooks.afterCommit ?? []
    this.hooks.moveTo(parent.hooks)
    return []
  }

  async #rollbackRoot(error: unknown): Promise<void> {
    await this.#undo(error)
    await this.#over(error)
  }

  async #rollbackToSavepoint(error: unknown): Promise<void> {
    if (this.root.lost === undefined) await this.#undoSavepoint(error)
    this.#leaveParent()
  }

  /** Where it cannot be undone nothing of the whole transaction may be kept. */
  async #undoSavepoint(error: unknown): Promise<void> {
    const { line, lost } = this.root
    if (lost !== undefined) return
    try {
      await line.rollbackTo(this.savepoint!)
      await line.release(this.savepoint!)
    } catch (later) {
      attachSuppressed(error, later)
      await this.root.noteFailure(later)
      this.root.doomed ??= { error }
    }
  }

  async #undo(error: unknown): Promise<void> {
    const { root } = this
    // A connection that is lost is only thrown away.
    if (root.broken !== undefined) return
    try {
      await root.line.rollback(root.lost !== undefined)
    } catch (later) {
      attachSuppressed(error, later)
      root.broken ??= later
    }
  }

  async #over(error: unknown): Promise<void> {
    const { root } = this
    root.isOver = true
    root.deepest = undefined
    root.database.roots.delete(root)
    try {
      await root.line.end(root.broken)
    } catch (later) {
      if (error === undefined) throw later
      attachSuppressed(error, later)
    }
  }

  #leaveParent(): void {
    const parent = this.parent!
    parent.#child = undefined
    this.root.deepest = parent
    parent.#parts!.delete(this.#turn!)
    parent.turns.leave(this.#turn!)
  }

  async #endStream(why: string): Promise<void> {
    await this.#stream?.end(new TransactionClosedError(`${why} End the loop over it first.`))
  }

  async #enter(
    turn: TurnHolder,
    what: string,
    waitTimeoutMs: number = this.root.waitTimeoutMs,
    signal?: AbortSignal,
  ): Promise<void> {
    if (this.turns.tryEnter(turn)) return
    await this.turns.enter(turn, what, waitTimeoutMs, signal)
    try {
      if (this.#status === 'closed') throw this.#closedError(what)
      this.#refuseFailed(what)
    } catch (error) {
      this.turns.leave(turn)
      throw error
    }
  }

  async #noteFailure(error: unknown): Promise<void> {
    if (await this.root.noteFailure(error)) this.#failed ??= { error }
    this.#noteUnseen(error)
  }

  /**
   * A failure is unseen until the error has travelled through the promises between here and the callback, which takes
   * more than the few microtasks granted here: a callback that has returned by then did not wait for the statement.
   */
  #noteUnseen(error: unknown): void {
    const failure = { error }
    this.#unseen = failure
    queueMicrotask(() =>
      queueMicrotask(() => {
        if (this.#status === 'open' && this.#unseen === failure) this.#unseen = undefined
      }),
    )
  }

  /** Whether `assertUsable` has nothing to say: every statement asks, and an excerpt of it takes longer than the answer. */
  get #isUsable(): boolean {
    return (
      this.#status === 'open' &&
      this.root.lost === undefined &&
      this.#failed === undefined &&
      this.#stream === undefined
    )
  }

  /** @throws when nothing may be sent in it */
  assertUsable(what: string): void {
    if (this.#status !== 'open') throw this.#closedError(what)
    this.#refuseFailed(what)
    if (this.#stream !== undefined) throw this.#streamError(what)
  }

  #assertOpen(what: string): void {
    if (this.#status !== 'open') throw this.#closedError(what)
  }

  #refuseFailed(what: string | typeof committing): void {
    const { lost } = this.root
    const failed = lost ?? this.#failed
    if (failed !== undefined) throw abortedError(failed.error, what)
  }

  /** What a procedure runs cannot be seen in the text that calls it. */
  #mayHaveCommitted(sql: string): boolean {
    return !this.root.line.traits.supportsTransactionalDdl && /^\s*(?:call|execute)\b/i.test(sql)
  }

  /** MySQL lets a procedure commit, and would autocommit what follows. */
  async #assertKept(sql: string): Promise<void> {
    const { root } = this
    if (root.lost !== undefined || (await root.line.probe?.()) !== 'none') return
    const error = new TransactionAbortedError(
      `${excerpt(sql)} has ended ${this.#name}, by a COMMIT, a ROLLBACK or a statement before which MySQL commits. ` +
        'What came before may be kept, nothing that follows is sent. Leave such statements out of a procedure, or call ' +
        'it outside: outside(db, fn).',
    )
    root.lost = { error }
    throw error
  }

  #refuseControl(sql: string): void {
    const { traits } = this.root.line
    const found = transactionControl(sql, !traits.supportsTransactionalDdl)
    if (found === undefined) return
    throw new TransactionControlError(
      traits.supportsTransactionalDdl ||
        !/^(?:alter|create|drop|rename|truncate|grant|revoke)/i.test(found)
        ? `${excerpt(found)} as text would begin, end or change a transaction behind the back of ${this.#name}. ` +
            'Use transaction(db, fn), whose end commits or rolls back. Nothing was sent.'
        : `${excerpt(found)} would commit ${this.#name}, as ${traits.engine} does before such a statement. ` +
            'Run it outside: outside(db, fn). Nothing was sent.',
    )
  }

  get #name(): string {
    const site = callSite(this.begun)
    const kind = this.parent === undefined ? 'the transaction' : 'the nested transaction'
    return site === undefined ? kind : `${kind} begun at ${site}`
  }

  /** A scope that would be a root if the test did not stand around it. */
  get #isTestChild(): boolean {
    return this.root.isTest && this.depth === 1
  }

  #noteInHolders(sql: string): void {
    if (this.#turn === undefined) return
    this.#turn.sql = sql
    this.parent!.#noteInHolders(sql)
  }

  #streamError(what: string): ConnectionBusyError {
    return new ConnectionBusyError(
      `Cannot run ${what} while a stream of the same transaction is open: ${excerpt(this.#stream!.sql)}. ` +
        'Read the stream to its end, leave its loop, or collect what you need first.',
    )
  }

  #closedError(what: string): Error {
    if (this.#closedBy instanceof Error) return this.#closedBy
    return new TransactionClosedError(
      `Cannot run ${what}: ${this.#name} has ended, and nothing of it may run afterwards, neither in it nor beside it. ` +
        'Await everything before the callback returns, or start what is to go on for longer with outside(db, fn). ' +
        'Nothing was sent.',
    )
  }

  #unfinishedPartError(part: TurnHolder): TransactionClosedError {
    return new TransactionClosedError(
      `The callback of ${this.#name} has returned while a part of it had not ended: ${describeHolder(part)}. ` +
        'Await every transaction inside it. Everything was rolled back.',
    )
  }

  #traceStart(): void {
    const { line, options } = this.root
    const { observer } = line
    const isPublished =
      transactionChannel.hasSubscribers && !(this.parent === undefined && line.publishesRoots)
    if (!isPublished && observer === undefined) return
    let enclosing = this.parent
    while (enclosing !== undefined && enclosing.#trace === undefined) enclosing = enclosing.parent
    const start = {
      system: line.traits.engine,
      db: line.databaseName,
      conn: 0,
      isolation: options.isolationLevel,
      depth: this.depth,
      ...(enclosing !== undefined && { parentId: enclosing.#trace!.id }),
    }
    this.#trace = new TransactionTrace(start, observer, isPublished)
  }
}

const committing = Symbol('commit')

function abortedError(cause: unknown, what: string | typeof committing): TransactionAbortedError {
  return new TransactionAbortedError(
    `${what === committing ? 'Cannot commit' : `Cannot run ${what}`}: an earlier error has ended this transaction, or this part of it` +
      (cause === undefined ? '' : ', and is the cause of this one') +
      '. Nothing of it is kept, and nothing more can be done in it: let it be rolled back and begin a new one.',
    cause === undefined ? undefined : { cause },
  )
}

function unexpectedRollbackError(cause: unknown): UnexpectedRollbackError {
  return new UnexpectedRollbackError(
    'The transaction was rolled back although its callback succeeded: a part that had joined it ' +
      "(propagation: 'required') has failed, which is the cause of this error. Let that failure pass, or, where the engine " +
      "has savepoints, make the part one (propagation: 'nested').",
    { cause },
  )
}

function unknownOutcomeError(cause: unknown): CommitOutcomeUnknownError {
  return new CommitOutcomeUnknownError(
    'The connection was lost between COMMIT and its answer: the transaction was committed, or it was not. Look at the ' +
      'data, by a key that the transaction wrote, before you run it again.',
    { cause },
  )
}

function rethrowSuppressed(error: unknown): void {
  const suppressed = (error as { suppressed?: readonly unknown[] }).suppressed ?? []
  if (suppressed.length > 0) throw suppressed[0]
}
