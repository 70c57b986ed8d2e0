import type { Kysely, LogEvent } from 'kysely'
import { advise } from '../advisor/advise.ts'
import type { AdvisorWorkload } from '../advisor/capture/workload.ts'
import { AdvisorCore, type AdvisorOptions, type Advisor } from '../advisor/create-advisor.ts'
import type { AdviseOptions } from '../advisor/options.ts'
import type { IndexAdvice } from '../advisor/report/advice.ts'
import { KyselyHost } from './kysely-host.ts'
import { readOperationNode } from './read-operation-node.ts'

/** Remembers which queries Kysely ran, and says which indexes they lack. */
export interface KyselyAdvisor extends Advisor {
  /** What `log` of a Kysely instance calls; it never throws. Failed queries are not noted. */
  readonly log: (event: LogEvent) => void
  /**
   * Says which indexes the queries so far lack, with the values that some of them were called with.
   *
   * @throws {OptionError} for an option that is not understood
   */
  advise(db: Kysely<any>, options?: AdviseOptions): Promise<IndexAdvice>
}

/**
 * Makes an advisor. It reads Kysely's own tree of each query, after all plugins, so that nothing has to be parsed; what is
 * in `sql` templates counts as not understood.
 *
 * @throws {OptionError} for an option that is not understood
 *
 * @example
 * const advisor = createAdvisor()
 * const db = new Kysely<Database>({ dialect, log: advisor.log })
 * // ... later
 * console.log(adviceTable(await advisor.advise(db)))
 */
export function createAdvisor(options: AdvisorOptions = {}): KyselyAdvisor {
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
  db: Kysely<any>,
  workload: AdvisorWorkload,
  options: AdviseOptions = {},
): Promise<IndexAdvice> {
  return advise(new KyselyHost(db, 'adviseIndexes()'), workload, options)
}

class Recording extends AdvisorCore implements KyselyAdvisor {
  readonly log = (event: LogEvent): void => {
    if (event.level !== 'query') return
    const { query, queryDurationMillis } = event
    const { sql, parameters } = query
    this.recordStatement({ sql, parameters, ms: queryDurationMillis }, () => {
      try {
        return readOperationNode(query.query)
      } catch {
        // A node that this Kysely has and the reader does not know: the text is left.
        return undefined
      }
    })
  }

  advise(db: Kysely<any>, options: AdviseOptions = {}): Promise<IndexAdvice> {
    return adviseIndexes(db, this.workloadWithValues(), options)
  }
}
