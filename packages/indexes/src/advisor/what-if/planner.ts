import type { EngineName } from '@keelson/core'
import type { Candidate } from '../candidates/table-index.ts'
import type { IndexAdvice } from '../report/advice.ts'
import type { QueryShape } from '../shape/query-shape.ts'

/** A query with the values of one of its calls, if they are known. */
export interface PlannedQuery {
  readonly sql: string
  readonly parameters: readonly unknown[] | undefined
  readonly shape: QueryShape
}

/** How a query would run. */
export interface Plan {
  /** In nanoseconds, or in what the planner counts: for comparing. */
  readonly cost: number
  /** The same, were the most common values asked for; where values are known it is `cost`. */
  readonly worst: number
  /** Names of the indexes that it uses. */
  readonly uses: readonly string[]
  /** Tables that it reads from beginning to end. */
  readonly scans: readonly string[]
  /** The plan in words, one line each. */
  readonly lines: readonly string[]
}

/** What says how queries would run if there were further indexes. */
export interface Planner {
  readonly method: IndexAdvice['method']
  readonly engine: EngineName
  /** Nanoseconds that one unit of its costs stands for. */
  readonly unit: number
  /** By how much the estimates of a sample may be wrong: factors under which a plan may turn over. */
  readonly doubts: readonly number[]
  /**
   * @param candidates that are there as well
   * @param doubt how many rows there are for the same keys of a candidate, times the estimate
   * @returns undefined where it cannot plan the query
   */
  plan(
    query: PlannedQuery,
    candidates: readonly Candidate[],
    doubt: number,
  ): Promise<Plan | undefined> | Plan | undefined
  close(): Promise<void> | void
}
