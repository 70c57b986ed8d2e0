import type { PoolEvent, QueryEvent, Signal, TransactionEvent } from '@keelson/core'

/**
 * Hears of what happens, when it is over. It is called in the async context of the caller and nothing waits for it: a sink
 * that throws, or whose promise rejects, costs itself alone, is counted, and warned of once.
 *
 * Events are used again for nothing else, but hold what the next sink is told: read them, do not change them.
 */
export interface Sink {
  query?(event: QueryEvent): unknown
  transaction?(event: TransactionEvent): unknown
  /** Each time a connection was got, where the pool is known: see `WatchedDatabaseOptions`. */
  pool?(event: PoolEvent): unknown
  signal?(signal: Signal): unknown
}
