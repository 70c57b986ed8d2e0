import type { QueryEvent } from '@keelson/core'
import { hasMysqlStrings } from '../fingerprint/tokens.ts'
import type { HealthReport } from '../health/health-report.ts'
import { Histogram } from '../stats/histogram.ts'
import { Registry } from '../stats/registry.ts'
import { Window } from '../stats/window.ts'
import type { PoolGauges } from './pool-reader.ts'
import { TransactionStats } from './transaction-stats.ts'

/** How a database is called, and what of it can be looked into. */
export interface WatchedDatabaseOptions {
  /**
   * How it is called in reports and metrics: databases of one engine that are given one name are counted as one.
   * @default the name of its engine, numbered where there are several
   */
  readonly name?: string | undefined
  /** The pool of its driver, for gauges and the saturation rule: of pg, mysql2, tarn or Keelson. */
  readonly pool?: unknown
}

/** A setting of PostgreSQL that holds for one statement. */
export interface StatementSetting {
  readonly name: string
  readonly value: string
}

/** Runs a statement outside of every transaction, uncounted, and gives its rows. */
export type RunStatement = (
  sql: string,
  params: readonly unknown[],
  setting?: StatementSetting,
) => Promise<readonly Record<string, unknown>[]>

/**
 * Runs a statement with a setting, on a session that nobody else has meanwhile.
 *
 * @param send sends on that session
 */
export async function runWithSetting(
  send: RunStatement,
  sql: string,
  params: readonly unknown[],
  { name, value }: StatementSetting,
): ReturnType<RunStatement> {
  const set = 'select set_config($1, $2, false)'
  const [before] = await send('select current_setting($1) as value', [name])
  await send(set, [name, value])
  try {
    return await send(sql, params)
  } finally {
    await send(set, [name, before!['value']])
  }
}

/** One database that is measured. */
export class WatchedDatabase {
  readonly name: string
  readonly source: QueryEvent['source']
  /** OpenTelemetry's `db.system.name`. */
  readonly system: string
  /** When the rules look at it next, by `performance.now()`. */
  nextLookMs = 0
  registry: Registry
  readonly window: Window = new Window()
  transactions: TransactionStats = new TransactionStats()
  /** How long statements have waited for a connection, in milliseconds. */
  waits: Histogram = new Histogram()
  totalWaitMs = 0
  maxWaitMs = 0
  /** Statements that are on their way. */
  running = 0
  /** What was last found out about its health, and for which question. */
  latestHealth:
    | {
        readonly key: string
        readonly atMs: number
        readonly report: Promise<HealthReport>
        isSettled: boolean
      }
    | undefined
  /** A probe that is still waited for, and what it fails with. */
  probe: Promise<{ readonly error: unknown } | undefined> | undefined
  gauges: (() => PoolGauges | undefined) | undefined
  /** Whether statements have to wait for each other, since there is one connection. */
  readonly hasOneConnection: boolean
  /** Set as soon as there is something that statements can be sent through. */
  run: RunStatement | undefined
  /** Whether a statement sent now would run inside somebody's transaction; not there where that cannot be. */
  isInTransaction: (() => boolean) | undefined

  /** How many have it open: several may be given one name. */
  users = 1
  /** Whether reports tell of it. */
  isListed = false
  readonly #maxFingerprints: number

  constructor(
    name: string,
    source: QueryEvent['source'],
    system: string,
    hasOneConnection: boolean,
    gauges: (() => PoolGauges | undefined) | undefined,
    maxFingerprints: number,
  ) {
    this.#maxFingerprints = maxFingerprints
    this.registry = new Registry(maxFingerprints, hasMysqlStrings(system))
    this.name = name
    this.source = source
    this.system = system
    this.hasOneConnection = hasOneConnection
    this.gauges = gauges
  }

  /** Takes over all that was counted of another one, which begins anew. */
  absorb(other: WatchedDatabase): void {
    this.registry.absorb(other.registry)
    this.transactions.absorb(other.transactions)
    this.waits.add(other.waits)
    this.totalWaitMs += other.totalWaitMs
    this.maxWaitMs = Math.max(this.maxWaitMs, other.maxWaitMs)
    // Whoever holds statistics of it looks them up again.
    other.registry.clear()
    other.registry = new Registry(other.#maxFingerprints, hasMysqlStrings(other.system))
    other.transactions = new TransactionStats()
    other.waits = new Histogram()
    other.totalWaitMs = 0
    other.maxWaitMs = 0
  }

  waited(ms: number): void {
    this.waits.record(ms)
    this.totalWaitMs += ms
    if (ms > this.maxWaitMs) this.maxWaitMs = ms
  }
}
