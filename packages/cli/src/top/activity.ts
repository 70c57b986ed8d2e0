import { Histogram } from '@keelson/timing'
import type { Buckets, ServedQuery, ServedReport } from './endpoint.ts'

/** What happened between two reports, or since the application began. All times are in milliseconds. */
export interface Activity {
  /** Wall-clock time of the later report, ISO 8601. */
  readonly takenAt: string
  /** Seconds between the two; `undefined` for everything since the beginning. */
  readonly seconds: number | undefined
  /** Within the seconds; since the beginning, those of the last minute. */
  readonly callsPerSecond: number
  readonly totals: ActivityTotals
  readonly queries: readonly QueryActivity[]
  readonly databases: ServedReport['databases']
  readonly findings: readonly string[]
}

export interface ActivityTotals {
  readonly calls: number
  readonly errors: number
  readonly rows: number
  /** Executing and decoding. */
  readonly totalMs: number
  readonly waitMs: number
  /** Part of the time that was waiting, from 0 to 1. */
  readonly waitShare: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
}

/** What one fingerprint did. */
export interface QueryActivity extends ActivityTotals {
  readonly id: string
  readonly database: string
  readonly text: string
  readonly summary: string
  /** Of the time of all queries. */
  readonly share: number
  /** The longest call; within seconds as exact as the histogram, 3.1 %. */
  readonly maxMs: number
  readonly scans: readonly string[]
}

type Sums = Pick<ServedQuery, 'calls' | 'errors' | 'rows' | 'totalMs' | 'waitMs'>

const lastMinute = 60

/** Everything since the application began to measure. */
export function sinceBeginning(report: ServedReport): Activity {
  const calls = report.databases.reduce((sum, { window }) => sum + window.calls, 0)
  const { totals, queries } = report
  return activityOf(
    report,
    undefined,
    queries.map((query) => ({ query, sums: query, buckets: query.histogram, maxMs: query.maxMs })),
    totals,
    calls / lastMinute,
  )
}

/**
 * What happened between two reports. A fingerprint that has fewer calls than before was forgotten in between, by
 * `timing.reset()` or a restart: all its calls are new then.
 */
export function between(earlier: ServedReport, later: ServedReport): Activity {
  const seconds = Math.max(0.001, (Date.parse(later.takenAt) - Date.parse(earlier.takenAt)) / 1000)
  const before = new Map(earlier.queries.map((query) => [keyOf(query), query]))
  const parts = later.queries.flatMap((query) => {
    const known = before.get(keyOf(query))
    const from = known !== undefined && known.calls <= query.calls ? known : undefined
    const sums = from === undefined ? query : difference(query, from)
    if (sums.calls === 0) return []
    const buckets =
      from === undefined ? query.histogram : differenceOf(query.histogram, from.histogram)
    return [{ query, sums, buckets, maxMs: Histogram.from(buckets).quantile(1) }]
  })
  const totals = parts.reduce((sum, { sums }) => plus(sum, sums), nothing)
  return activityOf(later, seconds, parts, totals, totals.calls / seconds)
}

interface Part {
  readonly query: ServedQuery
  readonly sums: Sums
  readonly buckets: Buckets
  readonly maxMs: number
}

function activityOf(
  { takenAt, databases, findings }: ServedReport,
  seconds: number | undefined,
  parts: readonly Part[],
  totals: Sums,
  callsPerSecond: number,
): Activity {
  const all = new Histogram()
  const queries = parts.map(({ query, sums, buckets, maxMs }) => {
    const histogram = Histogram.from(buckets)
    all.add(histogram)
    const { id, database, text, summary, plan } = query
    return {
      id,
      database,
      text,
      summary,
      ...totalsOf(sums, histogram),
      share: totals.totalMs === 0 ? 0 : sums.totalMs / totals.totalMs,
      maxMs,
      scans: plan?.scans ?? [],
    }
  })
  return {
    takenAt,
    seconds,
    callsPerSecond,
    totals: totalsOf(totals, all),
    queries,
    databases,
    findings,
  }
}

function totalsOf(
  { calls, errors, rows, totalMs, waitMs }: Sums,
  histogram: Histogram,
): ActivityTotals {
  const whole = waitMs + totalMs
  return {
    calls,
    errors,
    rows,
    totalMs,
    waitMs,
    waitShare: whole === 0 ? 0 : waitMs / whole,
    p50Ms: histogram.quantile(0.5),
    p95Ms: histogram.quantile(0.95),
    p99Ms: histogram.quantile(0.99),
  }
}

const nothing: Sums = { calls: 0, errors: 0, rows: 0, totalMs: 0, waitMs: 0 }

function plus(one: Sums, other: Sums): Sums {
  return {
    calls: one.calls + other.calls,
    errors: one.errors + other.errors,
    rows: one.rows + other.rows,
    totalMs: one.totalMs + other.totalMs,
    waitMs: one.waitMs + other.waitMs,
  }
}

function difference(later: Sums, earlier: Sums): Sums {
  return {
    calls: later.calls - earlier.calls,
    errors: later.errors - earlier.errors,
    rows: later.rows - earlier.rows,
    totalMs: later.totalMs - earlier.totalMs,
    waitMs: later.waitMs - earlier.waitMs,
  }
}

function differenceOf(later: Buckets, earlier: Buckets): Buckets {
  const before = new Map(earlier)
  return later.flatMap(([bucket, count]) => {
    const left = count - (before.get(bucket) ?? 0)
    return left > 0 ? [[bucket, left] as const] : []
  })
}

function keyOf({ database, id }: ServedQuery): string {
  return `${id} ${database}`
}
