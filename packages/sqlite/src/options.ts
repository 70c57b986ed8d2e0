import { availableParallelism } from 'node:os'
import { pathToFileURL } from 'node:url'
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
  /**
   * `'inline'` runs SQLite on the calling thread: the lowest latency, and the event loop stands still while a statement
   * runs. `'threads'` runs it on one thread that writes and several that read: the event loop never waits for SQLite,
   * reads run beside each other, and writes of many callers are committed together. `'auto'` takes threads for a file on a
   * local disk, and else runs inline (in memory, a `database` that was handed in, a network disk); `database.mode` says
   * which. @default 'inline'
   */
  readonly mode?: 'inline' | 'threads' | 'auto'
  /**
   * Read connections, at most: for streams, read-only transactions, and reads while a transaction has the write
   * connection. They are opened when first needed. With `mode: 'threads'` as many threads for ordinary reads, and as many
   * more for streams and read-only transactions. @default 4; with threads no more than there are processors
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
   * interrupted inside one step, so a long aggregate runs to its first row. With threads its caller gets the error in
   * time, and the thread is replaced; of a write that is stuck nobody knows then whether it will be committed.
   * @default no limit
   */
  readonly queryTimeoutMs?: number
  /**
   * Refuses results of more rows, which could take more memory than the process has. Streams are not limited.
   * @default no limit
   */
  readonly maxRows?: number
  /**
   * A module whose default export is called with each better-sqlite3 connection that is opened, in the thread where it is:
   * for functions, collations, extensions. It is loaded without waiting, so it has no top-level await.
   */
  readonly connectionModule?: URL | string
  /**
   * Where the code of the threads is, when a bundler has put this package into a file of its own: the URL of a second file
   * that it made of `@keelson/sqlite/worker`. @default the file of this package
   */
  readonly worker?: URL | string
}

/** What a connection is opened with; it can be sent to another thread. */
export interface ConnectionOptions {
  readonly readOnly: boolean
  readonly busyTimeoutMs: number
  readonly synchronous: 'normal' | 'full' | 'off'
  readonly foreignKeys: boolean
  readonly statementCacheSize: number
  readonly int64: Int64Policy
  readonly pragmas: Readonly<Record<string, string | number | boolean>>
  readonly maxRows: number | undefined
  /** The URL of a file. */
  readonly connectionModule: string | undefined
}

/** Options with defaults filled in and frozen. */
export interface ResolvedSqliteOptions extends ConnectionOptions {
  /** What was asked for; `database.mode` is what came of it. */
  readonly mode: 'inline' | 'threads' | 'auto'
  readonly readers: number
  readonly behavior: TransactionBehavior
  readonly directory: string | URL | undefined
  readonly queryTimeoutMs: number | undefined
  readonly worker: string | undefined
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
  'maxRows',
  'connectionModule',
  'worker',
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
    mode: oneOf(options, 'mode', ['inline', 'threads', 'auto'], 'inline'),
    readers: wholeNumber(options, 'readers', 1, 64, defaultReaders(options.mode)),
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
    maxRows:
      options.maxRows === undefined
        ? undefined
        : wholeNumber(options, 'maxRows', 1, Number.MAX_SAFE_INTEGER, 0),
    connectionModule: moduleAt(options, 'connectionModule'),
    worker: moduleAt(options, 'worker'),
  })
}

function defaultReaders(mode: SqliteOptions['mode']): number {
  return mode === 'threads' || mode === 'auto' ? Math.min(4, availableParallelism()) : 4
}

/** The URL of a file of code. */
function moduleAt(options: SqliteOptions, name: 'connectionModule' | 'worker'): string | undefined {
  const value = options[name]
  if (value === undefined) return undefined
  const isUrl = value instanceof URL || (typeof value === 'string' && value.startsWith('file:'))
  if (isUrl && URL.canParse(String(value)) && new URL(value).protocol === 'file:')
    return new URL(value).href
  if (typeof value === 'string' && !isUrl && value !== '') return pathToFileURL(value).href
  return invalidOption(
    where,
    name,
    value,
    "the path or `file:` URL of a module, such as new URL('./functions.js', import.meta.url)",
  )
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
