import { checkOptionNames, invalidOption } from '@keelson/core'
import { type ObservedQuery, Recorder } from './capture/recorder.ts'
import type { AdvisorWorkload } from './capture/workload.ts'
import type { Statement } from './shape/statement.ts'

/** What `createAdvisor()` may be told. */
export interface AdvisorOptions {
  /** Distinct statements to remember. Calls of further ones are counted in `droppedCalls`. @default 5000 */
  readonly maxQueries?: number | undefined
  /**
   * Calls of each statement whose values are kept, in memory only: advice from values that were really asked for is surer.
   * 0 keeps none.
   * @default 3
   */
  readonly samples?: number | undefined
}

/** Remembers which queries ran. Nothing of it leaves the process but by `workload()`, which has no values in it. */
export interface Advisor {
  /** Notes a query that ran. */
  record(query: ObservedQuery): void
  /** The queries so far, without a value in them: to be kept, and advised on elsewhere. */
  workload(): AdvisorWorkload
  /** Distinct statements so far. */
  readonly size: number
  /** Calls that were not noted, because `maxQueries` other statements were. */
  readonly droppedCalls: number
  /** Forgets everything. */
  clear(): void
}

/** What the advisors of both ORMs are made on. */
export class AdvisorCore implements Advisor {
  readonly #recorder: Recorder

  /** @throws {OptionError} for an option that is not understood */
  constructor(options: AdvisorOptions) {
    const where = 'createAdvisor()'
    checkOptionNames(where, options, ['maxQueries', 'samples'])
    const { maxQueries = 5_000, samples = 3 } = options
    if (!Number.isInteger(maxQueries) || maxQueries < 1)
      invalidOption(where, 'maxQueries', maxQueries, 'a whole number from 1')
    if (!Number.isInteger(samples) || samples < 0 || samples > 100)
      invalidOption(where, 'samples', samples, 'a whole number from 0 to 100')
    this.#recorder = new Recorder({ maxQueries, samples })
  }

  record(query: ObservedQuery): void {
    this.#recorder.record(query)
  }

  /** @param read reads the statement; called for the first calls of a query only */
  recordStatement(query: ObservedQuery, read: () => Statement | undefined): void {
    this.#recorder.record(query, read)
  }

  workload(): AdvisorWorkload {
    return this.#recorder.withoutValues()
  }

  /** For this process only. */
  workloadWithValues(): AdvisorWorkload {
    return this.#recorder.withValues()
  }

  get size(): number {
    return this.#recorder.size
  }

  get droppedCalls(): number {
    return this.#recorder.droppedCalls
  }

  clear(): void {
    this.#recorder.clear()
  }
}
