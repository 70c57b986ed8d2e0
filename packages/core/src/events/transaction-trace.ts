import type { TransactionObserver } from '../capabilities/transaction-observer.ts'
import { transactionChannel } from './channels.ts'
import { nextEventId } from './event-id.ts'
import type { TransactionEvent } from './transaction-event.ts'

/** What a driver knows of a transaction before it begins. */
export type TransactionStart = Pick<TransactionEvent, 'system' | 'db' | 'conn' | 'isolation'> &
  Partial<Pick<TransactionEvent, 'parentId' | 'depth'>>

/**
 * Publishes one transaction on `keelson:transaction`, and tells an observer of it. Make one only while somebody subscribes or
 * observes.
 */
export class TransactionTrace {
  readonly #event: TransactionEvent
  readonly #observer: TransactionObserver | undefined
  readonly #isPublished: boolean
  #busyMs = 0

  /** @param isPublished `false` where the driver publishes the same transaction itself */
  constructor(start: TransactionStart, observer?: TransactionObserver, isPublished = true) {
    this.#observer = observer
    this.#isPublished = isPublished
    this.#event = {
      v: 1,
      id: nextEventId(),
      depth: 0,
      ...start,
      pool: start.db,
      startMs: performance.now(),
      beginMs: 0,
      commitMs: 0,
      openMs: 0,
      idleInTxMs: 0,
      queries: 0,
      outcome: undefined,
    }
    observer?.begins(this.#event)
    if (!isPublished) return
    transactionChannel.start.publish(this.#event)
    transactionChannel.end.publish(this.#event)
  }

  /** The event's number, for the `parentId` of those inside it. */
  get id(): number {
    return this.#event.id
  }

  begun(): void {
    this.#event.beginMs = performance.now() - this.#event.startMs
  }

  /** @param ms how long the statement ran */
  ran(ms: number): void {
    this.#event.queries++
    this.#busyMs += ms
  }

  /** @param closingMs how long COMMIT or ROLLBACK took */
  ended(
    outcome: NonNullable<TransactionEvent['outcome']>,
    closingMs: number,
    error?: unknown,
  ): void {
    const event = this.#event
    event.outcome = outcome
    event.commitMs = closingMs
    event.openMs = performance.now() - event.startMs - event.beginMs
    event.idleInTxMs = Math.max(0, event.openMs - this.#busyMs - closingMs)
    if (error !== undefined) event.error = error
    this.#observer?.ended(event)
    if (!this.#isPublished) return
    if (error !== undefined) transactionChannel.error.publish(event)
    transactionChannel.asyncStart.publish(event)
    transactionChannel.asyncEnd.publish(event)
  }
}
