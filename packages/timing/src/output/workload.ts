import { isOwnText } from '../fingerprint/fingerprint.ts'
import { mayHoldValue } from '../fingerprint/may-hold-value.ts'
import { writeIn } from '../fingerprint/write-in.ts'
import type { WatchedDatabase } from '../record/watched-database.ts'
import type { QueryPlan, QueryStats } from '../stats/query-stats.ts'
import { otherText } from '../stats/registry.ts'
import type { SampledValue } from '../stats/sampled-values.ts'

/**
 * What an index advisor needs to know of the queries that ran: `workload.json`. All times are in milliseconds. No value of a
 * parameter is in it, and none that stands in a statement, unless `sampleParams` asks for them. What the advisor itself has
 * sent is left out.
 */
export interface Workload {
  /** Version of this shape. */
  readonly v: 1
  /** Wall-clock time, ISO 8601. */
  readonly takenAt: string
  /** The one with the most time first. */
  readonly queries: readonly WorkloadQuery[]
  /** By database and table, how many rows of it were written: what another index would cost. */
  readonly writes: Readonly<Record<string, Readonly<Record<string, number>>>>
}

export interface WorkloadQuery {
  /** Id of the fingerprint. */
  readonly id: string
  readonly database: string
  /** The engine: OpenTelemetry's `db.system.name`. */
  readonly system: string
  /** The statement without its values: the fingerprint. */
  readonly text: string
  /** A statement of that fingerprint as the ORM has printed it; absent where a value may stand in it, and of very long ones. */
  readonly sql: string | undefined
  readonly operation: string
  /** Whether anything in it changes what is stored. */
  readonly isWrite: boolean
  readonly tables: readonly string[]
  readonly calls: number
  /** Executing and decoding. */
  readonly totalMs: number
  readonly executeMs: number
  readonly p95Ms: number
  /** Rows that were returned. */
  readonly rows: number
  readonly affectedRows: number
  readonly plan: QueryPlan | undefined
  /** The values of some calls of `sql`; only with `sampleParams`. */
  readonly samples: readonly WorkloadSample[] | undefined
}

/** One call. */
export interface WorkloadSample {
  /** In the order of the placeholders. Dates are ISO 8601, 64-bit integers text. */
  readonly parameters: readonly SampledValue[]
}

const writes: ReadonlySet<string> = new Set([
  'INSERT',
  'UPDATE',
  'DELETE',
  'MERGE',
  'REPLACE',
  'COPY',
])

/** @param databases all that were measured */
export function workloadOf(databases: Iterable<WatchedDatabase>): Workload {
  const queries = Array.from(databases, (database) =>
    Array.from(database.registry)
      .filter(({ fp }) => fp.text !== otherText && !isOwnText(fp.text))
      .map((stats) => queryOf(database, stats)),
  )
    .flat()
    .toSorted((one, other) => other.totalMs - one.totalMs)
  return { v: 1, takenAt: new Date().toISOString(), queries, writes: writesIn(queries) }
}

function queryOf({ name, system }: WatchedDatabase, stats: QueryStats): WorkloadQuery {
  const { fp, sql, calls, totalMs, decodeMs, rows, affectedRows, plan, samples } = stats
  return {
    id: fp.id,
    database: name,
    system,
    text: fp.text,
    sql: sql === undefined || mayHoldValue(sql, system) ? undefined : sql,
    operation: fp.operation,
    isWrite: writeIn(fp.text) !== undefined,
    tables: fp.tables,
    calls,
    totalMs,
    executeMs: totalMs - decodeMs,
    p95Ms: stats.quantile(0.95),
    rows,
    affectedRows,
    plan,
    samples: samples?.map((parameters) => ({ parameters })),
  }
}

function writesIn(queries: readonly WorkloadQuery[]): Workload['writes'] {
  const all: Record<string, Record<string, number>> = named()
  for (const { database, text, tables, calls, rows, affectedRows } of queries) {
    const [table] = tables
    if (table === undefined || !writes.has(writeIn(text) ?? '')) continue
    const written = (all[database] ??= named())
    // Not every driver tells it, and of RETURNING some tell the rows alone.
    written[table] = (written[table] ?? 0) + Math.max(calls, affectedRows, rows)
  }
  return all
}

/** With no names of its own: a table may be called anything. */
function named<V>(): Record<string, V> {
  return Object.create(null) as Record<string, V>
}
