import type { WriteCounts } from './buffer-stats.ts'

/**
 * What became of a row that was added.
 *
 * - `written`: it is new in the table
 * - `updated`, `skipped`: a row of its key was there, and `onConflict` has said what to do
 * - `committed`: it went in with others, some of which were updated or skipped: the engine counts them and does not say
 *   which; or it was sent twice, and which time counted is not known
 * - `spilled`: it is in the spill, and will be written, by this process or by the next
 */
export interface Fate {
  readonly status: 'written' | 'updated' | 'skipped' | 'committed' | 'spilled'
}

/** A row of `addMany()` that was not written. */
export interface RejectedFate {
  readonly status: 'rejected'
  readonly error: unknown
}

const fates: Readonly<Record<Fate['status'], Fate>> = {
  written: Object.freeze({ status: 'written' }),
  updated: Object.freeze({ status: 'updated' }),
  skipped: Object.freeze({ status: 'skipped' }),
  committed: Object.freeze({ status: 'committed' }),
  spilled: Object.freeze({ status: 'spilled' }),
}

export const spilled: Fate = fates.spilled

/**
 * The fate that rows have in common which were committed together.
 *
 * @param mayBeThere whether an earlier attempt may have written some of them, which then count as skipped
 */
export function fateOf(
  { rows, inserted, updated, skipped }: WriteCounts,
  mayBeThere: boolean,
): Fate {
  if (inserted === rows) return fates.written
  if (updated === rows) return fates.updated
  return skipped === rows && !mayBeThere ? fates.skipped : fates.committed
}
