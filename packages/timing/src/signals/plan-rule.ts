import { AsyncResource } from 'node:async_hooks'
import type { PoolGauges } from '../record/pool-reader.ts'
import type { Observation } from '../record/observation.ts'
import type { RunStatement } from '../record/database-instance.ts'
import type { WatchedDatabase } from '../record/watched-database.ts'
import type { QueryStats } from '../stats/query-stats.ts'
import type { TimingSettings } from '../options.ts'
import { mayExplain, type PlanReader, planReaders } from './read-plan.ts'
import type { Raised } from './raised.ts'

/** Whether one more statement would keep others waiting. */
export function isUsedUp(gauges: PoolGauges | undefined): boolean {
  return gauges !== undefined && gauges.size - gauges.idle >= gauges.max
}

/** No plan is asked for again sooner. */
const leastAgeMs = 1_000

/** After these the engine may plan other statements in another way. */
const changesPlans =
  /^\s*(?:create\s+(?:unique\s+|clustered\s+)?index|(?:drop|alter)\s+(?:index|table)|analyze|reindex)\b/i
const definitions: ReadonlySet<string> = new Set(['CREATE', 'DROP', 'ALTER', 'ANALYZE', 'REINDEX'])

/**
 * Asks the engine for the plan of each query that has become hot: once, and again when an index was created or its like, and
 * before a scan is told of that was read off a plan older than the cooldown, since an index may have come past us. The statement that asks runs outside of every
 * transaction, on a connection of its own, after the query: on a driver with one connection, once nobody has it.
 */
export class PlanRule {
  readonly #settings: NonNullable<TimingSettings['plans']>
  readonly #raised: Raised
  readonly #outside = new AsyncResource('KeelsonTimingPlan')
  readonly #pending = new Map<QueryStats, Promise<void>>()
  readonly #oldMs: number
  /** Plans that could not be had, and the latest reason: the report tells, since a plan is not worth an error. */
  failures = 0
  lastError: unknown

  constructor(settings: NonNullable<TimingSettings['plans']>, cooldownMs: number, raised: Raised) {
    this.#settings = settings
    this.#oldMs = Math.max(leastAgeMs, cooldownMs)
    this.#raised = raised
  }

  /** To be called when a query has ended. */
  ended(stats: QueryStats, { instance, sql, params, kind }: Observation): void {
    if (definitions.has(stats.fp.operation) && changesPlans.test(sql)) forget(instance.database)
    const { plan } = stats
    if (this.#pending.size > 0 && this.#pending.has(stats)) return
    const isOld =
      plan !== undefined && plan.scans.length > 0 && stats.lastMs - stats.planAskedMs >= this.#oldMs
    if (plan !== undefined && !isOld) this.#judge(stats)
    const { minCalls, minTotalMs } = this.#settings
    if ((stats.isPlanAsked && !isOld) || (stats.calls < minCalls && stats.totalMs < minTotalMs))
      return
    // It is asked for with a later call.
    if (instance.isInTransaction?.() === true || isUsedUp(instance.gauges?.())) return
    stats.isPlanAsked = true
    stats.planAskedMs = stats.lastMs
    const { system } = instance.database
    const reader = Object.hasOwn(planReaders, system) ? planReaders[system] : undefined
    const { run } = instance
    if (reader === undefined || run === undefined || kind === 'batch' || kind === 'bulk') return
    if (!mayExplain(stats.fp.operation, sql)) return
    // The values are not kept any longer than that.
    const values = reader.bindsParameters ? [...params] : []
    const asking = this.#outside.runInAsyncScope(() => this.#ask(stats, reader, run, sql, values))
    this.#pending.set(stats, asking)
    void asking.finally(() => this.#pending.delete(stats))
  }

  async #ask(
    stats: QueryStats,
    reader: PlanReader,
    run: RunStatement,
    sql: string,
    values: readonly unknown[],
  ): Promise<void> {
    try {
      const rows = await run(reader.explain(sql), values)
      // Meanwhile an index may have been created.
      if (!stats.isPlanAsked) return
      stats.plan = reader.read(rows, sql)
      this.#judge(stats)
    } catch (error) {
      this.failures++
      this.lastError = error
    }
  }

  /** Resolves once no plan is being asked for. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending.values())
  }

  #judge(stats: QueryStats): void {
    const { plan, fp } = stats
    if (plan === undefined || plan.scans.length === 0) return
    if (stats.quantile(0.95) < this.#settings.scanMs) return
    const tables = plan.scans.join(', ')
    this.#raised.raise(fp.id, {
      type: 'scan',
      level: 'warn',
      fp: fp.id,
      evidence: {
        summary: fp.summary,
        sql: fp.text,
        tables: plan.scans,
        p95Ms: stats.quantile(0.95),
        calls: stats.calls,
        plan: plan.lines,
      },
      fix: `Create an index on the columns by which the query selects from ${tables}${plan.sorts ? ', followed by those it sorts by' : ''}; it reads the whole table each time.`,
    })
  }
}

/** Plans of a database are asked for anew, each with the next call of its query. */
function forget({ registry }: WatchedDatabase): void {
  for (const stats of registry) {
    stats.plan = undefined
    stats.isPlanAsked = false
  }
}
