import {
  describeError,
  type ErrorCategory,
  invalidOption,
  type Signal,
  type TransactionOutcome,
} from '@keelson/core'
import type { PoolGauges } from '../record/pool-reader.ts'
import type { Recorder } from '../record/recorder.ts'
import type { WatchedDatabase } from '../record/watched-database.ts'
import type { Histogram } from '../stats/histogram.ts'
import type { QueryPlan, QueryStats } from '../stats/query-stats.ts'
import { findingsOf } from './findings.ts'
import { reportTable } from './report-table.ts'

/** One fingerprint. All times are in milliseconds. */
export interface QueryReport {
  readonly id: string
  /** Name of the database that it runs on. */
  readonly database: string
  /** The statement without its values; `<other>` for all those that have no place of their own. */
  readonly text: string
  readonly summary: string
  readonly operation: string
  readonly tables: readonly string[]
  readonly calls: number
  readonly errors: number
  readonly errorCategories: Readonly<Partial<Record<ErrorCategory, number>>>
  readonly rows: number
  readonly affectedRows: number
  /** Executing and decoding, of all calls. */
  readonly totalMs: number
  /** Of the time of all queries. */
  readonly share: number
  readonly meanMs: number
  readonly deviationMs: number
  readonly minMs: number
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
  readonly waitMs: number
  readonly maxWaitMs: number
  readonly decodeMs: number
  readonly plan: QueryPlan | undefined
  /** Mean of each of the last thirty intervals of ten seconds; `null` where there was no call. */
  readonly recentMs: readonly (number | null)[]
  /** For differences between two reports: `Histogram.from()`. */
  readonly histogram: Histogram
}

/** One database. All times are in milliseconds. */
export interface DatabaseReport {
  readonly name: string
  readonly system: string
  /** Statements that are on their way. */
  readonly running: number
  readonly wait: WaitReport
  /** Where the pool is known. */
  readonly pool: PoolGauges | undefined
  readonly transactions: TransactionsReport
  /** The last minute. */
  readonly window: { readonly calls: number; readonly errors: number; readonly slow: number }
}

/** What statements have waited for a connection. */
export interface WaitReport {
  readonly totalMs: number
  readonly p95Ms: number
  readonly maxMs: number
}

/** Root transactions; savepoints are only counted. */
export interface TransactionsReport {
  readonly open: number
  readonly oldestMs: number | undefined
  readonly outcomes: Readonly<Partial<Record<TransactionOutcome, number>>>
  readonly savepoints: number
  readonly p95OpenMs: number
  readonly maxOpenMs: number
  readonly totalOpenMs: number
  readonly totalIdleMs: number
  readonly totalBeginMs: number
  readonly totalCommitMs: number
}

/** The sums over all queries, those in `<other>` included. */
export interface Totals {
  readonly calls: number
  readonly errors: number
  readonly rows: number
  readonly totalMs: number
  readonly waitMs: number
}

/**
 * What happened so far. `String(report)` and `console.log(report)` give a table, with what is to be done above it;
 * `JSON.stringify(report)` gives everything.
 */
export class TimingReport {
  /** Wall-clock time, ISO 8601. */
  readonly takenAt: string
  readonly totals: Totals
  /** The one with the most time first. */
  readonly queries: readonly QueryReport[]
  /** Fingerprints that have lost their place to others, and are in `<other>`. */
  readonly evictions: number
  readonly databases: readonly DatabaseReport[]
  /** One line for each thing that deserves attention, the most important first. */
  readonly findings: readonly string[]
  readonly signals: readonly Signal[]

  private constructor(recorder: Recorder) {
    const now = performance.now()
    this.takenAt = new Date(performance.timeOrigin + now).toISOString()
    const databases = [...recorder.databases]
    const all = databases.flatMap(({ name, registry }) =>
      Array.from(registry, (stats) => ({ name, stats })),
    )
    this.totals = totalsOf(all.map(({ stats }) => stats))
    this.queries = all
      .toSorted((one, other) => other.stats.totalMs - one.stats.totalMs)
      .map(({ name, stats }) => queryReport(name, stats, this.totals.totalMs, now))
    this.evictions = databases.reduce((sum, { registry }) => sum + registry.evictions, 0)
    this.databases = databases.map((database) => databaseReport(database, now))
    this.signals = recorder.rules.raised.recent.map(({ signal }) => signal)
    this.findings = [
      ...findingsOf(this, recorder.settings.advice),
      ...failedPlans(recorder.rules.plans),
    ]
    Object.defineProperty(this, inspect, { value: () => this.toString() })
  }

  /** @param recorder of a timing */
  static of(recorder: Recorder): TimingReport {
    return new TimingReport(recorder)
  }

  /**
   * @param width characters in a line, 40 at least; by default those of the terminal, and 120 where there is none
   * @returns a table, with the findings above it
   */
  toString(width: number = process.stdout.columns || 120): string {
    if (!(width > 0)) invalidOption('toString()', 'width', width, 'characters in a line, above 0')
    return reportTable(this, Math.max(leastWidth, Math.floor(width)))
  }
}

function failedPlans(plans: Recorder['rules']['plans']): string[] {
  if (plans === undefined || plans.failures === 0) return []
  // The message may hold values.
  const { code, category } = describeError(plans.lastError)
  return [
    `ℹ ${plans.failures} plans could not be had, the last one because of ${code ?? category}.`,
  ]
}

/** Of a terminal that says less nothing could be read. */
const leastWidth = 40

/** What Node's `console.log()` asks an object for. */
const inspect = Symbol.for('nodejs.util.inspect.custom')

function totalsOf(all: readonly QueryStats[]): Totals {
  const sum = (of: (stats: QueryStats) => number): number =>
    all.reduce((total, stats) => total + of(stats), 0)
  return {
    calls: sum(({ calls }) => calls),
    errors: sum(({ errors }) => errors),
    rows: sum(({ rows }) => rows),
    totalMs: sum(({ totalMs }) => totalMs),
    waitMs: sum(({ waitMs }) => waitMs),
  }
}

function queryReport(database: string, stats: QueryStats, allMs: number, now: number): QueryReport {
  const { fp, calls, errors, rows, affectedRows, totalMs, waitMs, decodeMs, plan } = stats
  return {
    id: fp.id,
    database,
    text: fp.text,
    summary: fp.summary,
    operation: fp.operation,
    tables: fp.tables,
    calls,
    errors,
    errorCategories: Object.fromEntries(
      Array.from(
        stats.failures,
        ([
          category,
          {
            histogram: { count },
          },
        ]) => [category, count],
      ),
    ),
    rows,
    affectedRows,
    totalMs,
    share: allMs === 0 ? 0 : totalMs / allMs,
    meanMs: stats.meanMs,
    deviationMs: stats.deviationMs,
    minMs: calls === 0 ? 0 : stats.minMs,
    p50Ms: stats.quantile(0.5),
    p90Ms: stats.quantile(0.9),
    p95Ms: stats.quantile(0.95),
    p99Ms: stats.quantile(0.99),
    p999Ms: stats.quantile(0.999),
    maxMs: stats.maxMs,
    waitMs,
    maxWaitMs: stats.maxWaitMs,
    decodeMs,
    plan,
    recentMs: stats.recent.means(now),
    // What is counted later is no part of the report.
    histogram: stats.histogram.copy(),
  }
}

function databaseReport(database: WatchedDatabase, now: number): DatabaseReport {
  const { name, system, running, waits, totalWaitMs, maxWaitMs, transactions } = database
  return {
    name,
    system,
    running,
    wait: {
      totalMs: totalWaitMs,
      p95Ms: Math.min(maxWaitMs, waits.quantile(0.95)),
      maxMs: maxWaitMs,
    },
    pool: database.gauges?.(),
    transactions: {
      open: transactions.open.size,
      oldestMs: transactions.oldestMs(now),
      outcomes: Object.fromEntries(transactions.outcomes),
      savepoints: transactions.savepoints,
      p95OpenMs: Math.min(transactions.maxOpenMs, transactions.openMs.quantile(0.95)),
      maxOpenMs: transactions.maxOpenMs,
      totalOpenMs: transactions.totalOpenMs,
      totalIdleMs: transactions.totalIdleMs,
      totalBeginMs: transactions.totalBeginMs,
      totalCommitMs: transactions.totalCommitMs,
    },
    window: database.window.counts(now),
  }
}
