import {
  describeError,
  nextEventId,
  type TransactionEvent,
  type TransactionOutcome,
} from '@keelson/core'
import type { ControlStatement } from './control-statement.ts'
import type { Recorder } from './recorder.ts'
import type { DatabaseInstance } from './database-instance.ts'

/** A transaction or savepoint that is open. */
interface Open {
  readonly event: TransactionEvent
  readonly savepoint: string | undefined
  /** `performance.now()` when BEGIN had come back. */
  openedMs: number
  busyMs: number
  /** It is what follows a ROLLBACK TO: the savepoint is there until it is released, and may never be used again. */
  readonly isContinued: boolean
  commitError: { readonly error: unknown } | undefined
  /** A statement directly in it was refused: PostgreSQL takes no other one, and answers a COMMIT with ROLLBACK. */
  hasFailed: boolean
}

/** The transaction of one connection, told by the statements that are sent on it. */
export class TransactionTracker {
  readonly #recorder: Recorder
  readonly #instance: DatabaseInstance
  readonly #conn: number
  /** The transaction first, the innermost savepoint last. */
  readonly #open: Open[] = []

  constructor(recorder: Recorder, instance: DatabaseInstance, conn: number) {
    this.#recorder = recorder
    this.#instance = instance
    this.#conn = conn
  }

  /** The innermost scope, for the events of statements. */
  get current(): { readonly id: number; readonly depth: number } | undefined {
    // Most statements are in none.
    if (this.#open.length === 0) return undefined
    const { id, depth } = this.#open.at(-1)!.event
    return { id, depth }
  }

  /** The root transaction. */
  get root(): TransactionEvent | undefined {
    return this.#open[0]?.event
  }

  /** @param ms how long a statement inside it ran */
  ran(ms: number): void {
    for (const open of this.#open) {
      open.event.queries++
      open.busyMs += ms
    }
  }

  /** A statement in the innermost scope was refused by its engine, and may have failed all of that. */
  failed(error: unknown): void {
    const open = this.#open.at(-1)
    if (open !== undefined && describeError(error).engine === 'postgresql') open.hasFailed = true
  }

  /**
   * A control statement is sent.
   *
   * @param askedMs when the connection was asked for
   * @param sentMs when it was sent
   * @returns to be called when it has ended, with the time then and its error
   */
  sent(
    { kind, savepoint }: ControlStatement,
    askedMs: number,
    sentMs: number,
  ): (
    endMs: number,
    failure: { readonly error: unknown } | undefined,
    wasRolledBack: boolean,
  ) => void {
    if (kind === 'begin' || (kind === 'savepoint' && this.#open.length > 0)) {
      const open = this.#begin(savepoint, askedMs, sentMs)
      return (endMs, failure) => this.#begun(open, sentMs, endMs, failure)
    }
    return (endMs, failure, wasRolledBack) => {
      const ms = endMs - sentMs
      if (failure !== undefined) {
        const root = this.#open[0]
        // It may still be open, and be committed or rolled back next.
        if (kind === 'commit' && root !== undefined) root.commitError = failure
        return
      }
      switch (kind) {
        case 'commit':
          return this.#end(
            0,
            wasRolledBack || this.#open[0]?.hasFailed === true ? 'rolled_back' : 'committed',
            ms,
            endMs,
          )
        case 'rollback':
          return this.#end(0, 'rolled_back', ms, endMs)
        case 'release':
          return this.#end(this.#indexOf(savepoint), 'committed', ms, endMs)
        case 'rollback to': {
          const index = this.#indexOf(savepoint)
          if (index === -1) return undefined
          this.#end(index, 'rolled_back', ms, endMs)
          const open = this.#begin(savepoint, endMs, endMs, true)
          this.#begun(open, endMs, endMs, undefined)
          return undefined
        }
        default:
          return undefined
      }
    }
  }

  /** The connection was given back with the transaction open. */
  released(nowMs: number): void {
    this.#end(0, 'released_unfinished', 0, nowMs)
  }

  #begin(
    savepoint: string | undefined,
    askedMs: number,
    sentMs: number,
    isContinued = false,
  ): Open {
    const parent = this.#open.at(-1)?.event
    const { name, system } = this.#instance.database
    const event: TransactionEvent = {
      v: 1,
      id: nextEventId(),
      depth: this.#open.length,
      system,
      db: name,
      conn: this.#conn,
      pool: name,
      startMs: askedMs,
      waitMs: sentMs - askedMs,
      beginMs: 0,
      commitMs: 0,
      openMs: 0,
      idleInTxMs: 0,
      queries: 0,
      outcome: undefined,
    }
    if (parent !== undefined) event.parentId = parent.id
    const open: Open = {
      event,
      savepoint,
      openedMs: 0,
      busyMs: 0,
      isContinued,
      commitError: undefined,
      hasFailed: false,
    }
    this.#recorder.transactionBegins(this.#instance, event)
    return open
  }

  #begun(
    open: Open,
    sentMs: number,
    endMs: number,
    failure: { readonly error: unknown } | undefined,
  ): void {
    const { event } = open
    event.beginMs = endMs - sentMs
    open.openedMs = endMs
    if (failure === undefined) {
      this.#open.push(open)
      return
    }
    event.outcome = 'begin_failed'
    event.error = failure.error
    this.#recorder.transactionEnded(this.#instance.database, event)
  }

  /** The innermost savepoint of that name, which may hide others. */
  #indexOf(savepoint: string | undefined): number {
    return this.#open.findLastIndex((open) => open.savepoint === savepoint && open.event.depth > 0)
  }

  /** Ends what is at `first` and inside it. */
  #end(first: number, outcome: TransactionOutcome, closingMs: number, endMs: number): void {
    if (first === -1) return
    for (const open of this.#open.splice(first).toReversed()) {
      const { event, commitError } = open
      if (open.isContinued && event.queries === 0) continue
      event.commitMs = closingMs
      event.openMs = endMs - open.openedMs
      event.idleInTxMs = Math.max(0, event.openMs - open.busyMs - closingMs)
      event.outcome = outcome
      if (commitError !== undefined && outcome !== 'committed') {
        event.outcome = 'commit_failed'
        event.error = commitError.error
      }
      this.#recorder.transactionEnded(this.#instance.database, event)
    }
  }
}
