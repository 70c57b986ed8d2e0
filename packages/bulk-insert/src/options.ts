import { checkOptionNames, type EngineTraits, invalidOption, OptionError } from '@keelson/core'
import type { Conflict } from './conflict.ts'
import type { BulkInsertProgress, Rejection } from './report.ts'
import type { StandardSchema } from './source/standard-schema.ts'

/** Options of `bulkInsert()` that do not depend on the ORM. */
export interface CommonOptions<Row> {
  /**
   * `true`: everything or nothing, in one transaction, or inside an open one in a savepoint of it. `false`: each batch is
   * committed on its own, and `report.durableRows` says how far it came; inside an open transaction that is refused.
   * Several at once in one transaction take turns.
   * @default true
   */
  readonly atomic?: boolean | undefined
  /** Rows that are sent together, from 1. @default what is fastest on the engine: 1,000 to 10,000 */
  readonly batchRows?: number | undefined
  /**
   * What happens to a row that cannot be inserted. `'abort'`: the insert fails with a `BulkInsertError` that names it.
   * `'collect'`: it is left out and reported in `report.rejections`. A function is called with each one in place of that.
   * DuckDB undoes a whole transaction for one failed statement: there it takes `atomic: false`.
   * @default 'abort'
   */
  readonly onRejected?: 'abort' | 'collect' | ((rejection: Rejection<Row>) => unknown) | undefined
  /** The insert fails when more rows than this were rejected. @default 1_000 */
  readonly maxRejections?: number | undefined
  /**
   * Which of several rows with one key counts, for an `onConflict` that updates, on engines that take the rows of a
   * statement as a set (PostgreSQL, DuckDB). It decides among the rows of one batch (`batchRows`), whatever columns they
   * have, and by the engine's word for which keys are equal; over batches they follow each other. A row that is rejected
   * does not count, as if it were not there. The others are `skipped`, with `'error'` rejected. SQLite and MySQL take row
   * after row, so that the last one wins.
   * @default 'error'
   */
  readonly duplicatesInInput?: 'error' | 'first' | 'last' | undefined
  /**
   * Stops it, between two batches or while rows are waited for. Nothing is kept, and the signal's reason is thrown; with
   * `atomic: false` it is the cause of a `BulkInsertError`, whose `report.durableRows` says what is kept.
   */
  readonly signal?: AbortSignal | undefined
  /** Is called after each batch. What it throws is a process warning, and changes nothing. */
  readonly onProgress?: ((progress: BulkInsertProgress) => unknown) | undefined
  /** Checks, and may change, each row before it is inserted: any Standard Schema (zod, valibot, arktype, ...). */
  readonly validate?: StandardSchema<Row> | undefined
  /** Shows values of rows in error messages. @default false */
  readonly showValues?: boolean | undefined
}

/** Options that both hosts bring into the same form. */
export interface BulkOptions extends CommonOptions<any> {
  readonly conflict: Conflict | undefined
  readonly returning: readonly string[] | undefined
  readonly onReturned:
    | ((rows: readonly any[], info: { readonly firstIndex: number }) => unknown)
    | undefined
  /** Is told the positions of rows that a transaction of their own has committed. */
  readonly onKept?: ((indexes: readonly number[]) => void) | undefined
}

const where = 'bulkInsert()'

const known = [
  'atomic',
  'batchRows',
  'onConflict',
  'onRejected',
  'maxRejections',
  'duplicatesInInput',
  'returning',
  'onReturned',
  'signal',
  'onProgress',
  'validate',
  'showValues',
]

/** The names that an `onConflict` may have. */
const ofConflict = ['target', 'targetWhere', 'skip', 'update', 'where']

/** @throws {OptionError} for an option that nobody reads, or of an impossible value */
export function normaliseOptions(given: object): BulkOptions {
  checkOptionNames(where, given, known)
  const options = given as Omit<BulkOptions, 'conflict'> & { readonly onConflict?: unknown }
  const { batchRows, onRejected, maxRejections, duplicatesInInput, validate } = options
  checkWhole('batchRows', batchRows, 1)
  checkWhole('maxRejections', maxRejections, 0)
  checkBoolean('atomic', options.atomic)
  checkBoolean('showValues', options.showValues)
  if (
    onRejected !== undefined &&
    onRejected !== 'abort' &&
    onRejected !== 'collect' &&
    typeof onRejected !== 'function'
  )
    invalidOption(where, 'onRejected', onRejected, "'abort', 'collect' or a function")
  if (duplicatesInInput !== undefined && !['error', 'first', 'last'].includes(duplicatesInInput))
    invalidOption(where, 'duplicatesInInput', duplicatesInInput, "'error', 'first' or 'last'")
  if (validate !== undefined && typeof validate['~standard']?.validate !== 'function')
    invalidOption(where, 'validate', validate, 'a Standard Schema, such as a zod object')
  checkFunction('onProgress', options.onProgress)
  checkFunction('onReturned', options.onReturned)
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal))
    invalidOption(where, 'signal', options.signal, 'an AbortSignal')
  const returning = options.returning as unknown
  if (returning !== undefined && !isNames(returning))
    invalidOption(where, 'returning', returning, 'an array of at least one column')
  if ((returning === undefined) !== (options.onReturned === undefined)) {
    throw new OptionError(
      'INVALID_OPTION',
      returning === undefined ? 'returning' : 'onReturned',
      `${where} takes \`returning\` and \`onReturned\` together: the columns that are wanted, and who gets them. ` +
        'Nothing was written.',
    )
  }
  return {
    ...options,
    returning: options.returning,
    conflict: normaliseConflict(options.onConflict),
  }
}

/** @throws {OptionError} for what the engine cannot do */
export function checkForEngine(
  { conflict, returning, duplicatesInInput, onRejected, atomic }: BulkOptions,
  traits: EngineTraits,
  isInTransaction: boolean,
): void {
  const { engine } = traits
  if (atomic === false && isInTransaction) {
    refuse(
      'atomic',
      'cannot commit batches on their own inside an open transaction, whose owner decides what is kept. Call it outside, or leave `atomic` out.',
    )
  }
  if (returning !== undefined && !traits.supportsReturning)
    refuse('returning', `cannot return rows: ${engine} has no RETURNING. Read them afterwards.`)
  const isSequential = engine === 'sqlite' || engine === 'mysql'
  if (isSequential && duplicatesInInput !== undefined && duplicatesInInput !== 'last') {
    refuse(
      'duplicatesInInput',
      `cannot decide between rows of one key: ${engine} takes row after row, so that the last one wins. Leave it out, or remove the others from the input.`,
    )
  }
  if (!isSequential && duplicatesInInput !== undefined && conflict?.update === undefined) {
    refuse('duplicatesInInput', 'decides only for an `onConflict` that updates. Leave it out.')
  }
  if (conflict?.targetWhere !== undefined && (duplicatesInInput ?? 'error') !== 'error') {
    refuse(
      'duplicatesInInput',
      'cannot decide between rows of one key where the unique index has a condition, which not all of them may meet. Leave it out, or remove the others from the input.',
    )
  }
  if (engine === 'duckdb' && (onRejected ?? 'abort') !== 'abort' && atomic !== false) {
    refuse(
      'onRejected',
      'cannot leave rows out of one transaction on DuckDB, which undoes all of it for one failed statement. Use `atomic: false`, outside of a transaction.',
    )
  }
  if (engine !== 'mysql' || conflict === undefined) return
  if (conflict.targetWhere !== undefined || conflict.where !== undefined)
    refuse('onConflict', 'has no condition on MySQL, whose `on duplicate key update` takes none.')
}

function normaliseConflict(given: unknown): Conflict | undefined {
  if (given === undefined || given === 'error') return undefined
  const none = { target: undefined, targetWhere: undefined, update: undefined, where: undefined }
  if (given === 'skip') return none
  if (typeof given !== 'object' || given === null)
    invalidOption(where, 'onConflict', given, "'error', 'skip' or an object with a `target`")
  checkOptionNames('onConflict', given, ofConflict)
  const { target, targetWhere, skip, update, where: condition } = given as Record<string, unknown>
  const names = typeof target === 'string' ? [target] : target
  if (!isNames(names))
    invalidOption(where, 'onConflict.target', target, 'a column, or an array of columns')
  if ((skip === undefined) === (update === undefined) || (skip !== undefined && skip !== true)) {
    refuse('onConflict', 'takes either `skip: true` or `update` beside a `target`.')
  }
  if (skip === true && condition !== undefined)
    refuse('onConflict.where', 'is the condition of an update, and `skip` makes none.')
  const isSets =
    typeof update === 'function' ||
    update === 'all' ||
    (typeof update === 'object' && update !== null && Object.keys(update).length > 0)
  if (update !== undefined && !(isSets && !(Array.isArray(update) && !isNames(update)))) {
    invalidOption(
      where,
      'onConflict.update',
      update,
      "an array of columns, 'all', an object of values or a function that makes one",
    )
  }
  return { target: names, targetWhere, update: update as Conflict['update'], where: condition }
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string')
}

function checkWhole(name: string, value: unknown, least: number): void {
  if (value !== undefined && (!Number.isSafeInteger(value) || (value as number) < least))
    invalidOption(where, name, value, `a whole number from ${least}`)
}

function checkBoolean(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean')
    invalidOption(where, name, value, 'true or false')
}

function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function')
    invalidOption(where, name, value, 'a function')
}

function refuse(option: string, why: string): never {
  throw new OptionError(
    'INVALID_OPTION',
    option,
    `${where}: \`${option}\` ${why} Nothing was written.`,
  )
}
