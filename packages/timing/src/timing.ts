import { checkOptionNames, invalidOption, KeelsonError, type Signal } from '@keelson/core'
import { checkSink, settingsFrom, type TimingOptions } from './options.ts'
import { TimingReport } from './output/report.ts'
import { type Workload, workloadOf } from './output/workload.ts'
import { Recorder } from './record/recorder.ts'
import type { ScopeOptions } from './record/scopes.ts'
import type { Sink } from './sink.ts'

/** Where the queries of one or more databases are counted, judged and told of. Made by `createTiming()`. */
export class Timing {
  readonly #recorder: Recorder

  /** @param options see `createTiming()` */
  constructor(options: TimingOptions = {}) {
    this.#recorder = new Recorder(settingsFrom(options), options.enabled ?? true)
  }

  /**
   * The part that wrappers hand their measurements to.
   *
   * @throws {KeelsonError} `NOT_A_TIMING` for anything that this copy of `createTiming()` has not made
   */
  static recorderOf(timing: unknown, where: string): Recorder {
    if (typeof timing === 'object' && timing !== null && #recorder in timing)
      return timing.#recorder
    throw new KeelsonError(
      'NOT_A_TIMING',
      `${where} got something else than a timing. Make one with \`createTiming()\` from '@keelson/timing', of the same installed copy.`,
    )
  }

  /** Whether anything is measured. What is not measured costs some nanoseconds. */
  get isEnabled(): boolean {
    return this.#recorder.isEnabled
  }

  set isEnabled(isEnabled: boolean) {
    this.#recorder.isEnabled = isEnabled
  }

  /** What happened so far. It prints as a table and serialises as JSON. */
  report(): TimingReport {
    return TimingReport.of(this.#recorder)
  }

  /** What the queries were, for the advisor of `@keelson/indexes`: `JSON.stringify` it into `workload.json`. */
  workload(): Workload {
    return workloadOf(this.#recorder.databases)
  }

  /**
   * Runs `fn` as one unit of work: a request, a job, a test. Within it repeated queries are found, and events say where they
   * come from. Scopes can be nested; what is awaited inside belongs to the innermost. A query of Drizzle that `fn` returns is
   * sent inside.
   *
   * @param name in signals and events: the route, and not the URL, which would be another one each time
   * @returns what `fn` returns; of a query that it returns a promise
   * @throws {OptionError} for an option that is unknown or impossible
   * @example
   * app.use((context, next) => timing.scope(`${context.req.method} ${context.req.routePath}`, next))
   */
  scope<R>(name: string, fn: () => PromiseLike<R>): Promise<R>
  scope<R>(name: string, fn: () => R): R
  scope<R>(name: string, options: ScopeOptions, fn: () => PromiseLike<R>): Promise<R>
  scope<R>(name: string, options: ScopeOptions, fn: () => R): R
  scope<R>(name: string, options: ScopeOptions | (() => R), fn?: () => R): R | Promise<Awaited<R>> {
    const [given, run] = typeof options === 'function' ? [{}, options] : [options, fn]
    if (typeof name !== 'string') invalidOption('scope()', 'name', name, 'a text')
    if (typeof run !== 'function') invalidOption('scope()', 'fn', run, 'a function')
    checkScope(given)
    return this.#recorder.scopes.run(name, given, run)
  }

  /**
   * Adds a sink after those that there are.
   *
   * @returns takes it away again
   * @throws {OptionError} for what hears of nothing
   */
  addSink(sink: Sink): () => void {
    checkSink('addSink()', 'sink', sink)
    return this.#recorder.sinks.add(sink)
  }

  /** The latest signals, the newest first, at most 50. */
  get signals(): readonly Signal[] {
    return this.#recorder.rules.raised.recent.map(({ signal }) => signal)
  }

  /** How often a sink has failed. */
  get sinkFailures(): number {
    return this.#recorder.sinks.failures
  }

  /** Resolves once all plans and sizes that were asked for are there: for tests, and before a last report. */
  async settled(): Promise<void> {
    const { plans, sizes } = this.#recorder.rules
    await Promise.all([plans?.settled(), sizes?.settled()])
  }

  /**
   * Measures nothing any more, and ends its timers: that of open transactions, and that of pools. Without it they end with the
   * transactions and databases that they are for, and never keep a process alive. What was counted can still be reported.
   */
  close(): void {
    this.#recorder.close()
  }

  /** Forgets the counts of all fingerprints, and the signals. Databases, open transactions and exported series stay. */
  reset(): void {
    for (const { registry } of this.#recorder.databases) registry.clear()
    this.#recorder.rules.raised.clear()
  }
}

function checkScope(options: ScopeOptions): void {
  if (typeof options !== 'object' || options === null)
    invalidOption('scope()', 'options', options, 'an object with actor and tags')
  checkOptionNames('scope()', options, ['actor', 'tags'])
  const { actor, tags } = options
  if (actor !== undefined && typeof actor !== 'string')
    invalidOption('scope()', 'actor', actor, 'a text')
  if (tags === undefined) return
  if (typeof tags !== 'object' || tags === null)
    invalidOption('scope()', 'tags', tags, 'an object of texts')
  for (const [name, tag] of Object.entries(tags))
    if (typeof tag !== 'string') invalidOption('scope()', `tags.${name}`, tag, 'a text')
}

/**
 * Makes what measures queries: give it to `withTiming()` of `@keelson/timing/kysely` or `@keelson/timing/drizzle`, for one
 * database or for several.
 *
 * It keeps no more than its options allow, opens nothing, and its timers keep no process alive.
 *
 * @throws {OptionError} for an option that is unknown or impossible
 * @example
 * const timing = createTiming({ slowMs: 50, sinks: [prettySink()] })
 * const db = new Kysely<Database>({ dialect: withTiming(new SqliteDialect({ path: 'app.db' }), timing) })
 * // ...
 * console.log(timing.report())
 */
export function createTiming(options: TimingOptions = {}): Timing {
  return new Timing(options)
}
