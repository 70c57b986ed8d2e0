import type { ErrorCategory, QueryFingerprint } from '@keelson/core'
import type { SampledValue } from './sampled-values.ts'
import { Histogram } from './histogram.ts'
import { Recent } from './recent.ts'

/** The calls that failed for one reason. */
export class FailedCalls {
  readonly histogram: Histogram = new Histogram()
  totalMs = 0

  add(ms: number): void {
    this.histogram.record(ms)
    this.totalMs += ms
  }

  absorb(other: FailedCalls): void {
    this.histogram.add(other.histogram)
    this.totalMs += other.totalMs
  }
}

/**
 * All that is known of the calls of one fingerprint, in about 3 kB however many there are, and 2 kB more for each reason that
 * some have failed for.
 */
export class QueryStats {
  readonly fp: QueryFingerprint
  /** A statement that it is the fingerprint of, as the ORM has printed it; none of one that is very long. */
  readonly sql: string | undefined
  /** The values of some calls of just that statement, where somebody wants them. */
  samples: (readonly SampledValue[])[] | undefined
  calls = 0
  /** Calls that failed, also those that were aborted. */
  errors = 0
  /** Those that failed, by what for. */
  readonly failures: Map<ErrorCategory, FailedCalls> = new Map()
  /** Rows that were returned. */
  rows = 0
  /** Rows that the engine says were changed. */
  affectedRows = 0
  /** Milliseconds of work: executing and decoding; of a stream the database's time. Waiting is apart. */
  totalMs = 0
  waitMs = 0
  decodeMs = 0
  minMs: number = Infinity
  maxMs = 0
  /** The longest that a call has waited for a connection. */
  maxWaitMs = 0
  /**
   * Sum of the squares. Welford's sum of squared differences takes two divisions for each call, to be exact where this is off
   * by 1e-7 of the mean.
   */
  #squares = 0
  readonly histogram: Histogram = new Histogram()
  readonly recent: Recent = new Recent()
  /** `performance.now()` at the end of the last call. */
  lastMs = 0
  /** A call that takes so many milliseconds is slow for what it is; kept by the recorder. */
  slowForItMs: number = Infinity
  /** How the engine runs it, once that was asked. */
  plan: QueryPlan | undefined
  /** Whether the plan was asked for, whatever came of it. */
  isPlanAsked = false
  /** `performance.now()` then. */
  planAskedMs = 0
  /** Its place was given to another one: what held it has to look it up again. */
  isEvicted = false

  constructor(fp: QueryFingerprint, sql?: string) {
    this.fp = fp
    this.sql = sql
  }

  /**
   * Counts a call.
   *
   * @param ms execution and decoding, in milliseconds
   * @param waitMs milliseconds before that
   * @param endMs `performance.now()` when it ended
   */
  add(
    ms: number,
    waitMs: number,
    decodeMs: number,
    rows: number,
    affectedRows: number,
    endMs: number,
  ): void {
    this.calls++
    this.totalMs += ms
    this.#squares += ms * ms
    this.waitMs += waitMs
    this.decodeMs += decodeMs
    this.rows += rows
    this.affectedRows += affectedRows
    if (ms < this.minMs) this.minMs = ms
    if (ms > this.maxMs) this.maxMs = ms
    if (waitMs > this.maxWaitMs) this.maxWaitMs = waitMs
    this.lastMs = endMs
    this.histogram.record(ms)
    this.recent.add(ms, endMs)
  }

  /** The call that was counted last has failed. @param ms what it took, as it was counted */
  addError(category: ErrorCategory, ms: number): void {
    this.errors++
    this.#failed(category).add(ms)
  }

  #failed(category: ErrorCategory): FailedCalls {
    let failed = this.failures.get(category)
    if (failed === undefined) this.failures.set(category, (failed = new FailedCalls()))
    return failed
  }

  get meanMs(): number {
    return this.calls === 0 ? 0 : this.totalMs / this.calls
  }

  /** Standard deviation of the calls, in milliseconds. */
  get deviationMs(): number {
    const { calls, totalMs } = this
    const squares = this.#squares - (totalMs * totalMs) / calls
    return calls < 2 ? 0 : Math.sqrt(Math.max(0, squares) / (calls - 1))
  }

  /** A quantile of the calls in milliseconds, never outside of what was really seen. */
  quantile(share: number): number {
    if (this.calls === 0) return 0
    return Math.min(this.maxMs, Math.max(this.minMs, this.histogram.quantile(share)))
  }

  /** Takes over the calls of another one, so that none is lost with it. */
  absorb(other: QueryStats): void {
    if (other.calls === 0) return
    this.calls += other.calls
    this.#squares += other.#squares
    this.errors += other.errors
    for (const [category, failed] of other.failures) this.#failed(category).absorb(failed)
    this.rows += other.rows
    this.affectedRows += other.affectedRows
    this.totalMs += other.totalMs
    this.waitMs += other.waitMs
    this.decodeMs += other.decodeMs
    this.minMs = Math.min(this.minMs, other.minMs)
    this.maxMs = Math.max(this.maxMs, other.maxMs)
    this.maxWaitMs = Math.max(this.maxWaitMs, other.maxWaitMs)
    this.lastMs = Math.max(this.lastMs, other.lastMs)
    this.histogram.add(other.histogram)
  }
}

/** How an engine runs a statement. */
export interface QueryPlan {
  /** Tables that are read from beginning to end. */
  readonly scans: readonly string[]
  /** Indexes that are used. */
  readonly indexes: readonly string[]
  /** Whether rows are sorted, or grouped, without the help of an index. */
  readonly sorts: boolean
  /** The engine's own words, one line each. */
  readonly lines: readonly string[]
}
