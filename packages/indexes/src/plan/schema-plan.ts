import type { EngineName } from '@keelson/core'
import type { Refusal } from '../ir/refusal.ts'

/** What has to be done for a database to have the given tables: plain data, in the order in which it is done. */
export interface SchemaPlan {
  /** Version of this shape. */
  readonly v: 1
  readonly engine: EngineName
  /** Hash of what the database had of these tables when the plan was made; `applyPlan` refuses another one. */
  readonly fingerprint: string
  /** The tables that it is about, those without steps too: what the fingerprint is of. */
  readonly tables: readonly { readonly name: string; readonly schema?: string }[]
  readonly steps: readonly PlanStep[]
  readonly refused: readonly Refusal[]
  /** Indexes of the tables that were not created from a definition; they stay. */
  readonly unmanaged: readonly string[]
}

/**
 * What a step means for those who use the database meanwhile. `safe`: done at once; `slow`: reads or writes the whole
 * table; `locking`: nobody writes (or reads) the table meanwhile; `destructive`: data is lost.
 */
export type Risk = 'safe' | 'slow' | 'locking' | 'destructive'

export interface PlanStep {
  readonly kind:
    | 'createTable'
    | 'dropTable'
    | 'addColumn'
    | 'dropColumn'
    | 'alterColumn'
    | 'rebuildTable'
    | 'createIndex'
    | 'dropIndex'
    | 'addCheck'
    | 'dropCheck'
    | 'addForeignKey'
    | 'dropForeignKey'
  readonly table: string
  /** The schema of the table, where its definition names one. */
  readonly schema?: string
  /** The column, index or constraint. */
  readonly object?: string
  readonly risk: Risk
  /** What it is for, in a sentence. */
  readonly why: string
  readonly sql: readonly string[]
  /** What undoes it exactly, in the order in which it is to be run. Data that was lost does not come back. */
  readonly down: readonly string[]
  /** `false` where the engine cannot do it in a transaction, such as PostgreSQL's `CREATE INDEX CONCURRENTLY`. */
  readonly transactional: boolean
  /** What it will cost; absent for what is done at once. */
  readonly estimate?: StepEstimate
  /** What is asked before it, so that a row which cannot be as the step demands is shown. */
  readonly prechecks?: readonly StepCheck[]
  /** The fingerprint that the tables of the plan have after it: by it a plan that was interrupted is taken up again. */
  readonly after: string
}

/** A query that finds a row which is in the way of a step. */
export interface StepCheck {
  readonly finds: 'duplicates' | 'nulls' | 'violations' | 'rows'
  /** What it is about, as the message names it. */
  readonly of: string
  /** Returns one row, an example, or none. */
  readonly sql: string
}

export interface StepEstimate {
  readonly rows: number
  readonly ms: number
  readonly bytes: number
}
