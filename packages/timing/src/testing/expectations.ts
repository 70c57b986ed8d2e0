import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  checkOptionNames,
  excerpt,
  invalidOption,
  KeelsonError,
  nextEventId,
  settlesWithin,
  type Signal,
} from '@keelson/core'
import { signalLine } from '../output/findings.ts'
import type { Observation } from '../record/observation.ts'
import type { Recorder } from '../record/recorder.ts'
import type { Scope } from '../record/scopes.ts'
import { mayExplain, planReaders } from '../signals/read-plan.ts'
import { Timing } from '../timing.ts'

/** What was expected of the queries of a test did not hold. The message lists them. */
export class TimingExpectationError extends KeelsonError {
  declare readonly code: 'QUERY_COUNT' | 'N_PLUS_ONE' | 'TABLE_SCAN'
}

/** Which tables may be scanned. */
export interface ScanOptions {
  /** Names of tables that are small, and stay so. @default [] */
  readonly allow?: readonly string[] | undefined
}

/** How long a plan is waited for, in milliseconds. */
const planTimeoutMs = 3_000

/**
 * Runs `fn` and counts the queries that it sends, also those that it does not wait for: those of others that run meanwhile
 * are not counted, nor what still waits for a connection when `fn` is over.
 *
 * @param expected how many; or the least and the most
 * @returns what `fn` returned
 * @throws {TimingExpectationError} `QUERY_COUNT`, with every query; what `fn` throws goes through
 * @example
 * await expectQueryCount(timing, 2, () => loadPage(db))
 */
export async function expectQueryCount<R>(
  timing: Timing,
  expected: number | { readonly min?: number; readonly max?: number },
  fn: () => R | Promise<R>,
): Promise<R> {
  const { min = 0, max = Infinity } =
    typeof expected === 'number' ? { min: expected, max: expected } : expected
  if (!isCount(min) || !(isCount(max) || max === Infinity) || max < min) {
    invalidOption(
      'expectQueryCount()',
      'expected',
      expected,
      'a whole number, or { min, max } of two',
    )
  }
  const { result, seen } = await watch(timing, 'expectQueryCount()', fn)
  if (seen.length >= min && seen.length <= max) return result
  const wanted =
    min === max ? String(min) : max === Infinity ? `at least ${min}` : `${min} to ${max}`
  throw new TimingExpectationError(
    'QUERY_COUNT',
    `${wanted} queries were expected, and ${seen.length} were sent:\n${list(seen)}`,
  )
}

/**
 * Runs `fn` and fails when it sends a query in a loop, or again with the same values.
 *
 * @param options `repeats`: how often a query may not run from one place in the code. @default 2
 * @returns what `fn` returned
 * @throws {TimingExpectationError} `N_PLUS_ONE`, with what to write in place of it
 */
export async function failOnNPlusOne<R>(
  timing: Timing,
  fn: () => R | Promise<R>,
  options: { readonly repeats?: number } = {},
): Promise<R> {
  checkOptionNames('failOnNPlusOne()', options, ['repeats'])
  const { repeats = 2 } = options
  if (!Number.isSafeInteger(repeats) || repeats < 2)
    invalidOption('failOnNPlusOne()', 'repeats', repeats, 'a whole number of at least 2')
  const recorder = Timing.recorderOf(timing, 'failOnNPlusOne()')
  if (recorder.rules.repetition === undefined) {
    throw new KeelsonError(
      'INVALID_OPTION',
      'failOnNPlusOne() got a timing that does not look for repeated queries. Make it without `repeats: false`.',
    )
  }
  const found: Signal[] = []
  // A loop of two has to be seen with its first repetition, of which there are two calls to be compared.
  const strict = { limit: repeats, id: nextEventId() }
  const remove = recorder.sinks.add({
    signal(signal) {
      const isOurs = isInside(recorder.scopes.current, strict)
      if (isOurs && (signal.type === 'nplusone' || signal.type === 'duplicate')) found.push(signal)
    },
  })
  try {
    const { result } = await watch(timing, 'failOnNPlusOne()', fn, strict)
    if (found.length === 0) return result
    throw new TimingExpectationError('N_PLUS_ONE', found.map(signalLine).join('\n'))
  } finally {
    remove()
  }
}

/**
 * Runs `fn`, asks the engine for the plan of each query that it has sent, and fails when one reads a whole table. PostgreSQL
 * reads small tables whole, as those of tests are: it is asked with `enable_seqscan = off`, and scans then what no index finds.
 *
 * @returns what `fn` returned
 * @throws {TimingExpectationError} `TABLE_SCAN`, with the plans; {KeelsonError} `NO_PLAN` where the engine tells none,
 * or not within three seconds
 */
export async function failOnScan<R>(
  timing: Timing,
  fn: () => R | Promise<R>,
  options: ScanOptions = {},
): Promise<R> {
  checkOptionNames('failOnScan()', options, ['allow'])
  const { allow = [] } = options
  const { result, seen } = await watch(timing, 'failOnScan()', fn)
  const lines: string[] = []
  const asked = new Set<string>()
  for (const { database, instance, sql, params } of seen) {
    // Of each statement anew: what has no place in the registry is none the less to be looked at.
    const { id, operation, summary } = database.registry.fingerprintOf(sql)
    const key = `${id} ${database.name}`
    if (asked.has(key) || !mayExplain(operation, sql)) continue
    asked.add(key)
    const reader = Object.hasOwn(planReaders, database.system)
      ? planReaders[database.system]
      : undefined
    if (reader === undefined || instance.run === undefined) {
      throw new KeelsonError(
        'NO_PLAN',
        `failOnScan() cannot ask ${database.system} for a plan. It knows how to ask ${Object.keys(planReaders).join(', ')}.`,
      )
    }
    const values = reader.bindsParameters ? params : []
    const told = instance.run(reader.explain(sql), values, reader.avoidingScans)
    // It may wait for the connection that the caller holds.
    if (!(await settlesWithin(planTimeoutMs, told))) {
      told.catch(() => {})
      throw new KeelsonError(
        'NO_PLAN',
        `failOnScan() got no plan of ${summary} within ${planTimeoutMs} ms. Where there is one connection, call it outside of the transaction that holds it.`,
      )
    }
    const plan = reader.read(await told, sql)
    const scans = plan.scans.filter((table) => !allow.includes(table))
    if (scans.length > 0)
      lines.push(
        `${summary} scans ${scans.join(', ')}: ${excerpt(sql)}\n${plan.lines.map((line) => `    ${line}`).join('\n')}`,
      )
  }
  if (lines.length === 0) return result
  throw new TimingExpectationError(
    'TABLE_SCAN',
    `${lines.join('\n')}\nCreate an index on the columns by which they select, or name the table in \`allow\`.`,
  )
}

/** Runs `fn` in a scope of its own, and notes the queries of that scope and of those inside it. */
async function watch<R>(
  timing: Timing,
  where: string,
  fn: () => R | Promise<R>,
  strict?: Scope['strict'],
): Promise<{ readonly result: R; readonly seen: readonly Observation[] }> {
  const recorder = Timing.recorderOf(timing, where)
  if (!recorder.isEnabled) {
    throw new KeelsonError(
      'INVALID_OPTION',
      `${where} got a timing that is switched off, which sees no query. Set \`isEnabled\`.`,
    )
  }
  const seen: Observation[] = []
  const scope = recorder.scopes.newScope(where, {})
  scope.strict = strict
  const listener = (observation: Observation): void => {
    for (let each = recorder.scopes.current; each !== undefined; each = each.parent)
      if (each === scope) seen.push(observation)
  }
  recorder.listeners.add(listener)
  try {
    const result = await recorder.scopes.enter(scope, fn)
    // What nobody waits for is sent as soon as it has its connection.
    await nextTurn()
    return { result, seen }
  } finally {
    recorder.listeners.delete(listener)
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function isInside(scope: Recorder['scopes']['current'], strict: Scope['strict']): boolean {
  for (let each = scope; each !== undefined; each = each.parent)
    if (each.strict === strict) return true
  return false
}

function list(seen: readonly Observation[]): string {
  return seen.map(({ sql }, index) => `  ${index + 1}. ${excerpt(sql)}`).join('\n')
}
