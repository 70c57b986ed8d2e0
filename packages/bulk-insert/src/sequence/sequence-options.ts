import { checkOptionNames, invalidOption, OptionError } from '@keelson/core'
import { checkName } from './check-name.ts'
import type { SequenceTableOptions } from './sequence-table.ts'

/** Options of `nextSequence()`. */
export interface SequenceOptions extends SequenceTableOptions {
  /** Counts by itself: a tenant, a year. Numbers and text of the same digits are the same scope. @default one for all */
  readonly scope?: string | number | bigint | undefined
  /** How many numbers to take, from 1. With it the result is `{ first, last }`. @default 1 */
  readonly count?: number | undefined
  /** The first number of a counter that is not there yet, from 0. @default 1 */
  readonly start?: number | undefined
  /**
   * For how long it is tried again when other transactions are in the way, in milliseconds; 0 means once. It is for calls
   * outside of a transaction: inside one it throws, since a transaction can only run again as a whole.
   * @default 5_000
   */
  readonly retryForMs?: number | undefined
}

/** The numbers of a `nextSequence()` with `count`: all from `first` to `last`, both included. */
export interface SequenceRange {
  readonly first: number
  readonly last: number
}

export interface CheckedSequenceOptions {
  readonly table: string | undefined
  readonly schema: string | undefined
  /** Empty for none. */
  readonly scope: string
  readonly count: number | undefined
  readonly start: number
  readonly retryForMs: number
}

const where = 'nextSequence()'

/** @throws {OptionError} for an option that nobody reads, or of an impossible value */
export function checkSequenceOptions(
  options: SequenceOptions,
  isInTransaction: boolean,
): CheckedSequenceOptions {
  checkOptionNames(where, options, ['table', 'schema', 'scope', 'count', 'start', 'retryForMs'])
  const { table, schema, count, start = 1 } = options
  if (count !== undefined && (!Number.isSafeInteger(count) || count < 1))
    invalidOption(where, 'count', count, 'a whole number from 1')
  if (!Number.isSafeInteger(start) || start < 0)
    invalidOption(where, 'start', start, 'a whole number from 0')
  if (!Number.isSafeInteger(start + (count ?? 1)))
    invalidOption(where, 'count', count, 'a number that JavaScript can still count to from `start`')
  return {
    table,
    schema,
    scope: scopeOf(options.scope),
    count,
    start,
    retryForMs: checkRetry(where, options.retryForMs, isInTransaction),
  }
}

/** @throws {OptionError} for a time that is none, and for one inside a transaction of the caller */
export function checkRetry(
  caller: string,
  retryForMs: number | undefined,
  isInTransaction: boolean,
): number {
  if (retryForMs === undefined) return 5_000
  if (typeof retryForMs !== 'number' || !(retryForMs >= 0))
    invalidOption(caller, 'retryForMs', retryForMs, 'milliseconds, from 0')
  if (isInTransaction) {
    throw new OptionError(
      'INVALID_OPTION',
      'retryForMs',
      `${caller} cannot use \`retryForMs\` inside a transaction, which can only run again as a whole. ` +
        'Give the transaction a `retry` instead. Nothing was written.',
    )
  }
  return retryForMs
}

function scopeOf(scope: SequenceOptions['scope']): string {
  if (scope === undefined) return ''
  const isNumber = typeof scope === 'bigint' || Number.isSafeInteger(scope)
  const name = isNumber ? String(scope) : scope
  checkName(where, 'scope', name)
  return name
}
