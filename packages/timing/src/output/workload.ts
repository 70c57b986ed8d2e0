import type { QueryPlan } from '../stats/query-stats.ts'
import type { QueryReport } from './report.ts'

/** What an index advisor needs to know of the queries that ran: `workload.json`. All times are in milliseconds. */
export interface Workload {
  /** Version of this shape. */
  readonly v: 1
  /** Wall-clock time, ISO 8601. */
  readonly takenAt: string
  readonly queries: readonly WorkloadQuery[]
  /** By table, how often rows of it were written: what another index would cost. */
  readonly writes: Readonly<Record<string, number>>
}

export interface WorkloadQuery {
  /** Id of the fingerprint. */
  readonly id: string
  readonly database: string
  /** The statement without its values. */
  readonly text: string
  readonly operation: string
  readonly tables: readonly string[]
  readonly calls: number
  readonly totalMs: number
  readonly p95Ms: number
  readonly rows: number
  readonly plan: QueryPlan | undefined
}

const writes: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'REPLACE'])

/** @param queries of a report */
export function workloadOf(takenAt: string, queries: readonly QueryReport[]): Workload {
  const written: Record<string, number> = Object.create(null) as Record<string, number>
  const known = queries.filter(({ operation }) => operation !== '')
  for (const { operation, tables, calls } of known) {
    const [table] = tables
    if (table !== undefined && writes.has(operation)) written[table] = (written[table] ?? 0) + calls
  }
  return {
    v: 1,
    takenAt,
    queries: known.map(
      ({ id, database, text, operation, tables, calls, totalMs, p95Ms, rows, plan }) => ({
        id,
        database,
        text,
        operation,
        tables,
        calls,
        totalMs,
        p95Ms,
        rows,
        plan,
      }),
    ),
    writes: written,
  }
}
