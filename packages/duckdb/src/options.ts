import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkOptionNames, invalidOption, type PoolOptions } from '@keelson/core'
import type { DuckDBInstance } from '@duckdb/node-api'
import type { ValuePolicies } from './contract.ts'

/** Limits of the connection pool; every time in milliseconds. */
export interface DuckDBPoolOptions extends Pick<
  PoolOptions<unknown>,
  | 'minIdle'
  | 'maxWaiters'
  | 'acquireTimeoutMs'
  | 'idleTimeoutMs'
  | 'maxLifetimeMs'
  | 'leakAfterMs'
  | 'onLeak'
  | 'onEvent'
> {
  /** Connections at most. Each transaction, stream and reserved session owns one. @default 10 */
  readonly max?: number | undefined
}

/** Options of `openDuckDB()`. Every setting is read back after it was set; one that did not take effect is an error. */
export interface DuckDBOptions extends Partial<ValuePolicies> {
  /** The file, or `':memory:'`. A `file:` URL is accepted; a file that does not exist is created. */
  readonly path?: string | URL
  /**
   * An instance that you opened, instead of `path`. Its settings stay as they are, and it is never closed here.
   */
  readonly instance?: DuckDBInstance
  readonly pool?: DuckDBPoolOptions
  /**
   * Threads that DuckDB computes on. They are its own, beside those of Node. @default as DuckDB chooses: one per core
   */
  readonly threads?: number
  /** Memory that DuckDB may use: bytes, or a text such as `'2GB'`. @default as DuckDB chooses: 80 % of the machine's */
  readonly memoryLimit?: number | string
  /** Where DuckDB puts what does not fit into its memory. @default as DuckDB chooses: beside the file */
  readonly tempDirectory?: string | URL
  /** Opens an existing file for reading only. @default false */
  readonly readOnly?: boolean
  /** Interrupts a statement that runs for longer, in milliseconds; in a stream, the time DuckDB works. @default no limit */
  readonly queryTimeoutMs?: number
  /** Prepared statements kept per connection. @default 100 */
  readonly statementCacheSize?: number
  /** Lets DuckDB download extensions that a query needs. @default false */
  readonly autoInstallExtensions?: boolean
  /** Lets DuckDB load extensions that a query needs and that are installed. @default false */
  readonly autoLoadExtensions?: boolean
  /** Further settings of DuckDB by name, for example `{ TimeZone: 'UTC' }`. https://duckdb.org/docs/stable/configuration/overview */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
  /**
   * How rows are handed to DuckDB in bulk. `'table-function'` needs @duckdb/node-api 1.5.5-r.4, `'staging'` fills a
   * temporary table first. @default 'auto', the faster that is there
   */
  readonly ingest?: 'auto' | 'table-function' | 'staging'
}

/** Options with defaults filled in and frozen. */
export interface ResolvedDuckDBOptions extends ValuePolicies {
  readonly pool: DuckDBPoolOptions & { readonly max: number }
  readonly threads: number | undefined
  readonly memoryLimit: number | string | undefined
  readonly tempDirectory: string | undefined
  readonly readOnly: boolean
  readonly queryTimeoutMs: number | undefined
  readonly statementCacheSize: number
  readonly autoInstallExtensions: boolean
  readonly autoLoadExtensions: boolean
  readonly settings: Readonly<Record<string, string | number | boolean>>
  readonly ingest: 'auto' | 'table-function' | 'staging'
}

const where = 'openDuckDB()'

/** The values that each policy takes; the first is the default. */
const policyValues: { readonly [K in keyof ValuePolicies]: readonly ValuePolicies[K][] } = {
  int64: ['number', 'bigint', 'string', 'lossyNumber'],
  decimal: ['string', 'number'],
  timestamp: ['string', 'date', 'lossyDate'],
  date: ['string', 'date'],
  time: ['string', 'micros'],
  interval: ['object', 'string'],
  json: ['parse', 'string'],
  infinity: ['string', 'number', 'throw'],
}

export const policyNames = Object.keys(policyValues) as readonly (keyof ValuePolicies)[]

const names = [
  'path',
  'instance',
  'pool',
  'threads',
  'memoryLimit',
  'tempDirectory',
  'readOnly',
  'queryTimeoutMs',
  'statementCacheSize',
  'autoInstallExtensions',
  'autoLoadExtensions',
  'settings',
  'ingest',
  ...(Object.keys(policyValues) as (keyof ValuePolicies)[]),
] as const satisfies readonly (keyof DuckDBOptions)[]

const poolNames = [
  'max',
  'minIdle',
  'maxWaiters',
  'acquireTimeoutMs',
  'idleTimeoutMs',
  'maxLifetimeMs',
  'leakAfterMs',
  'onLeak',
  'onEvent',
] as const satisfies readonly (keyof DuckDBPoolOptions)[]

/** Fills in defaults and refuses what cannot be used, before anything is opened. */
export function resolveOptions(options: DuckDBOptions): ResolvedDuckDBOptions {
  checkOptionNames(where, options, names)
  const { settings = {} } = options
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings))
    invalidOption(
      where,
      'settings',
      settings,
      "an object of settings by name, such as { TimeZone: 'UTC' }",
    )
  return Object.freeze({
    ...policies(where, options),
    pool: poolOptions(options.pool),
    threads: given(options, 'threads', 1, 1024),
    memoryLimit: memory(options.memoryLimit),
    tempDirectory: directory(options.tempDirectory),
    readOnly: flag(options, 'readOnly'),
    queryTimeoutMs: given(options, 'queryTimeoutMs', 1, 0x7fffffff),
    statementCacheSize: given(options, 'statementCacheSize', 1, 100_000) ?? 100,
    autoInstallExtensions: flag(options, 'autoInstallExtensions'),
    autoLoadExtensions: flag(options, 'autoLoadExtensions'),
    settings: Object.freeze({ ...settings }),
    ingest: oneOf(where, 'ingest', options.ingest, ['auto', 'table-function', 'staging']),
  })
}

/**
 * The policies among `given`, with defaults for those that are missing.
 *
 * @param fallbacks what applies where nothing is given
 */
export function policies(
  where: string,
  given: Partial<ValuePolicies>,
  fallbacks: Partial<ValuePolicies> = {},
): ValuePolicies {
  const policy = <K extends keyof ValuePolicies>(name: K): ValuePolicies[K] =>
    given[name] === undefined && fallbacks[name] !== undefined
      ? (fallbacks[name] as ValuePolicies[K])
      : oneOf(where, name, given[name], policyValues[name])
  return Object.freeze({
    int64: policy('int64'),
    decimal: policy('decimal'),
    timestamp: policy('timestamp'),
    date: policy('date'),
    time: policy('time'),
    interval: policy('interval'),
    json: policy('json'),
    infinity: policy('infinity'),
  })
}

function poolOptions(pool: DuckDBPoolOptions = {}): ResolvedDuckDBOptions['pool'] {
  if (typeof pool !== 'object' || pool === null)
    invalidOption(where, 'pool', pool, 'an object of limits, such as { max: 4 }')
  checkOptionNames(`${where} pool`, pool, poolNames)
  return Object.freeze({ ...pool, max: pool.max ?? 10 })
}

function memory(value: unknown): number | string | undefined {
  if (value === undefined) return undefined
  const isSize =
    typeof value === 'number'
      ? Number.isSafeInteger(value) && value > 0
      : typeof value === 'string' && /^\d+(\.\d+)?\s*([kmgt]i?b|b|bytes?)$/i.test(value.trim())
  if (!isSize)
    invalidOption(where, 'memoryLimit', value, "bytes, or a size with its unit such as '2GB'")
  return value as number | string
}

function directory(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (value instanceof URL && value.protocol === 'file:') return fileURLToPath(value)
  if (typeof value !== 'string' || value === '' || value.includes('\0'))
    invalidOption(where, 'tempDirectory', value, 'a path, or a file: URL')
  return resolve(value)
}

function oneOf<const V extends string>(
  where: string,
  name: string,
  value: unknown,
  allowed: readonly V[],
): V {
  if (value === undefined) return allowed[0]!
  if (!(allowed as readonly unknown[]).includes(value)) {
    invalidOption(where, name, value, allowed.map((choice) => `'${choice}'`).join(', '))
  }
  return value as V
}

function flag(options: DuckDBOptions, name: keyof DuckDBOptions): boolean {
  const value = options[name] ?? false
  if (typeof value !== 'boolean') invalidOption(where, name, value, 'true or false')
  return value
}

function given(
  options: DuckDBOptions,
  name: keyof DuckDBOptions,
  least: number,
  most: number,
): number | undefined {
  const value = options[name]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    invalidOption(where, name, value, `a whole number from ${least} to ${most}`)
  }
  return value
}
