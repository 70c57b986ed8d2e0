import type { Steps } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import type { BulkInsertMethod } from '../report.ts'
import type { Columns, Run } from '../shape/run.ts'

/** A way by which rows get into an engine. */
export interface Method {
  /** As the report names it; a fallback is known once it was taken. */
  readonly name: BulkInsertMethod
  /**
   * Whether inserted and updated rows are told apart by how many rows the table has, before everything and afterwards:
   * nobody else writes to it meanwhile, as far as the transaction sees.
   */
  readonly countsTable: boolean
  /** Whether the engine works beside this thread, which can make other rows ready meanwhile. */
  isBeside(session: HostSession): boolean
  /**
   * Inserts the rows of a run from one position to another, and returns how far it came.
   *
   * @param before what has to be over before anything is sent; until then the rows can be made ready. What comes of it
   *   once that has failed is of no interest.
   */
  insert(
    session: HostSession,
    run: Run,
    from: number,
    to: number,
    before?: Promise<unknown>,
  ): Steps<Attempt>
  /**
   * Where the engine takes the rows of a statement as a set, and updates those that are there: asks it which keys are equal.
   *
   * @param keys values of the columns of the conflict target, by column, none of them a NULL
   * @returns positions of equal ones, in their order, at least two of each
   */
  sameKeys?(session: HostSession, keys: Columns): Steps<readonly (readonly number[])[]>
  /** The same without asking, as far as the values tell: the positions of rows whose key another row before them has. */
  duplicatesIn?(run: Run, from: number, to: number): readonly number[]
}

export interface Attempt {
  readonly outcome: Outcome
  /** Rows that are in; all of them unless there is a failure. */
  readonly done: number
  readonly failure: Failure | undefined
}

export interface Failure {
  readonly error: unknown
  /** How many rows after those were tried together, and failed together. */
  readonly size: number
  /** The position among those of the one that is to blame, where the engine or the driver tells. */
  readonly position?: number | undefined
}

/** What became of rows that an engine has taken. */
export interface Outcome {
  /** Inserted or updated; undefined where that cannot be known. */
  readonly changes: number | undefined
  /** Undefined where that cannot be told from the updated ones, or is told by the table's count. */
  readonly inserted: number | undefined
  /** What `RETURNING` gave. */
  readonly returned: readonly Record<string, unknown>[]
}

export const nothing: Outcome = Object.freeze({
  changes: 0,
  inserted: 0,
  returned: Object.freeze([]),
})
