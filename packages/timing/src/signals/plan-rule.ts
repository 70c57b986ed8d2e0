import { AsyncResource } from 'node:async_hooks'
import type { PoolGauges } from '../record/pool-reader.ts'
import type { Observation } from '../record/observation.ts'
import type { RunStatement } from '../record/watched-database.ts'
import type { QueryStats } from '../stats/query-stats.ts'
import type { TimingSettings } from '../options.ts'
import { mayExplain, type PlanReader, planReaders } from './read-plan.ts'
import type { Raised } from './raised.ts'

/** Whether one more statement would keep others waiting. */
export function isUsedUp(gauges: PoolGauges | undefined): boolean {
  return gauges !== undefined && gauges.size - gauges.idle >= gauges.max
}

/**
 * Asks the engine once for the plan of each query that has become hot. The statement that asks runs outside of every
 * transaction, on a connection of its own, after the query: on a driver with one connection, once nobody has it.
 */
export class PlanRule {
  readonly #settings: NonNullable<TimingSettings['plans']>
  readonly #raised: Raised
  readonly #outside = new AsyncResource('KeelsonTimingPlan')
  readonly #pending = new Set<Promise<void>>()
  /** Plans that could not be had, and the latest reason: the report tells, since a plan is not worth an error. */
  failures = 0
  lastError: unknown

  constructor(settings: NonNullable<TimingSettings['plans']>, raised: Raised) {
    this.#settings = settings
    this.#raised = raised
  }

  /** To be called when a query has ended. */
  ended(stats: QueryStats, { database, sql, params, kind }: Observation): void {
    if (stats.plan !== undefined) this.#judge(stats)
    const { minCalls, minTotalMs } = this.#settings
    if (stats.isPlanAsked || (stats.calls < minCalls && stats.totalMs < minTotalMs)) return
    // It is asked for with a later call.
    if (database.isInTransaction?.() === true || isUsedUp(database.gauges?.())) return
    stats.isPlanAsked = true
    const reader = Object.hasOwn(planReaders, database.system)
      ? planReaders[database.system]
      : undefined
    const { run } = database
    if (reader === undefined || run === undefined || kind === 'batch' || kind === 'bulk') return
    if (!mayExplain(stats.fp.operation, sql)) return
    // The values are not kept any longer than that.
    const values = reader.bindsParameters ? [...params] : []
    const asking = this.#outside.runInAsyncScope(() => this.#ask(stats, reader, run, sql, values))
    this.#pending.add(asking)
    void asking.finally(() => this.#pending.delete(asking))
  }

  async #ask(
    stats: QueryStats,
    reader: PlanReader,
    run: RunStatement,
    sql: string,
    values: readonly unknown[],
  ): Promise<void> {
    try {
      stats.plan = reader.read(await run(reader.explain(sql), values), sql)
      this.#judge(stats)
    } catch (error) {
      this.failures++
      this.lastError = error
    }
  }

  /** Resolves once no plan is being asked for. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
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
