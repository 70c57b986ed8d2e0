import type { EngineName } from '@keelson/core'
import type { IndexDefinition } from '../../ir/index-definition.ts'
import type { RefusalCode } from '../../ir/refusal.ts'
import type { IndexDrop } from '../select/drops.ts'

/** Which indexes to create, which could go, and what says so. Plain data: it can be kept as JSON. No values are in it. */
export interface IndexAdvice {
  /** Version of this shape. */
  readonly v: 1
  readonly engine: EngineName
  /** Who said how queries would run. */
  readonly method: 'clone' | 'hypopg' | 'createAndRollBack' | 'rules'
  /** In the order in which they are to be created: the one with the most gain first. */
  readonly proposals: readonly IndexProposal[]
  readonly refused: readonly AdviceRefusal[]
  /** Advice of its own: nothing else depends on it. */
  readonly drops: readonly IndexDrop[]
  readonly queries: readonly AdvisedQuery[]
  readonly workload: WorkloadSummary
  /** The statements that do what is proposed, statistics included. */
  readonly sql: readonly string[]
}

export interface IndexProposal {
  readonly table: string
  /** With its name. */
  readonly index: IndexDefinition & { readonly name: string }
  readonly sql: string
  /** What undoes it. */
  readonly down: string
  /** Ids of the queries that use it. */
  readonly queries: readonly string[]
  /** Which part of the workload's present cost would be back without it, from 0 to 1. */
  readonly gain: number
  /** The same in milliseconds: an estimate. */
  readonly gainMs: number
  /** An estimate. */
  readonly bytes: number
  /** Rows written in the time of the workload that it has to be kept up with, and what that takes. */
  readonly writes: { readonly rows: number; readonly ms: number }
  /**
   * `high`: the engine's planner said so, with values that were asked for; `medium`: with average values, or a query was
   * not wholly understood; `low`: by rules alone.
   */
  readonly confidence: 'high' | 'medium' | 'low'
  /** DuckDB, where it was asked for: a scan was seen to use it. */
  readonly verified?: boolean
}

export interface AdviceRefusal {
  readonly table: string
  /** Its table, keys and condition, for people to read. */
  readonly index: string
  readonly code: AdviceRefusalCode
  readonly why: string
}

export type AdviceRefusalCode =
  | RefusalCode
  /** It would make a query slower. */
  | 'REGRESSION'
  /** No plan would use it, or only for what others do already. */
  | 'NOT_USED'
  /** It saves too little. */
  | 'NO_GAIN'
  /** A call would save less than `minCallGainUs`. */
  | 'SMALL_CALL_GAIN'
  /** Keeping it takes more than it saves. */
  | 'WRITE_COST'
  | 'BUDGET'
  | 'TABLE_LIMIT'
  /** The table is small: reading all of it is as good. */
  | 'SMALL_TABLE'

export interface AdvisedQuery {
  /** Hash of its text. */
  readonly id: string
  /** Without values. */
  readonly text: string
  readonly calls: number
  /** Milliseconds of one call: estimates. */
  readonly beforeMs: number
  readonly afterMs: number
  readonly planBefore: readonly string[]
  readonly planAfter: readonly string[]
  /** Tables that it reads from beginning to end, now and afterwards; small ones are left out. */
  readonly scansBefore: readonly string[]
  readonly scansAfter: readonly string[]
  /** What of it was not understood. */
  readonly problems: readonly string[]
}

export interface WorkloadSummary {
  readonly queries: number
  readonly calls: number
  /** Statements, and calls of them, whose text was not understood. */
  readonly unread: { readonly queries: number; readonly calls: number }
  /** Whether statements that are known by their text only were read: `missing` where `@guanmingchiu/sqlparser-ts` is not installed. */
  readonly parser: 'loaded' | 'missing' | 'notNeeded'
  /** Statements that the engine could not plan on the copy. */
  readonly unplanned: number
  /** Milliseconds of all calls: estimates. */
  readonly beforeMs: number
  readonly afterMs: number
  /** Bytes of all proposals. */
  readonly bytes: number
  /** The largest ratio of cost afterwards to cost before, of all queries. */
  readonly worstRegression: number
}
