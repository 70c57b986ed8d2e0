import { checkOptionNames, invalidOption } from '@keelson/core'
import type { Int64Policy, TransactionBehavior } from './contract.ts'
import type { BetterSqlite3Database } from './better-sqlite3.ts'

/** Options of `openSqlite()`. Every setting is read back after it was set; one that did not take effect is an error. */
export interface SqliteOptions {
  /** The file, or `':memory:'`. A `file:` URL is accepted; a file that does not exist is created. */
  readonly path?: string | URL
  /**
   * A better-sqlite3 database that you opened, instead of `path`. Its settings stay as they are, it is never closed
   * here, and everything runs on its one connection.
   */
  readonly database?: BetterSqlite3Database
  /** `'inline'` runs SQLite on the calling thread. @default 'inline' */
  readonly mode?: 'inline'
  /**
   * Read connections, at most: for streams, read-only transactions, and reads while a transaction has the write
   * connection. They are opened when first needed. @default 4
   */
  readonly readers?: number
  /** Opens an existing file for reading only; starts nothing that writes. @default false */
  readonly readOnly?: boolean
  /**
   * How long a statement waits for a lock that another process, or a transaction of this process, holds, in
   * milliseconds. The event loop runs on meanwhile. @default 5000
   */
  readonly busyTimeoutMs?: number
  /**
   * `'normal'` survives a crash of the process, and may lose the last commits when the machine loses power; `'full'`
   * survives that too. https://www.sqlite.org/pragma.html#pragma_synchronous @default 'normal'
   */
  readonly synchronous?: 'normal' | 'full' | 'off'
  /** Enforce foreign keys. @default true */
  readonly foreignKeys?: boolean
  /** Prepared statements kept per connection. @default 500 */
  readonly statementCacheSize?: number
  /**
   * How INTEGER values are read. `'number'`: one that a JS number cannot hold exactly throws `Int64RangeError`, which
   * names the column. `'bigint'` and `'string'`: every INTEGER as that. `'lossyNumber'`: rounded, as better-sqlite3
   * does. @default 'number'
   */
  readonly int64?: Int64Policy
  /** How transactions begin unless they say otherwise. @default 'immediate' */
  readonly behavior?: TransactionBehavior
  /** Further PRAGMA settings by name, for example `{ cache_size: -64000 }`. */
  readonly pragmas?: Readonly<Record<string, string | number | boolean>>
  /** `path` is resolved inside this directory and may not leave it, by `..` or by a symbolic link. */
  readonly directory?: string | URL
  /**
   * Ends a statement that waits or returns rows for longer, in milliseconds. SQLite on the calling thread cannot be
   * interrupted inside one step, so a long aggregate runs to its first row. @default no limit
   */
  readonly queryTimeoutMs?: number
}

/** Options with defaults filled in and frozen. */
export interface ResolvedSqliteOptions {
  readonly mode: 'inline'
  readonly readers: number
  readonly readOnly: boolean
  readonly busyTimeoutMs: number
  readonly synchronous: 'normal' | 'full' | 'off'
  readonly foreignKeys: boolean
  readonly statementCacheSize: number
  readonly int64: Int64Policy
  readonly behavior: TransactionBehavior
  readonly pragmas: Readonly<Record<string, string | number | boolean>>
  readonly directory: string | URL | undefined
  readonly queryTimeoutMs: number | undefined
}

const where = 'openSqlite()'

const names = [
  'path',
  'database',
  'mode',
  'readers',
  'readOnly',
  'busyTimeoutMs',
  'synchronous',
  'foreignKeys',
  'statementCacheSize',
  'int64',
  'behavior',
  'pragmas',
  'directory',
  'queryTimeoutMs',
] as const satisfies readonly (keyof SqliteOptions)[]

/** Fills in defaults and refuses what cannot be used, before anything is opened. */
export function resolveOptions(options: SqliteOptions): ResolvedSqliteOptions {
  checkOptionNames(where, options, names)
  const { pragmas } = options
  if (
    pragmas !== undefined &&
    (typeof pragmas !== 'object' || pragmas === null || Array.isArray(pragmas))
  )
    invalidOption(
      where,
      'pragmas',
      pragmas,
      'an object of settings by name, such as { cache_size: -64000 }',
    )
  return Object.freeze({
    mode: oneOf(options, 'mode', ['inline'], 'inline'),
    readers: wholeNumber(options, 'readers', 1, 64, 4),
    readOnly: flag(options, 'readOnly', false),
    busyTimeoutMs: wholeNumber(options, 'busyTimeoutMs', 0, 0x7fffffff, 5000),
    synchronous: oneOf(options, 'synchronous', ['normal', 'full', 'off'], 'normal'),
    foreignKeys: flag(options, 'foreignKeys', true),
    statementCacheSize: wholeNumber(options, 'statementCacheSize', 1, 100_000, 500),
    int64: oneOf(options, 'int64', ['number', 'bigint', 'string', 'lossyNumber'], 'number'),
    behavior: oneOf(options, 'behavior', ['immediate', 'deferred', 'exclusive'], 'immediate'),
    pragmas: Object.freeze({ ...pragmas }),
    directory: options.directory,
    queryTimeoutMs:
      options.queryTimeoutMs === undefined
        ? undefined
        : wholeNumber(options, 'queryTimeoutMs', 1, 0x7fffffff, 0),
  })
}

function oneOf<const V extends string>(
  options: SqliteOptions,
  name: keyof SqliteOptions,
  allowed: readonly V[],
  fallback: V,
): V {
  const value = options[name]
  if (value === undefined) return fallback
  if (!(allowed as readonly unknown[]).includes(value)) {
    invalidOption(where, name, value, allowed.map((choice) => `'${choice}'`).join(', '))
  }
  return value as V
}

function flag(options: SqliteOptions, name: keyof SqliteOptions, fallback: boolean): boolean {
  const value = options[name]
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') invalidOption(where, name, value, 'true or false')
  return value
}

function wholeNumber(
  options: SqliteOptions,
  name: keyof SqliteOptions,
  least: number,
  most: number,
  fallback: number,
): number {
  const value = options[name]
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    invalidOption(where, name, value, `a whole number from ${least} to ${most}`)
  }
  return value
}
