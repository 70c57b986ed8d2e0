import { checkOptionNames, invalidOption, OptionError } from '@keelson/core'
import type { Conflict } from '../conflict.ts'
import { normaliseOptions } from '../options.ts'
import type { RetryPolicy } from './retry-delay.ts'
import type { FsyncPolicy } from './spill/spill.ts'

/** A row that was refused for its own sake. */
export interface BufferRejection<Row = unknown> {
  readonly row: Row
  /** The column that is to blame, as the row calls it, where that is known. */
  readonly column: string | undefined
  readonly error: unknown
}

/** A row that was added, will not be written, and is not to blame for it. */
export interface BufferLoss<Row = unknown> {
  readonly row: Row
  readonly error: unknown
}

/** How often, how fast and how long rows are sent again that could not be written for a reason that passes. */
export interface BufferRetryOptions {
  /** Attempts for a batch, the first included. @default Infinity: `maxAgeMs` is the bound */
  readonly attempts?: number | undefined
  /** The least time between two attempts, in milliseconds. @default 50 */
  readonly minDelayMs?: number | undefined
  /** The most time between two attempts, in milliseconds. @default 5_000 */
  readonly maxDelayMs?: number | undefined
  /**
   * How long a row is tried since it was accepted, in milliseconds. After that its promise is rejected with
   * `RowExpiredError`. @default 120_000; with a spill Infinity, since what was acknowledged is not given up
   */
  readonly maxAgeMs?: number | undefined
}

/** Where rows are kept until they are in the table, so that they survive a crash. */
export interface BufferSpillOptions {
  /** A directory for this buffer alone; it is made where there is none. */
  readonly path: string
  /**
   * When rows are made to survive a power cut, too. `'each'`: before they are acknowledged; what is added at once shares
   * one. `{ intervalMs }`: every so often; what was acknowledged since survives the end of the process, not of the machine.
   * @default 'each'
   */
  readonly fsync?: FsyncPolicy | undefined
}

/** Options of `createWriteBuffer()` that do not depend on the ORM. */
export interface CommonBufferOptions<Row, Column extends string = string> {
  /** Rows that the buffer holds at most. @default 50_000 */
  readonly maxRows?: number | undefined
  /** About how many bytes these take at most. @default 67_108_864 (64 MiB) */
  readonly maxBytes?: number | undefined
  /** How long a row waits for others to be sent with, in milliseconds. @default 20 */
  readonly lingerMs?: number | undefined
  /** Rows that are sent together at most, and at once when there are so many. @default 2_000 */
  readonly flushRows?: number | undefined
  /** About how many bytes are sent together at most, and at once when there are so many. @default 8_388_608 (8 MiB) */
  readonly flushBytes?: number | undefined
  /** What `add()` does when there is no room: it waits, or is rejected with `BufferFullError`. @default 'wait' */
  readonly overflow?: 'wait' | 'error' | undefined
  readonly retry?: BufferRetryOptions | undefined
  /**
   * The columns of a unique key by which a row is known that is there already. With it a batch of which nobody knows whether
   * it was committed is sent again, and rows that are there are skipped. Every row has to have it.
   */
  readonly idempotencyKey?: Column | readonly Column[] | undefined
  /** Keeps rows on disk until they are in the table. Takes an `idempotencyKey`. */
  readonly spill?: BufferSpillOptions | undefined
  /** Is called for a row that cannot be inserted, besides its promise being rejected. */
  readonly onRejected?: ((rejection: BufferRejection<Row>) => unknown) | undefined
  /**
   * Is called for every other row that was given to the buffer and will not be written; also for rejected ones when there is
   * no `onRejected`. With it promises need not be awaited.
   */
  readonly onLost?: ((loss: BufferLoss<Row>) => unknown) | undefined
  /** Is called when the buffer stops writing for an error that no row is to blame for. */
  readonly onStopped?: ((error: unknown) => unknown) | undefined
  /** Closes the buffer when it is aborted, as `close()` does. */
  readonly signal?: AbortSignal | undefined
}

/** Options of a buffer in the form in which it uses them. */
export interface BufferSettings {
  readonly maxRows: number
  readonly maxBytes: number
  readonly lingerMs: number
  readonly flushRows: number
  readonly flushBytes: number
  readonly overflow: 'wait' | 'error'
  readonly retry: RetryPolicy
  readonly conflict: Conflict | undefined
  readonly idempotencyKey: readonly string[] | undefined
  readonly spill: { readonly path: string; readonly fsync: FsyncPolicy } | undefined
  readonly onRejected: ((rejection: BufferRejection<any>) => unknown) | undefined
  readonly onLost: ((loss: BufferLoss<any>) => unknown) | undefined
  readonly onStopped: ((error: unknown) => unknown) | undefined
  readonly signal: AbortSignal | undefined
}

const where = 'createWriteBuffer()'

const known = [
  'maxRows',
  'maxBytes',
  'lingerMs',
  'flushRows',
  'flushBytes',
  'onConflict',
  'overflow',
  'retry',
  'idempotencyKey',
  'spill',
  'onRejected',
  'onLost',
  'onStopped',
  'signal',
]

/** @throws {OptionError} for an option that nobody reads, or of an impossible value */
export function bufferSettings(given: object): BufferSettings {
  checkOptionNames(where, given, known)
  const options = given as CommonBufferOptions<any> & { readonly onConflict?: unknown }
  const maxRows = whole('maxRows', options.maxRows, 50_000, 1)
  const maxBytes = whole('maxBytes', options.maxBytes, 64 * 1024 * 1024, 1)
  const { overflow = 'wait', onRejected, onLost, onStopped, signal } = options
  if (overflow !== 'wait' && overflow !== 'error')
    invalidOption(where, 'overflow', overflow, "'wait' or 'error'")
  for (const [name, callback] of Object.entries({ onRejected, onLost, onStopped }))
    if (callback !== undefined && typeof callback !== 'function')
      invalidOption(where, name, callback, 'a function')
  if (signal !== undefined && !(signal instanceof AbortSignal))
    invalidOption(where, 'signal', signal, 'an AbortSignal')
  const idempotencyKey = keyOf(options.idempotencyKey)
  const spill = spillSettings(options.spill)
  if (spill !== undefined && idempotencyKey === undefined) {
    throw new OptionError(
      'INVALID_OPTION',
      'idempotencyKey',
      `${where} takes \`spill\` only with an \`idempotencyKey\`: after a crash rows are sent again that may be in the table, ` +
        'and without a unique key they would be there twice. Name the columns of one.',
    )
  }
  return {
    maxRows,
    maxBytes,
    lingerMs: milliseconds('lingerMs', options.lingerMs, 20),
    flushRows: within('flushRows', options.flushRows, 2_000, 'maxRows', maxRows),
    flushBytes: within('flushBytes', options.flushBytes, 8 * 1024 * 1024, 'maxBytes', maxBytes),
    overflow,
    retry: retrySettings(options.retry, spill !== undefined),
    conflict: conflictOf(options.onConflict, idempotencyKey),
    idempotencyKey,
    spill,
    onRejected,
    onLost,
    onStopped,
    signal,
  }
}

function conflictOf(
  onConflict: unknown,
  idempotencyKey: readonly string[] | undefined,
): Conflict | undefined {
  if (idempotencyKey === undefined) return normaliseOptions({ onConflict }).conflict
  const { conflict } = normaliseOptions({
    onConflict: onConflict ?? { target: idempotencyKey, skip: true },
  })
  const skips = conflict !== undefined && conflict.update === undefined
  const target = conflict?.target
  const isSameKey =
    target === undefined ||
    (target.length === idempotencyKey.length && target.every((key) => idempotencyKey.includes(key)))
  if (skips && isSameKey) return conflict
  throw new OptionError(
    'INVALID_OPTION',
    'onConflict',
    `${where} cannot use this \`onConflict\` beside an \`idempotencyKey\`: a batch that may be in the table is sent again, and ` +
      "must then change nothing. Leave `onConflict` out, or make it 'skip'.",
  )
}

function keyOf(given: unknown): readonly string[] | undefined {
  if (given === undefined) return undefined
  const key: unknown[] = Array.isArray(given) ? given : [given]
  if (key.length === 0 || !key.every((each) => typeof each === 'string'))
    invalidOption(where, 'idempotencyKey', given, 'a column, or an array of columns')
  return key as string[]
}

function spillSettings(given: BufferSpillOptions | undefined): BufferSettings['spill'] {
  if (given === undefined) return undefined
  if (typeof given !== 'object' || given === null)
    invalidOption(where, 'spill', given, 'an object with a `path`')
  checkOptionNames('spill', given, ['path', 'fsync'])
  const { path, fsync = 'each' } = given
  if (typeof path !== 'string' || path === '')
    invalidOption(where, 'spill.path', path, 'the path of a directory')
  if (fsync === 'each') return { path, fsync }
  if (typeof fsync !== 'object' || fsync === null)
    invalidOption(where, 'spill.fsync', fsync, "'each' or { intervalMs }")
  checkOptionNames('spill.fsync', fsync, ['intervalMs'])
  return {
    path,
    fsync: { intervalMs: milliseconds('spill.fsync.intervalMs', fsync.intervalMs, undefined) },
  }
}

function retrySettings(given: BufferRetryOptions = {}, hasSpill: boolean): RetryPolicy {
  if (typeof given !== 'object' || given === null)
    invalidOption(
      where,
      'retry',
      given,
      'an object: { attempts, minDelayMs, maxDelayMs, maxAgeMs }',
    )
  checkOptionNames('retry', given, ['attempts', 'minDelayMs', 'maxDelayMs', 'maxAgeMs'])
  const { attempts = Number.POSITIVE_INFINITY } = given
  if (attempts !== Number.POSITIVE_INFINITY) whole('retry.attempts', attempts, 1, 1)
  const minDelayMs = milliseconds('retry.minDelayMs', given.minDelayMs, 50)
  const maxDelayMs = milliseconds('retry.maxDelayMs', given.maxDelayMs, Math.max(5_000, minDelayMs))
  if (maxDelayMs < minDelayMs)
    invalidOption(
      where,
      'retry.maxDelayMs',
      maxDelayMs,
      `no less than \`minDelayMs\`: ${minDelayMs}`,
    )
  const { maxAgeMs = hasSpill ? Number.POSITIVE_INFINITY : 120_000 } = given
  if (typeof maxAgeMs !== 'number' || !(maxAgeMs >= 0))
    invalidOption(where, 'retry.maxAgeMs', maxAgeMs, 'milliseconds from 0, or Infinity')
  return { attempts, minDelayMs, maxDelayMs, maxAgeMs }
}

function within(
  name: string,
  value: number | undefined,
  otherwise: number,
  limitName: string,
  limit: number,
): number {
  const number = whole(name, value, Math.min(otherwise, limit), 1)
  if (number > limit)
    invalidOption(where, name, number, `a whole number from 1 to \`${limitName}\`: ${limit}`)
  return number
}

function whole(name: string, value: number | undefined, otherwise: number, least: number): number {
  if (value === undefined) return otherwise
  if (!Number.isSafeInteger(value) || value < least)
    invalidOption(where, name, value, `a whole number from ${least}`)
  return value
}

/** The longest time that a timer can be set to. */
const longestMs = 2 ** 31 - 1

export function milliseconds(
  name: string,
  value: number | undefined,
  otherwise: number | undefined,
): number {
  const given = value ?? otherwise
  if (typeof given !== 'number' || !(given >= 0 && given <= longestMs))
    invalidOption(where, name, value, `milliseconds from 0 to ${longestMs}`)
  return given
}
