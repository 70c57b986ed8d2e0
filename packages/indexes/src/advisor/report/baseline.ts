import type { AdvisedQuery, IndexAdvice } from './advice.ts'

/** Which queries read whole tables: kept in a repository, so that CI tells of new ones. Plain data, without values. */
export interface ScanBaseline {
  /** Version of this shape. */
  readonly v: 1
  readonly scans: readonly FullScan[]
}

/** A query that reads all of a table. */
export interface FullScan {
  /** Id of the query. */
  readonly query: string
  readonly text: string
  readonly table: string
}

/** The full scans of today. */
export function scanBaseline(advice: IndexAdvice): ScanBaseline {
  return { v: 1, scans: advice.queries.flatMap(scansOf) }
}

/** The full scans of today that the baseline does not have. */
export function newFullScans(advice: IndexAdvice, baseline: ScanBaseline): readonly FullScan[] {
  const known = new Set(baseline.scans.map(({ query, table }) => `${query} ${table}`))
  return scanBaseline(advice).scans.filter(({ query, table }) => !known.has(`${query} ${table}`))
}

function scansOf({ id, text, scansBefore }: AdvisedQuery): readonly FullScan[] {
  return scansBefore.map((table) => ({ query: id, text, table }))
}
