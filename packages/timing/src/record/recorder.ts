/** Over 300 lines, being one subject: what becomes of one observation, from its begin to the sinks. */
import {
  type BatchedStatement,
  captureCallSite,
  describeError,
  type ErrorCategory,
  nextEventId,
  type QueryEvent,
  type QueryFingerprint,
  type QueryOutcome,
  type TransactionEvent,
  callSite,
} from '@keelson/core'
import type { TimingSettings } from '../options.ts'
import { Raised } from '../signals/raised.ts'
import { PoolWatch } from '../signals/pool-watch.ts'
import { lookMs, Rules } from '../signals/rules.ts'
import type { QueryStats } from '../stats/query-stats.ts'
import { otherText } from '../stats/registry.ts'
import { sample } from '../stats/sampled-values.ts'
import type { DatabaseInstance } from './database-instance.ts'
import { DatabaseList } from './database-list.ts'
import type { BatchedOutcome, Observation } from './observation.ts'
import { attachQueryContext } from './query-context.ts'
import { Scopes } from './scopes.ts'
import { Sinks } from './sinks.ts'
import type { WatchedDatabase } from './watched-database.ts'

/** Broken constraints and rejected values are answers to the caller, and no fault of the database. */
const answers: ReadonlySet<ErrorCategory> = new Set([
  'unique',
  'foreignKey',
  'notNull',
  'check',
  'value',
  'cancelled',
])

/** Where everything that was measured arrives: counts it, asks the rules, tells the sinks. */
export class Recorder {
  readonly settings: TimingSettings
  readonly sinks: Sinks
  readonly rules: Rules
  readonly scopes: Scopes = new Scopes()
  readonly databases: DatabaseList
  /** `performance.now()` when counting began. */
  readonly startMs: number = performance.now()
  /** Hear of each statement when it is sent, with its values: for tests of users. */
  readonly listeners: Set<(observation: Observation) => void> = new Set()
  /** Whether anything is measured at all. */
  isEnabled: boolean
  readonly #relative: TimingSettings['relativeSlow']
  readonly #pools: PoolWatch | undefined

  constructor(settings: TimingSettings, isEnabled: boolean) {
    this.settings = settings
    this.isEnabled = isEnabled
    this.databases = new DatabaseList(settings.maxFingerprints, (database) =>
      this.#pools?.opened(database),
    )
    this.sinks = new Sinks(settings.sinks)
    this.rules = new Rules(
      settings,
      new Raised(settings.cooldownMs, (signal) => this.sinks.signal(signal)),
    )
    this.#relative = settings.relativeSlow
    if (settings.poolSaturation !== Infinity)
      // A little later than the rules look again, which they may do after a query.
      this.#pools = new PoolWatch(this.databases, lookMs + 50, (database, nowMs) => {
        if (this.isEnabled) this.#guarded(() => this.rules.lookAtGauges(database, nowMs))
      })
  }

  /** Ends what looks at something by itself. */
  close(): void {
    this.isEnabled = false
    this.#pools?.close()
    this.rules.close()
  }

  /** A statement is about to be sent. */
  begin(observation: Observation): void {
    observation.database.running++
    // Without the closure that #guarded() takes: this is done for every statement.
    try {
      this.#begin(observation)
    } catch (error) {
      this.sinks.failed(error)
    }
  }

  #begin(observation: Observation): void {
    if (this.listeners.size > 0) for (const listener of this.listeners) listener(observation)
    if (this.settings.callSites) observation.site = captureCallSite()
    const { repetition } = this.rules
    if (repetition === undefined) return
    const scope = this.scopes.current
    if (scope === undefined) return
    // Looked up once: the second time that it is asked for, a fingerprint gets a place.
    observation.stats = observation.database.registry.statsOf(observation.sql)
    repetition.sent(scope, observation.stats, observation)
  }

  /**
   * A statement has ended.
   *
   * @param endMs `performance.now()` then
   * @param outcome `error` where `error` says why
   */
  end(observation: Observation, endMs: number, outcome: QueryOutcome, error: unknown): void {
    observation.database.running--
    try {
      this.#end(observation, endMs, outcome, error)
    } catch (failure) {
      this.sinks.failed(failure)
    }
  }

  #end(observation: Observation, endMs: number, outcome: QueryOutcome, error: unknown): void {
    const { database, startMs, waitMs, decodeMs = 0, dbMs, sql } = observation
    const spent = endMs - startMs - waitMs
    const ms = dbMs ?? (spent > 0 ? spent : 0)
    if (!database.isListed) this.databases.add(database)
    const known = observation.stats
    const stats = known?.isEvicted === false ? known : database.registry.statsOf(sql)
    stats.add(ms, waitMs, decodeMs, observation.rows, observation.affectedRows ?? 0, endMs)
    database.waited(waitMs)
    const { sampleParams } = this.settings
    if (sampleParams > 0) sample(stats, sql, observation.params, sampleParams)
    let category: ErrorCategory | undefined
    if (outcome === 'error' || outcome === 'aborted') {
      category = outcome === 'aborted' ? 'cancelled' : describeError(error).category
      stats.addError(category, ms)
      this.#attach(observation, stats, ms - decodeMs, error)
    }
    // What is sent in bulk takes as long as it has rows.
    const limitMs =
      this.#relative === undefined || observation.kind === 'bulk'
        ? Infinity
        : relativeLimit(stats, this.#relative)
    const isSlow = this.rules.isSlow(ms, limitMs)
    database.window.add(endMs, category !== undefined && !answers.has(category), isSlow)
    if (isSlow) this.rules.slow(stats, observation, ms, limitMs)
    this.rules.plans?.ended(stats, observation)
    this.rules.look(observation.instance, endMs)
    if (this.sinks.hearsPools && observation.tx === undefined)
      this.#tellPool(observation.instance, startMs, waitMs)
    if (this.sinks.hearsQueries)
      this.sinks.query(this.#event(observation, stats, endMs, ms, outcome, error, category))
  }

  transactionBegins(instance: DatabaseInstance, event: TransactionEvent): void {
    const { database } = instance
    this.#guarded(() => {
      database.transactions.begins(event)
      if (this.sinks.hearsPools && event.depth === 0)
        this.#tellPool(instance, event.startMs, event.waitMs ?? 0)
      this.rules.transactionBegins(database, event)
    })
  }

  transactionEnded(database: WatchedDatabase, event: TransactionEvent): void {
    this.#guarded(() => {
      database.transactions.ended(event)
      this.rules.transactionEnded(event)
      if (this.sinks.hearsTransactions) this.sinks.transaction(event)
    })
  }

  /** Whatever goes wrong in measuring reaches nobody's query. */
  #guarded(measure: () => void): void {
    try {
      measure()
    } catch (error) {
      this.sinks.failed(error)
    }
  }

  #tellPool({ database, gauges }: DatabaseInstance, startMs: number, waitMs: number): void {
    const pool = gauges?.()
    if (pool === undefined) return
    this.sinks.pool({
      v: 1,
      id: nextEventId(),
      pool: database.name,
      type: 'acquire',
      startMs,
      waitMs,
      ...pool,
    })
  }

  #attach(observation: Observation, stats: QueryStats, executeMs: number, error: unknown): void {
    const { database, sql, params, waitMs, tx, attempt } = observation
    const known = database.registry.fingerprintIn(stats, sql)
    attachQueryContext(
      error,
      Object.freeze({
        sql,
        fingerprint: known.id,
        summary: known.summary,
        paramCount: params.length,
        waitMs,
        executeMs: Math.max(0, executeMs),
        transaction: tx,
        attempt,
      }),
    )
  }

  #event(
    observation: Observation,
    stats: QueryStats,
    endMs: number,
    ms: number,
    outcome: QueryOutcome,
    error: unknown,
    category: ErrorCategory | undefined,
  ): QueryEvent {
    const { database, kind, sql, params, startMs, waitMs, decodeMs, conn, rows, site } = observation
    const event: QueryEvent = {
      v: 1,
      id: nextEventId(),
      kind,
      source: database.source,
      system: database.system,
      db: database.name,
      sql,
      paramCount: params.length,
      fp: database.registry.fingerprintIn(stats, sql),
      startMs,
      waitMs,
      executeMs: Math.max(0, ms - (decodeMs ?? 0)),
      decodeMs,
      totalMs: endMs - startMs,
      firstRowMs: observation.firstRowMs,
      dbMs: observation.dbMs,
      rows,
      affectedRows: observation.affectedRows,
      batchSize: observation.batchSize,
      bulkRows: observation.bulkRows,
      cache: observation.cache,
      tx: observation.tx,
      conn,
      pool: database.name,
      outcome,
      scope: this.scopes.current?.told,
    }
    if (observation.batch !== undefined) event.batch = batched(database, observation.batch)
    if (this.settings.captureParams) event.params = params
    if (site !== undefined) event.site = callSite(site)
    if (category !== undefined) {
      event.error = error
      event.errorType = describeError(error).code
      event.errorClass = classOf(category)
    }
    return event
  }
}

/** What each statement of a batch is: often it is the same one again and again. */
function batched(
  { registry }: WatchedDatabase,
  batch: readonly BatchedOutcome[],
): readonly BatchedStatement[] {
  const known = new Map<string, QueryFingerprint>()
  return batch.map(({ sql, ...outcome }) => {
    let fp = known.get(sql)
    if (fp === undefined) known.set(sql, (fp = registry.fingerprintOf(sql)))
    return { sql, fp, ...outcome }
  })
}

/** Looked up anew after as many calls as it takes to change. */
function relativeLimit(
  stats: QueryStats,
  { factor, minCalls, minMs }: NonNullable<TimingSettings['relativeSlow']>,
): number {
  const { calls, fp } = stats
  // Of many shapes together nothing is usual.
  if (fp.text === otherText) return Infinity
  if (calls > minCalls && (calls % 64 === 0 || stats.slowForItMs === Infinity))
    stats.slowForItMs = Math.max(minMs, factor * stats.quantile(0.95))
  return stats.slowForItMs
}

function classOf(category: ErrorCategory): NonNullable<QueryEvent['errorClass']> {
  switch (category) {
    case 'unique':
    case 'foreignKey':
    case 'notNull':
    case 'check':
      return 'constraint'
    case 'timeout':
    case 'busy':
    case 'connection':
    case 'syntax':
      return category
    default:
      return 'other'
  }
}
