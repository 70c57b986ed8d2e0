import { sessionLayer } from '@keelson/core/drizzle'
import { checkHealth, notTimed } from '../health/check-health.ts'
import type { HealthOptions, HealthReport } from '../health/health-report.ts'
import { checkedSession } from './internals.ts'
import { layerName, TimingLayer } from './timing-layer.ts'
import type { AnyDatabase } from './with-timing.ts'

/**
 * Says whether a measured database works: a probe through its pool, the pool itself, the last minute, the oldest transaction,
 * and of SQLite and DuckDB the size of their files and their settings.
 *
 * @throws {KeelsonError} `NOT_TIMED` for a database that nothing measures
 * @throws {OptionError} for an option that is unknown or impossible
 * @example
 * const { ready, status, checks } = await health(db)
 */
export async function health(db: AnyDatabase, options: HealthOptions = {}): Promise<HealthReport> {
  const session = checkedSession(db)
  const layer = session && sessionLayer(session, layerName)
  if (!(layer instanceof TimingLayer)) notTimed()
  return checkHealth(layer.recorder, layer.instance, options)
}
