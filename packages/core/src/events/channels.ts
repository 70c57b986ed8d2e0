import { tracingChannel, type TracingChannel } from 'node:diagnostics_channel'
import type { PoolEvent } from './pool-event.ts'
import type { QueryEvent } from './query-event.ts'
import type { TransactionEvent } from './transaction-event.ts'

/**
 * Tracing channels, for whoever wants to observe every database of the process without touching its set-up.
 *
 * They are published to only while somebody subscribes: guard each operation with `channel.hasSubscribers` (some
 * nanoseconds) and make the event after that.
 *
 * A subscriber that throws does not disturb the operation, nor the subscribers after it: Node catches the error
 * inside `publish`. But Node raises it again on the next tick as an uncaught exception, which ends a process that has
 * no `uncaughtException` handler; the same on Node 22 and 24, for `bindStore` transforms too. No publisher can
 * prevent that. So a subscriber catches its own errors; the sinks of `@keelson/timing` are guarded and do not need to.
 */
export const queryChannel: TracingChannel<object, QueryEvent> = tracingChannel<object, QueryEvent>(
  'keelson:query',
)

/** Transactions and savepoints, see `queryChannel`. */
export const transactionChannel: TracingChannel<object, TransactionEvent> = tracingChannel<
  object,
  TransactionEvent
>('keelson:transaction')

/** Acquires of every `Pool`, see `queryChannel`. An acquire that did not have to wait is published all the same. */
export const poolAcquireChannel: TracingChannel<object, PoolEvent> = tracingChannel<
  object,
  PoolEvent
>('keelson:pool:acquire')

/**
 * Runs an operation and publishes it: `start`, `end` when the call returned, then `asyncStart` and `asyncEnd` when its
 * promise settled, `error` before these when it failed. All carry the same event object.
 *
 * The operation's own promise is returned, not one derived from it, so that observing adds no tick and changes no
 * error. The event is published before any handler that the caller adds runs. Stores bound to `start` hold during
 * the operation. One thing does change while somebody subscribes: a failure that the caller ignores is not reported as
 * an unhandled rejection, because the publisher has handled it.
 *
 * @param event made by the caller; `error` is set here when the operation fails
 * @param operation fills its results into the event before it settles
 * @param complete fills in what is known only at the end, before the end is published
 * @example
 * if (!queryChannel.hasSubscribers) return run()
 * const event: QueryEvent = { v: 1, id: nextEventId(), ... }
 * return traceAsync(queryChannel, event, run)
 */
export function traceAsync<E extends { error?: unknown }, R>(
  channel: TracingChannel<object, E>,
  event: E,
  operation: () => Promise<R>,
  complete?: (event: E) => void,
): Promise<R> {
  const failed = (error: unknown): void => {
    event.error = error
    complete?.(event)
    channel.error.publish(event)
  }
  const settled = (): void => {
    channel.asyncStart.publish(event)
    channel.asyncEnd.publish(event)
  }
  return channel.start.runStores(event, () => {
    let promise: Promise<R>
    try {
      promise = operation()
    } catch (error) {
      failed(error)
      channel.end.publish(event)
      settled()
      throw error
    }
    channel.end.publish(event)
    promise.then(
      () => {
        complete?.(event)
        settled()
      },
      (error: unknown) => {
        failed(error)
        settled()
      },
    )
    return promise
  })
}

/**
 * Runs a synchronous operation and publishes it with the same four steps as `traceAsync`, so that a subscriber needs
 * to listen to `asyncEnd` only.
 *
 * @param event made by the caller; `error` is set here when the operation throws
 * @param operation fills its results into the event before it returns
 */
export function traceSync<E extends { error?: unknown }, R>(
  channel: TracingChannel<object, E>,
  event: E,
  operation: () => R,
): R {
  return channel.start.runStores(event, () => {
    try {
      return operation()
    } catch (error) {
      event.error = error
      channel.error.publish(event)
      throw error
    } finally {
      channel.end.publish(event)
      channel.asyncStart.publish(event)
      channel.asyncEnd.publish(event)
    }
  })
}
