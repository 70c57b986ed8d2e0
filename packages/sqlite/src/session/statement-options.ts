import { checkOptionNames, describeValue, invalidOption, ParameterError } from '@keelson/core'
import type { ExecuteOptions, StreamOptions } from '../contract.ts'

/** Frozen options that have been checked: the ORM adapters pass the same few with every statement. */
const checked = new WeakSet<object>()

/** @throws {OptionError} for an option that nobody reads, and for a kind of rows that does not exist */
export function checkExecuteOptions(options: ExecuteOptions): void {
  if (checked.has(options)) return
  checkOptionNames('execute()', options, ['rows', 'first', 'signal', 'map', 'bulk'])
  checkRows('execute()', options.rows)
  if (Object.isFrozen(options)) checked.add(options)
}

/** @throws {OptionError} likewise, and for a chunk without rows */
export function checkStreamOptions(options: StreamOptions): void {
  checkOptionNames('stream()', options, ['rows', 'chunkRows', 'signal'])
  checkRows('stream()', options.rows)
  const { chunkRows } = options
  if (chunkRows !== undefined && (!Number.isInteger(chunkRows) || chunkRows < 1))
    invalidOption('stream()', 'chunkRows', chunkRows, 'a whole number from 1')
}

/** @throws {ParameterError} for anything but an array: an object would be bound by name, past every check */
export function checkParameters(parameters: unknown): void {
  if (Array.isArray(parameters)) return
  throw new ParameterError(
    'PARAMETER_TYPE',
    `The parameters are ${describeValue(parameters)}. Pass an array with one value for each \`?\`, in order.`,
  )
}

function checkRows(where: string, rows: unknown): void {
  if (rows !== undefined && rows !== 'objects' && rows !== 'arrays')
    invalidOption(where, 'rows', rows, "'objects' or 'arrays'")
}
