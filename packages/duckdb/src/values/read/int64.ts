import { Int64RangeError } from '@keelson/core'
import type { Reading } from './reading.ts'

/**
 * An integer of 64 bits or more as the `int64` policy wants it.
 *
 * @throws {Int64RangeError} under `'number'`, for one that a number cannot hold
 */
export function int64Value(value: bigint, { column, policies }: Reading): number | bigint | string {
  switch (policies.int64) {
    case 'bigint':
      return value
    case 'string':
      return value.toString()
    case 'lossyNumber':
      return Number(value)
    case 'number': {
      const number = Number(value)
      if (!Number.isSafeInteger(number)) throw new Int64RangeError(column, value)
      return number
    }
  }
}
