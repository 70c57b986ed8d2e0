import { connectionWatch } from '@keelson/core/kysely'
import type { Kysely } from 'kysely'
import { checkHealth, notTimed } from '../health/check-health.ts'
import type { HealthOptions, HealthReport } from '../health/health-report.ts'
import { KyselyWatch } from './kysely-watch.ts'

/**
 * Says whether a measured database works: a probe through its pool, the pool itself, the last minute, the oldest transaction,
 * and of SQLite and DuckDB the size of their files and their settings.
 *
 * @throws {KeelsonError} `NOT_TIMED` for a database that nothing measures
 * @throws {OptionError} for an option that is unknown or impossible
 * @example
 * const { ready, status, checks } = await health(db)
 */
export async function health(db: Kysely<any>, options: HealthOptions = {}): Promise<HealthReport> {
  const executor = db.getExecutor()
  const watch = connectionWatch(executor.adapter)
  if (!(watch instanceof KyselyWatch)) notTimed()
  if (watch.instance.run === undefined) watch.use(executor)
  return checkHealth(watch.recorder, watch.instance, options)
}
