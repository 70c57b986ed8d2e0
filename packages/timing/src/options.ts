import { checkOptionNames, invalidOption, OptionError } from '@keelson/core'
import { defaultBytes, defaultWalBytes } from './health/size-checks.ts'
import type { Sink } from './sink.ts'

/** What `createTiming()` may be told. Times are in milliseconds. */
export interface TimingOptions {
  /** Measure from the beginning; `timing.isEnabled` switches it. @default true */
  readonly enabled?: boolean | undefined
  /** A query that takes so long is slow: a `slow` signal of level `warn`. `false` for never. @default 100 */
  readonly slowMs?: number | false | undefined
  /** One that takes so long is slow at level `critical`. @default 1000 */
  readonly criticalMs?: number | undefined
  /**
   * A query is slow, too, when it takes so many times as long as 95 % of the calls of its fingerprint, since 100 ms are ten
   * thousand times a point read of SQLite. `false` for never. @default { factor: 10, minCalls: 50, minMs: 5 }
   */
  readonly relativeSlow?:
    | false
    | {
        readonly factor?: number | undefined
        /** Calls of the fingerprint before it is judged. */
        readonly minCalls?: number | undefined
        /** What takes less is never slow. */
        readonly minMs?: number | undefined
      }
    | undefined
  /**
   * How often one query may run in a scope, from the same place in the code, before it is an `nplusone` (other values each
   * time, or a write) or `duplicate` (a read with the same values). `false` for never. @default 5
   */
  readonly repeats?: number | false | undefined
  /** A transaction that is open for so long raises `long_tx`, while it is open. `false` for never. @default 5000 */
  readonly longTransactionMs?: number | false | undefined
  /**
   * The share of a pool in use that raises `pool_saturated` once it has lasted for three seconds. It is looked at every second
   * as long as a database with a known pool is open, also when no query comes back. @default 0.8
   */
  readonly poolSaturation?: number | false | undefined
  /**
   * The share of failed calls within a minute that raises `error_rate`, of at least 20 calls. Broken constraints are not
   * counted: they are answers. @default 0.05
   */
  readonly errorRate?: number | false | undefined
  /**
   * Ask the engine for the plan of a query that has become hot, and raise `scan` where that reads a whole table and the query
   * is not quick. It is asked once, again after an index was created or its like, and before a scan is raised again. Never with ANALYZE, and never inside a transaction. `false` for never.
   * @default { minCalls: 20, minTotalMs: 100, scanMs: 5 }
   */
  readonly plans?:
    | false
    | {
        /** Hot are so many calls, ... */
        readonly minCalls?: number | undefined
        /** ... or so much time in all. */
        readonly minTotalMs?: number | undefined
        /** A query whose p95 is below may scan. */
        readonly scanMs?: number | undefined
      }
    | undefined
  /**
   * How large the files of SQLite or DuckDB may become: beyond `warnBytes` and `criticalBytes` (500 MB and 1000 MB) a `db_size`,
   * beyond `walBytes` (64 MB) of write-ahead log a `wal_size` is raised. They are looked at after a query, every `everyMs` at
   * most: a file that nobody queries does not grow. Never inside a transaction. `false` for never.
   * @default { everyMs: 60000, warnBytes: 524288000, criticalBytes: 1048576000, walBytes: 67108864 }
   */
  readonly sizes?:
    | false
    | {
        readonly everyMs?: number | undefined
        readonly warnBytes?: number | undefined
        readonly criticalBytes?: number | undefined
        readonly walBytes?: number | undefined
      }
    | undefined
  /** A rule is silent about the same thing for so long after it has spoken. @default 60000 */
  readonly cooldownMs?: number | undefined
  /** Fingerprints that are counted apart; what has no place is counted in `<other>`. @default 500 */
  readonly maxFingerprints?: number | undefined
  /** Look for the caller's file and line at every query (5 to 10 microseconds each), and not only where a rule asks. @default false */
  readonly callSites?: boolean | undefined
  /** Have events hold the values of parameters. They may be secrets. @default false */
  readonly captureParams?: boolean | undefined
  /**
   * Keep the values of so many calls of each fingerprint, drawn at random, for `workload()`: an index advisor judges by them how
   * many rows a condition leaves. They may be secrets, and are in what `workload()` gives. @default 0
   */
  readonly sampleParams?: number | undefined
  /** Who hears of queries, transactions, pools and signals, in this order. @default [] */
  readonly sinks?: readonly Sink[] | undefined
  /** Findings of others, asked for with each report: `advise()` of an index advisor, for example. One line each. */
  readonly advice?: (() => readonly string[]) | undefined
}

/** The options with their defaults. */
export interface TimingSettings {
  readonly slowMs: number
  readonly criticalMs: number
  readonly relativeSlow:
    | { readonly factor: number; readonly minCalls: number; readonly minMs: number }
    | undefined
  readonly repeats: number
  readonly longTransactionMs: number
  readonly poolSaturation: number
  readonly errorRate: number
  readonly plans:
    | { readonly minCalls: number; readonly minTotalMs: number; readonly scanMs: number }
    | undefined
  readonly sizes:
    | {
        readonly everyMs: number
        readonly warnBytes: number
        readonly criticalBytes: number
        readonly walBytes: number
      }
    | undefined
  readonly cooldownMs: number
  readonly maxFingerprints: number
  readonly callSites: boolean
  readonly captureParams: boolean
  readonly sampleParams: number
  readonly sinks: readonly Sink[]
  readonly advice: (() => readonly string[]) | undefined
}

const where = 'createTiming()'
const names: readonly (keyof TimingOptions)[] = [
  'enabled',
  'slowMs',
  'criticalMs',
  'relativeSlow',
  'repeats',
  'longTransactionMs',
  'poolSaturation',
  'errorRate',
  'plans',
  'sizes',
  'cooldownMs',
  'maxFingerprints',
  'callSites',
  'captureParams',
  'sampleParams',
  'sinks',
  'advice',
]

/** @throws {OptionError} for an option that is unknown or impossible */
export function settingsFrom(options: TimingOptions): TimingSettings {
  if (typeof options !== 'object' || options === null)
    invalidOption(where, 'options', options, 'an object')
  checkOptionNames(where, options, names)
  const slowMs = orNever('slowMs', options.slowMs ?? 100)
  const criticalMs = positive('criticalMs', options.criticalMs ?? Math.max(1_000, slowMs))
  if (criticalMs < slowMs && slowMs !== Infinity) {
    throw new OptionError(
      'INVALID_OPTION',
      'criticalMs',
      `${where} got criticalMs ${criticalMs} below slowMs ${slowMs}. What is critical is slow: give criticalMs the larger value.`,
    )
  }
  const settings: TimingSettings = {
    slowMs,
    criticalMs,
    relativeSlow: group('relativeSlow', options.relativeSlow, {
      factor: 10,
      minCalls: 50,
      minMs: 5,
    }),
    repeats: atLeastTwo('repeats', options.repeats ?? 5),
    longTransactionMs: orNever('longTransactionMs', options.longTransactionMs ?? 5_000),
    poolSaturation: share('poolSaturation', options.poolSaturation ?? 0.8),
    errorRate: share('errorRate', options.errorRate ?? 0.05),
    plans: group('plans', options.plans, { minCalls: 20, minTotalMs: 100, scanMs: 5 }),
    sizes: sizes(options.sizes),
    cooldownMs: notNegative('cooldownMs', options.cooldownMs ?? 60_000),
    maxFingerprints: whole('maxFingerprints', options.maxFingerprints ?? 500),
    callSites: boolean('callSites', options.callSites ?? false),
    captureParams: boolean('captureParams', options.captureParams ?? false),
    sampleParams: count('sampleParams', options.sampleParams ?? 0),
    sinks: sinks(options.sinks ?? []),
    advice: options.advice,
  }
  boolean('enabled', options.enabled ?? true)
  if (options.advice !== undefined && typeof options.advice !== 'function')
    invalidOption(where, 'advice', options.advice, 'a function that returns lines')
  return Object.freeze(settings)
}

function positive(option: string, value: unknown): number {
  if (typeof value !== 'number' || !(value > 0))
    invalidOption(where, option, value, 'milliseconds above 0')
  return value
}

function notNegative(option: string, value: unknown, unit = 'milliseconds'): number {
  if (typeof value !== 'number' || !(value >= 0))
    invalidOption(where, option, value, `${unit}, 0 or more`)
  return value
}

/** The names end with it, as in `scanMs`; what has none is a number. */
function unitOf(name: string): string {
  if (name.endsWith('Ms')) return 'milliseconds'
  return name.endsWith('Bytes') ? 'bytes' : 'a number'
}

function orNever(option: string, value: unknown): number {
  return value === false ? Infinity : positive(option, value)
}

function share(option: string, value: unknown): number {
  if (value === false) return Infinity
  if (typeof value !== 'number' || !(value > 0 && value <= 1))
    invalidOption(where, option, value, 'a share above 0 and up to 1, or false')
  return value
}

function whole(option: string, value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 1)
    invalidOption(where, option, value, 'a whole number of at least 1')
  return value as number
}

function count(option: string, value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > 100)
    invalidOption(where, option, value, 'a whole number from 0 to 100')
  return value as number
}

function atLeastTwo(option: string, value: unknown): number {
  if (value === false) return Infinity
  if (!Number.isSafeInteger(value) || (value as number) < 2)
    invalidOption(where, option, value, 'a whole number of at least 2, or false')
  return value as number
}

function boolean(option: string, value: unknown): boolean {
  if (typeof value !== 'boolean') invalidOption(where, option, value, 'true or false')
  return value
}

function group<G extends Record<string, number>>(
  option: string,
  given: false | { readonly [K in keyof G]?: number | undefined } | undefined,
  defaults: G,
): G | undefined {
  if (given === false) return undefined
  if (given === undefined) return defaults
  if (typeof given !== 'object' || given === null)
    invalidOption(
      where,
      option,
      given,
      `false, or an object of ${Object.keys(defaults).join(', ')}`,
    )
  checkOptionNames(`${option} of ${where}`, given, Object.keys(defaults))
  const result: Record<string, number> = { ...defaults }
  for (const [name, value] of Object.entries(given))
    if (value !== undefined) result[name] = notNegative(`${option}.${name}`, value, unitOf(name))
  return result as G
}

function sizes(given: TimingOptions['sizes']): TimingSettings['sizes'] {
  const settings = group('sizes', given, {
    everyMs: 60_000,
    warnBytes: defaultBytes.warn,
    criticalBytes: defaultBytes.critical,
    walBytes: defaultWalBytes,
  })
  if (settings === undefined || settings.criticalBytes >= settings.warnBytes) return settings
  const { criticalBytes } = given as { readonly criticalBytes?: number | undefined }
  if (criticalBytes === undefined) return { ...settings, criticalBytes: settings.warnBytes }
  throw new OptionError(
    'INVALID_OPTION',
    'sizes.criticalBytes',
    `${where} got sizes.criticalBytes ${criticalBytes} below sizes.warnBytes ${settings.warnBytes}. What is critical is more than a warning: give criticalBytes the larger value.`,
  )
}

function sinks(value: readonly Sink[]): readonly Sink[] {
  if (!Array.isArray(value)) invalidOption(where, 'sinks', value, 'an array of sinks')
  for (const sink of value) checkSink(where, 'sinks', sink)
  return Object.freeze([...value])
}

const heard = ['query', 'transaction', 'pool', 'signal'] as const

/** @throws {OptionError} for what would never be told anything, or cannot be */
export function checkSink(call: string, option: string, sink: Sink): void {
  if (typeof sink !== 'object' || sink === null || heard.every((name) => sink[name] === undefined))
    invalidOption(call, option, sink, 'an object with query, transaction, pool or signal')
  for (const name of heard)
    if (sink[name] !== undefined && typeof sink[name] !== 'function')
      invalidOption(call, `${option}.${name}`, sink[name], 'a function')
}
