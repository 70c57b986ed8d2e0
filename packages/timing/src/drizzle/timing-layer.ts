import {
  ambientTransactions,
  type DirectOutcome,
  type DirectStatement,
  type StatementObserver,
  type TransactionEvent,
  type TransactionObserver,
  isThenable,
} from '@keelson/core'
import { kindOf, type NextLayer, type SessionLayer, watchPrepared } from '@keelson/core/drizzle'
// `node:util` itself would open standard output.
import { isProxy } from 'node:util/types'
import { observeDirect } from '../record/direct-statement.ts'
import { type BatchedOutcome, Observation } from '../record/observation.ts'
import type { Recorder } from '../record/recorder.ts'
import { settled } from '../record/settled.ts'
import { TransactionTracker } from '../record/transaction-tracker.ts'
import type { DatabaseInstance } from '../record/database-instance.ts'
import { batchOf, outcomesOf } from './batch.ts'
import type { DrizzlePrepared, DrizzleSession, PreparedSql } from './internals.ts'
import { TimedQuery } from './timed-query.ts'

export const layerName = 'timing'
const timingRank = 20

type Callback = (tx: { readonly session: object }, ...rest: unknown[]) => unknown

/** Measures what a database sends, above all layers. */
export class TimingLayer implements SessionLayer, TransactionObserver, StatementObserver {
  readonly name: string = layerName
  readonly rank: number = timingRank
  readonly recorder: Recorder
  readonly instance: DatabaseInstance
  /** Whether the text that was sent last of all that begin or end a transaction has begun one. */
  hasBegun = false
  /** The transactions that Drizzle itself has begun, by the sessions of their handles. */
  readonly #trackers = new WeakMap<object, TransactionTracker>()

  constructor(recorder: Recorder, instance: DatabaseInstance) {
    this.recorder = recorder
    this.instance = instance
    recorder.databases.add(instance.database)
  }

  prepareQuery(session: DrizzleSession, args: readonly any[], next: NextLayer): unknown {
    const raw = next(session, args) as DrizzlePrepared
    // Of a query builder the fields of the result are known, but where nothing is returned.
    const isRaw = args[1] === undefined
    // Relational queries have a function in place of fields.
    const isMapped = !isRaw || args.some((each) => typeof each === 'function')
    const query = args[0] as PreparedSql
    const timed = new TimedQuery(this, query, this.#trackers.get(session), isRaw, isMapped)
    if (isProxy(raw)) return new Proxy(raw, timed)
    watchPrepared(raw, timed)
    return raw
  }

  /** With `withTransactions()` it is that layer which begins, and which tells of it: see `begins`. */
  transaction(session: DrizzleSession, args: readonly any[], next: NextLayer): unknown {
    const isAmbient = session.dialect[ambientTransactions] !== undefined
    if (isAmbient || !this.recorder.isEnabled) return next(session, args)
    const [fn, ...rest] = args as [Callback, ...unknown[]]
    const known = this.#trackers.get(session)
    const run = new DrizzleTransaction(
      known ?? new TransactionTracker(this.recorder, this.instance, 0),
      known !== undefined,
      kindOf(session) === 'BetterSQLiteSession',
    )
    const watched = (tx: { readonly session: object }, tracker: TransactionTracker): void => {
      this.#trackers.set(tx.session, tracker)
    }
    let result: unknown
    try {
      result = next(session, [run.watch(fn, watched), ...rest])
    } catch (error) {
      run.failed(error)
      this.#forget(run, known)
      throw error
    }
    if (!isThenable(result)) {
      run.succeeded()
      this.#forget(run, known)
      return result
    }
    return settled(result, (_, failure) => {
      if (failure === undefined) run.succeeded()
      else run.failed(failure.error)
      this.#forget(run, known)
    })
  }

  batch(session: DrizzleSession, args: readonly any[], next: NextLayer): unknown {
    // Inside an open transaction its statements are sent, and measured, one by one.
    const isOpen = session.dialect[ambientTransactions]?.isOpen === true
    if (isOpen || !this.recorder.isEnabled) return next(session, args)
    const { sql, statements } = batchOf(args[0] as readonly unknown[])
    const observation = new Observation(this.instance, 'batch', sql, [], performance.now())
    // Of one statement it is none: https://opentelemetry.io/docs/specs/semconv/database/database-spans/
    if (statements.length !== 1) observation.batchSize = statements.length
    this.recorder.begin(observation)
    return settled(next(session, args) as Promise<unknown[]>, (results, failure) => {
      const endMs = performance.now()
      tellBatch(observation, outcomesOf(statements, results))
      this.recorder.end(observation, endMs, failure === undefined ? 'ok' : 'error', failure?.error)
    })
  }

  observe<R>(
    on: object,
    statement: DirectStatement,
    send: () => R,
    outcomeOf: (result: Awaited<R>) => DirectOutcome,
  ): R {
    const { recorder, instance } = this
    if (!recorder.isEnabled) return send()
    const tracker = this.#trackers.get(on)
    const ambient = (on as DrizzleSession).dialect[ambientTransactions]
    const to = () => ({
      recorder,
      instance,
      conn: 0,
      tx: tracker === undefined ? ambient?.current : tracker.current,
      ran: (ms: number): void => (tracker ?? ambient)?.ran(ms),
      failed: (error: unknown): void => tracker?.failed(error),
    })
    return observeDirect(to, statement, send, outcomeOf)
  }

  begins(event: TransactionEvent): void {
    if (this.recorder.isEnabled) this.recorder.transactionBegins(this.instance, event)
  }

  ended(event: TransactionEvent): void {
    // One that began before it was switched off is open no more.
    this.recorder.transactionEnded(this.instance.database, event)
  }

  #forget(run: DrizzleTransaction, known: TransactionTracker | undefined): void {
    if (run.session !== undefined && known === undefined) this.#trackers.delete(run.session)
  }
}

/** The rows of all statements; those that were changed, where the driver tells it of any. */
function tellBatch(observation: Observation, batch: readonly BatchedOutcome[]): void {
  observation.batch = batch
  observation.rows = batch.reduce((sum, { rows }) => sum + rows, 0)
  for (const { affectedRows } of batch)
    if (affectedRows !== undefined)
      observation.affectedRows = (observation.affectedRows ?? 0) + affectedRows
}

/** One call of `db.transaction()`, seen from around it and from inside. */
class DrizzleTransaction {
  readonly #tracker: TransactionTracker
  readonly #isNested: boolean
  readonly #isSync: boolean
  readonly #began: ReturnType<TransactionTracker['sent']>
  #end: ReturnType<TransactionTracker['sent']> | undefined
  #isKept = false
  /** Of the handle. */
  session: object | undefined

  /** @param isNested on a connection that has a transaction already, where the client makes it a savepoint */
  constructor(tracker: TransactionTracker, isNested: boolean, isSync: boolean) {
    this.#tracker = tracker
    this.#isNested = isNested
    this.#isSync = isSync
    const now = performance.now()
    this.#began = tracker.sent(
      isNested ? { kind: 'savepoint', savepoint: nestedName } : { kind: 'begin' },
      now,
      now,
    )
  }

  /** The callback as the driver is to have it: of the same kind, since a driver may look at that. */
  watch(
    fn: Callback,
    begun: (tx: { readonly session: object }, tracker: TransactionTracker) => void,
  ): Callback {
    const watched: Callback = (tx, ...rest) => {
      this.session = tx.session
      begun(tx, this.#tracker)
      this.#began(performance.now(), undefined, false)
      let result: unknown
      try {
        result = fn(tx, ...rest)
      } catch (error) {
        this.#closes(false)
        throw error
      }
      if (isThenable(result) && !this.#isSync)
        return settled(result, (_, failure) => this.#closes(failure === undefined))
      // A synchronous driver refuses a promise, and does not ask it for anything.
      this.#closes(true)
      return result
    }
    return isAsync(fn) ? async (tx, ...rest) => watched(tx, ...rest) : watched
  }

  succeeded(): void {
    this.#end?.(performance.now(), undefined, false)
    this.#release()
  }

  failed(error: unknown): void {
    const now = performance.now()
    if (this.#end === undefined) this.#began(now, { error }, false)
    else this.#end(now, this.#isKept ? { error } : undefined, false)
    this.#release()
    // A COMMIT that failed is followed by no other statement here.
    if (this.#isKept && !this.#isNested) this.#tracker.released(now)
  }

  #closes(isKept: boolean): void {
    this.#isKept = isKept
    const now = performance.now()
    const kind = this.#isNested
      ? isKept
        ? 'release'
        : 'rollback to'
      : isKept
        ? 'commit'
        : 'rollback'
    this.#end = this.#tracker.sent(
      this.#isNested ? { kind, savepoint: nestedName } : { kind },
      now,
      now,
    )
  }

  /** A savepoint that was rolled back to is there until it is released. */
  #release(): void {
    if (!this.#isNested || this.#isKept) return
    const now = performance.now()
    this.#tracker.sent({ kind: 'release', savepoint: nestedName }, now, now)(now, undefined, false)
  }
}

const nestedName = 'nested by the client'

function isAsync(fn: Callback): boolean {
  return Object.prototype.toString.call(fn) === '[object AsyncFunction]'
}
