import { createTiming, type QueryEvent, type Timing, type TransactionEvent } from '@keelson/timing'

/** A timing, and what its sinks were told. */
export interface Listening {
  readonly timing: Timing
  /** What they were told since the last call. */
  queries(): QueryEvent[]
  transactions(): TransactionEvent[]
  /** Begins anew, once a test has prepared what it needs. */
  forget(): void
}

export function listening(options: Parameters<typeof createTiming>[0] = {}): Listening {
  const queries: QueryEvent[] = []
  const transactions: TransactionEvent[] = []
  const timing = createTiming({
    sinks: [
      {
        query: (event) => queries.push({ ...event }),
        transaction: (event) => transactions.push({ ...event }),
      },
    ],
    ...options,
  })
  return {
    timing,
    queries: () => queries.splice(0),
    transactions: () => transactions.splice(0),
    forget() {
      queries.length = 0
      transactions.length = 0
      timing.reset()
    },
  }
}
