import type { TransactionScope } from '../run/transaction-scope.ts'
import {
  attachSuppressed,
  callSite,
  excerpt,
  nextEventId,
  statementCall,
  TransactionAbortedError,
  transactionChannel,
  TransactionClosedError,
  TransactionTrace,
} from '@keelson/core'
import { TransactionControlError, UnexpectedRollbackError } from '../errors.ts'
import type { TransactionOptions } from '../options.ts'
import { type Hook, Hooks } from '../scope/hooks.ts'
import { transactionControl } from '../scope/statement-control.ts'
import { runSyncHook, runSyncHooks } from './run-sync-hooks.ts'
import type { SyncDatabase } from './sync-database.ts'
import type { SyncLine } from './sync-line.ts'

/** What the scopes of one transaction share. */
export interface SyncRoot {
  readonly database: SyncDatabase
  readonly line: SyncLine
  readonly options: TransactionOptions
  readonly isTest: boolean
  savepoints: number
  /** SQLite has ended the transaction on its own. */
  lost: { readonly error: unknown } | undefined
  /** A savepoint could not be undone, so that nothing may be kept. */
  doomed: { readonly error: unknown } | undefined
}

/** A transaction, or a savepoint in one, whose callback runs from beginning to end before anything else does. */
export class SyncScope {
  readonly id: number = nextEventId()
  readonly root: SyncRoot
  readonly parent: SyncScope | undefined
  readonly depth: number
  readonly savepoint: string | undefined
  readonly begun: Error
  /** What callers are told of it. */
  info: TransactionScope | undefined
  readonly startMs: number = performance.now()
  readonly hooks: Hooks = new Hooks()
  statements = 0
  #isOpen = true
  #child: SyncScope | undefined
  #rollbackOnly: { readonly error: unknown } | undefined
  #trace: TransactionTrace | undefined

  private constructor(root: SyncRoot, parent: SyncScope | undefined, begun: Error) {
    this.root = root
    this.parent = parent
    this.depth = parent === undefined ? 0 : parent.depth + 1
    this.savepoint = parent === undefined ? undefined : `keelson_${++root.savepoints}`
    this.begun = begun
  }

  static begin(root: SyncRoot, begun: Error): SyncScope {
    const scope = new SyncScope(root, undefined, begun)
    scope.#traceStart()
    try {
      root.line.begin(root.options)
    } catch (error) {
      scope.#isOpen = false
      scope.#trace?.ended('begin_failed', 0, error)
      // What was set for the transaction is set back.
      attempt(() => root.line.end(), error)
      throw error
    }
    scope.#trace?.begun()
    root.database.open = scope
    return scope
  }

  nest(begun: Error): SyncScope {
    this.assertUsable('a nested transaction')
    const scope = new SyncScope(this.root, this, begun)
    scope.#traceStart()
    this.#guarded(() => this.root.line.savepoint(scope.savepoint!))
    scope.#trace?.begun()
    this.#child = scope
    return scope
  }

  get isOpen(): boolean {
    return this.#isOpen && this.root.lost === undefined
  }

  get elapsedMs(): number {
    return performance.now() - this.startMs
  }

  /** What the events of its statements tell of it. */
  get told(): { readonly id: number; readonly depth: number } {
    return { id: this.#trace?.id ?? this.id, depth: this.depth }
  }

  /** A statement that was sent past it has run for so many milliseconds. */
  ran(ms: number): void {
    this.#trace?.ran(ms)
  }

  run<R>(sql: string, send: () => R): R {
    if (!this.isOpen) this.assertUsable(excerpt(sql))
    const found = transactionControl(sql, false)
    if (found !== undefined) {
      throw new TransactionControlError(
        `${excerpt(found)} as text would begin, end or change a transaction behind the back of ${this.#name}. ` +
          'Use transaction(db, fn), whose end commits or rolls back. Nothing was sent.',
      )
    }
    this.statements++
    const call = statementCall()
    if (call !== undefined) call.tx ??= this.told
    if (this.#trace === undefined) return this.#guarded(send)
    const start = performance.now()
    try {
      return this.#guarded(send)
    } finally {
      this.#trace.ran(performance.now() - start)
    }
  }

  markRollbackOnly(error: unknown): void {
    this.#rollbackOnly ??= { error }
  }

  addHook(kind: 'beforeCommit' | 'afterCommit' | 'afterRollback', hook: Hook): void {
    if (!this.#isOpen) throw this.#closedError(`${kind}()`)
    this.hooks.add(kind, hook)
  }

  /**
   * Keeps what was done: RELEASE, or COMMIT.
   *
   * @returns the hooks to be run now that the transaction is committed
   */
  commit(): readonly Hook[] {
    const { root, savepoint, parent } = this
    const start = this.#trace === undefined ? 0 : performance.now()
    try {
      this.#assertOpen('commit')
      if (parent === undefined || this.#isTestChild) this.#runBeforeCommit()
      this.#assertCommittable()
      this.#isOpen = false
      this.#guarded(() =>
        parent === undefined ? root.line.commit() : root.line.release(savepoint!),
      )
    } catch (error) {
      this.#undo(error, 'commit_failed', start)
      throw error
    }
    this.#trace?.ended('committed', performance.now() - start)
    this.#leave(undefined)
    if (parent === undefined || this.#isTestChild) return this.hooks.afterCommit ?? []
    this.hooks.moveTo(parent.hooks)
    return []
  }

  /** Undoes what was done, unless it has ended. */
  rollback(reason?: unknown): void {
    if (!this.#isOpen) return
    const error = reason ?? new Error('rolled back')
    this.#undo(error, 'rolled_back', performance.now())
    const [first] = (error as { suppressed?: readonly unknown[] }).suppressed ?? []
    if (reason === undefined && first !== undefined) throw first
  }

  /** @throws when nothing may be sent in it */
  assertUsable(what: string): void {
    this.#assertOpen(what)
    const { lost } = this.root
    if (lost !== undefined) throw abortedError(what, lost.error)
  }

  #undo(error: unknown, outcome: 'rolled_back' | 'commit_failed', start: number): void {
    const { root, savepoint, parent } = this
    this.#isOpen = false
    this.#child?.rollback(error)
    if (parent === undefined) attempt(() => root.line.inTransaction && root.line.rollback(), error)
    else if (root.lost === undefined) {
      try {
        root.line.rollbackTo(savepoint!)
        root.line.release(savepoint!)
      } catch (later) {
        attachSuppressed(error, later)
        root.doomed ??= { error }
      }
    }
    this.#trace?.ended(outcome, performance.now() - start, error)
    this.#leave(error)
    for (const each of root.database.leave(() => runSyncHooks(this.hooks.afterRollback)))
      attachSuppressed(error, each)
  }

  #leave(error: unknown): void {
    const { root, parent } = this
    if (parent !== undefined) {
      parent.#child = undefined
      return
    }
    root.database.open = undefined
    if (error === undefined) root.line.end()
    else attempt(() => root.line.end(), error)
  }

  #runBeforeCommit(): void {
    // A hook may register another one.
    for (let hook = this.hooks.beforeCommit?.shift(); hook !== undefined;) {
      const each = hook
      this.root.database.within(this, () => runSyncHook(each))
      hook = this.hooks.beforeCommit?.shift()
    }
  }

  #assertCommittable(): void {
    const { root } = this
    if (root.lost === undefined && !root.line.inTransaction) root.lost = { error: undefined }
    if (root.lost !== undefined) throw abortedError('to commit', root.lost.error)
    const doomed = this.#rollbackOnly ?? (this.parent === undefined ? root.doomed : undefined)
    if (doomed === undefined) return
    throw new UnexpectedRollbackError(
      'The transaction was rolled back although its callback succeeded: a part that had joined it ' +
        "(propagation: 'required') has failed, which is the cause of this error. Let that failure pass, or make the part " +
        "a savepoint (propagation: 'nested').",
      { cause: doomed.error },
    )
  }

  /** SQLite may end the transaction with an error. */
  #guarded<R>(send: () => R): R {
    try {
      return send()
    } catch (error) {
      if (!this.root.line.inTransaction) this.root.lost ??= { error }
      throw error
    }
  }

  #assertOpen(what: string): void {
    if (!this.#isOpen) throw this.#closedError(what)
  }

  get #isTestChild(): boolean {
    return this.root.isTest && this.depth === 1
  }

  get #name(): string {
    const site = callSite(this.begun)
    const kind = this.parent === undefined ? 'the transaction' : 'the nested transaction'
    return site === undefined ? kind : `${kind} begun at ${site}`
  }

  #closedError(what: string): TransactionClosedError {
    return new TransactionClosedError(
      `Cannot run ${what}: ${this.#name} has ended, and nothing of it may run afterwards, neither in it nor beside it. ` +
        'Do everything before the callback returns: on this database it cannot await. Nothing was sent.',
    )
  }

  /** The number of its event, where somebody listens. */
  get traceId(): number | undefined {
    return this.#trace?.id
  }

  #traceStart(): void {
    const { line, options } = this.root
    const { observer } = line
    if (!transactionChannel.hasSubscribers && observer === undefined) return
    const parentId = this.parent?.traceId
    const start = {
      system: 'sqlite',
      db: line.databaseName,
      conn: 0,
      isolation: options.isolationLevel,
      depth: this.depth,
      ...(parentId !== undefined && { parentId }),
    }
    this.#trace = new TransactionTrace(start, observer, transactionChannel.hasSubscribers)
  }
}

function abortedError(what: string, cause: unknown): TransactionAbortedError {
  return new TransactionAbortedError(
    `Cannot run ${what}: SQLite has rolled the transaction back on its own. Nothing of it is kept, and nothing more can ` +
      'be done in it: let it end, and begin a new one.',
    cause === undefined ? undefined : { cause },
  )
}

function attempt(action: () => unknown, error: unknown): void {
  try {
    action()
  } catch (later) {
    attachSuppressed(error, later)
  }
}
