import { checkOptionNames, describeValue, invalidOption, ParameterError } from '@keelson/core'
import type { BeginOptions, ExecuteOptions, StreamOptions } from '../contract.ts'
import type { ReserveOptions } from '../database.ts'
import { policyNames } from '../options.ts'

/** Frozen options that have been checked: the ORM adapters pass the same few with every statement. */
const checked = new WeakSet<object>()

/** @throws {OptionError} for an option that nobody reads, and for a kind of rows that does not exist */
export function checkExecuteOptions(options: ExecuteOptions): void {
  if (checked.has(options)) return
  checkOptionNames('execute()', options, ['rows', 'values', 'signal'])
  checkRows('execute()', options.rows)
  checkSignal('execute()', options.signal)
  checkValues('execute()', options.values)
  if (Object.isFrozen(options)) checked.add(options)
}

/** @throws {OptionError} likewise, and for a chunk without rows */
export function checkStreamOptions(options: StreamOptions): void {
  checkOptionNames('stream()', options, ['rows', 'values', 'chunkRows', 'signal'])
  checkRows('stream()', options.rows)
  checkSignal('stream()', options.signal)
  checkValues('stream()', options.values)
  const { chunkRows } = options
  if (chunkRows !== undefined && (!Number.isSafeInteger(chunkRows) || chunkRows < 1))
    invalidOption('stream()', 'chunkRows', chunkRows, 'a whole number from 1')
}

/** @throws {OptionError} also for what DuckDB has not got, such as an isolation level of another name */
export function checkBeginOptions(where: string, options: BeginOptions): void {
  checkOptionNames(where, options, ['accessMode', 'signal'])
  const { accessMode, signal } = options
  if (accessMode !== undefined && accessMode !== 'read only' && accessMode !== 'read write')
    invalidOption(where, 'accessMode', accessMode, "'read only' or 'read write'")
  checkSignal(where, signal)
}

/** @throws {OptionError} for an option that nobody reads, and for a signal that is none */
export function checkReserveOptions(options: ReserveOptions): void {
  checkOptionNames('reserve()', options, ['source', 'signal'])
  checkSignal('reserve()', options.signal)
}

/** @throws {OptionError} for anything but a text */
export function checkSql(where: string, sql: unknown): void {
  if (typeof sql !== 'string') invalidOption(where, 'sql', sql, 'the text of one statement')
}

/** @throws {ParameterError} for anything but an array */
export function checkParameters(parameters: unknown): void {
  if (Array.isArray(parameters)) return
  throw new ParameterError(
    'PARAMETER_TYPE',
    `The parameters are ${describeValue(parameters)}. Pass an array with one value for each $1, $2, ... or ?, in order.`,
  )
}

function checkRows(where: string, rows: unknown): void {
  if (rows !== undefined && rows !== 'objects' && rows !== 'arrays')
    invalidOption(where, 'rows', rows, "'objects' or 'arrays'")
}

function checkSignal(where: string, signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal))
    invalidOption(where, 'signal', signal, 'an AbortSignal')
}

function checkValues(where: string, values: unknown): void {
  if (values !== undefined && (typeof values !== 'object' || values === null))
    invalidOption(where, 'values', values, "an object of policies, such as { decimal: 'number' }")
  if (values === undefined) return
  for (const own of Array.isArray(values) ? (values as object[]) : [values])
    checkOptionNames(`${where} values`, own, policyNames)
}
