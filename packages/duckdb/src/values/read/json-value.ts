import { Int64RangeError } from '@keelson/core'
import { JsonTextError } from './json-text-error.ts'
import { int64Value } from './int64.ts'
import type { Reading } from './reading.ts'

/** Whether a text may hold an integer that a number rounds. */
const longDigits = /\d{16}/
const integer = /^-?\d+$/

/**
 * What a JSON text stands for. Integers beyond what a number can hold are read by the `int64` policy.
 *
 * @throws {Int64RangeError} for those under `int64: 'number'`
 * @throws {JsonTextError} for what DuckDB takes for JSON and JavaScript does not: `NaN`, `Infinity`, trailing commas
 */
export function jsonValue(text: string, reading: Reading): unknown {
  try {
    return longDigits.test(text) ? parseExactly(text, reading) : JSON.parse(text)
  } catch (error) {
    if (error instanceof Int64RangeError) throw error
    throw new JsonTextError(reading.column, text, { cause: error })
  }
}

function parseExactly(text: string, reading: Reading): unknown {
  return JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
    const source = context?.source
    return source !== undefined && integer.test(source)
      ? int64Value(BigInt(source), reading)
      : value
  })
}
