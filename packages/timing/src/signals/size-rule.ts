import { AsyncResource } from 'node:async_hooks'
import type { HealthCheck, HealthOptions } from '../health/health-report.ts'
import { defaultBytes, sizeChecks } from '../health/size-checks.ts'
import type { TimingSettings } from '../options.ts'
import type { DatabaseInstance } from '../record/database-instance.ts'
import { isUsedUp } from './plan-rule.ts'
import type { Raised } from './raised.ts'

const signals: ReadonlyMap<string, 'db_size' | 'wal_size'> = new Map([
  ['database size', 'db_size'],
  ['wal size', 'wal_size'],
])

/** Raises a signal for each size that was found to be too much. */
export function raiseSizes(
  raised: Raised,
  database: string,
  checks: readonly HealthCheck[],
  { databaseBytes = defaultBytes }: Pick<HealthOptions, 'databaseBytes'>,
): void {
  for (const { name, status, value, message } of checks) {
    const type = signals.get(name)
    if (type === undefined || status === 'pass') continue
    const isCritical =
      type === 'db_size' && databaseBytes !== false && Number(value) > databaseBytes.critical
    raised.raise(database, {
      type,
      level: isCritical ? 'critical' : 'warn',
      evidence: { database, bytes: value, megabytes: Math.round(Number(value) / (1024 * 1024)) },
      ...(message !== undefined && { fix: message }),
    })
  }
}

/**
 * Looks at the size of a database's files now and then, after a query: nothing is asked of a database that nobody uses, and
 * no timer is there. What it asks is asked outside of every transaction; where that cannot be, with a later query.
 */
export class SizeRule {
  readonly #everyMs: number
  readonly #options: Required<Pick<HealthOptions, 'databaseBytes' | 'walBytes'>>
  readonly #raised: Raised
  readonly #outside = new AsyncResource('KeelsonTimingSizes')
  readonly #nextMs = new WeakMap<DatabaseInstance, number>()
  #pending: Promise<void> | undefined

  constructor(
    { everyMs, warnBytes, criticalBytes, walBytes }: NonNullable<TimingSettings['sizes']>,
    raised: Raised,
  ) {
    this.#everyMs = everyMs
    this.#options = { databaseBytes: { warn: warnBytes, critical: criticalBytes }, walBytes }
    this.#raised = raised
  }

  /** To be called after a query, not more often than once a second. */
  look(instance: DatabaseInstance, nowMs: number): void {
    const next = this.#nextMs.get(instance)
    // A program that has ended before is asked nothing.
    if (next === undefined) this.#nextMs.set(instance, nowMs + this.#everyMs)
    if (next === undefined || nowMs < next || this.#pending !== undefined) return
    const { run } = instance
    const { system, name } = instance.database
    if (run === undefined || (system !== 'sqlite' && system !== 'duckdb')) return
    if (instance.isInTransaction?.() === true || isUsedUp(instance.gauges?.())) return
    this.#nextMs.set(instance, nowMs + this.#everyMs)
    const asking = this.#outside.runInAsyncScope(() => sizeChecks(system, run, this.#options))
    this.#pending = asking
      .then((checks) => raiseSizes(this.#raised, name, checks, this.#options))
      // A database that was closed meanwhile, or does not answer: `health()` is who tells of that.
      .catch(() => undefined)
      .finally(() => {
        this.#pending = undefined
      })
  }

  /** Resolves once nothing is being asked. */
  async settled(): Promise<void> {
    await this.#pending
  }
}
