import { advise } from '../advisor/advise.ts'
import type { AdvisorWorkload } from '../advisor/capture/workload.ts'
import { AdvisorCore, type AdvisorOptions, type Advisor } from '../advisor/create-advisor.ts'
import type { AdviseOptions } from '../advisor/options.ts'
import type { IndexAdvice } from '../advisor/report/advice.ts'
import { type AnyDatabase, DrizzleHost } from './drizzle-host.ts'

/** Remembers which queries Drizzle ran, and says which indexes they lack. */
export interface DrizzleAdvisor extends Advisor {
  /** What `logger` of `drizzle()` is. Drizzle does not tell how long a query took. */
  readonly logger: { logQuery(sql: string, parameters: unknown[]): void }
  /**
   * Says which indexes the queries so far lack, with the values that some of them were called with.
   *
   * @throws {OptionError} for an option that is not understood
   */
  advise(db: AnyDatabase, options?: AdviseOptions): Promise<IndexAdvice>
}

/**
 * Makes an advisor. Drizzle shows the text of a query only, which the optional peer `@guanmingchiu/sqlparser-ts` parses when
 * advice is asked for; without it every query counts as not understood.
 *
 * @throws {OptionError} for an option that is not understood
 *
 * @example
 * const advisor = createAdvisor()
 * const db = drizzle('app.db', { logger: advisor.logger })
 * // ... later
 * console.log(adviceTable(await advisor.advise(db)))
 */
export function createAdvisor(options: AdvisorOptions = {}): DrizzleAdvisor {
  return new Recording(options)
}

/**
 * Says which indexes a workload lacks: one that `workload()` of an advisor has returned, or the `workload.json` of
 * `@keelson/timing`. Creates nothing that stays.
 *
 * @throws {OptionError} for an option that is not understood
 * @throws {KeelsonError} `HYPOPG_MISSING` where `whatIf` asks for hypopg and it is not there
 */
export function adviseIndexes(
  db: AnyDatabase,
  workload: AdvisorWorkload,
  options: AdviseOptions = {},
): Promise<IndexAdvice> {
  return advise(new DrizzleHost(db, 'adviseIndexes()'), workload, options)
}

class Recording extends AdvisorCore implements DrizzleAdvisor {
  readonly logger: DrizzleAdvisor['logger'] = {
    logQuery: (sql, parameters) => this.record({ sql, parameters }),
  }

  advise(db: AnyDatabase, options: AdviseOptions = {}): Promise<IndexAdvice> {
    return adviseIndexes(db, this.workloadWithValues(), options)
  }
}
