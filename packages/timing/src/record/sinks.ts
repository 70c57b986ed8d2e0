import {
  type PoolEvent,
  type QueryEvent,
  type Signal,
  started,
  type TransactionEvent,
} from '@keelson/core'
import type { Sink } from '../sink.ts'
import { messageOf } from './message-of.ts'

/** Tells every sink, whatever the one before it does. */
export class Sinks {
  /** Another one with each change, so that a sink may take itself away while all are told. */
  #sinks: readonly Sink[]
  #warned = false
  /** How often a sink has thrown, or its promise was rejected. */
  failures = 0
  /** Whether anybody hears of queries: if not, no event is made. */
  hearsQueries = false
  hearsTransactions = false
  hearsPools = false

  constructor(sinks: readonly Sink[]) {
    this.#sinks = [...sinks]
    this.#look()
  }

  /** @returns takes the sink away again */
  add(sink: Sink): () => void {
    this.#sinks = [...this.#sinks, sink]
    this.#look()
    return () => {
      const at = this.#sinks.indexOf(sink)
      if (at !== -1) this.#sinks = this.#sinks.toSpliced(at, 1)
      this.#look()
    }
  }

  query(event: QueryEvent): void {
    // Without the closure of #call(): this is done for every statement.
    for (const sink of this.#sinks) {
      if (sink.query === undefined) continue
      try {
        this.#watch(sink.query(event))
      } catch (error) {
        this.failed(error)
      }
    }
  }

  transaction(event: TransactionEvent): void {
    for (const sink of this.#sinks)
      if (sink.transaction !== undefined) this.#call(() => sink.transaction!(event))
  }

  pool(event: PoolEvent): void {
    for (const sink of this.#sinks) if (sink.pool !== undefined) this.#call(() => sink.pool!(event))
  }

  signal(signal: Signal): void {
    for (const sink of this.#sinks)
      if (sink.signal !== undefined) this.#call(() => sink.signal!(signal))
  }

  #look(): void {
    this.hearsQueries = this.#sinks.some((sink) => sink.query !== undefined)
    this.hearsTransactions = this.#sinks.some((sink) => sink.transaction !== undefined)
    this.hearsPools = this.#sinks.some((sink) => sink.pool !== undefined)
  }

  #call(tell: () => unknown): void {
    try {
      this.#watch(tell())
    } catch (error) {
      this.failed(error)
    }
  }

  #watch(result: unknown): void {
    const told = started(result)
    if (told instanceof Promise) told.catch(this.failed)
  }

  /** Counts a failure of what is not the caller's business, and warns of the first one. */
  readonly failed = (error: unknown): void => {
    this.failures++
    if (this.#warned) return
    this.#warned = true
    process.emitWarning(
      `A sink of createTiming() failed, or what it is told of could not be read; this and later failures are counted (timing.sinkFailures). ${messageOf(error)}`,
      { type: 'KeelsonWarning', code: 'KEELSON_SINK' },
    )
  }
}
