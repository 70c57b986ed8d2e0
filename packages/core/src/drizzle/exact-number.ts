import { Int64RangeError } from '../errors/value-errors.ts'

/**
 * Makes a number of an integer that the `int64` policy delivers as a bigint or as text; any other value stays as it is.
 *
 * @throws {Int64RangeError} for one that a number cannot hold exactly
 */
export function exactNumber(value: unknown, column: string): unknown {
  if (typeof value !== 'bigint' && !(typeof value === 'string' && isInteger.test(value)))
    return value
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new Int64RangeError(column, BigInt(value))
  return number
}

const isInteger = /^-?\d+$/
