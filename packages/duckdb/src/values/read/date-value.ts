import { InfiniteTimestampError } from '../../errors.ts'
import { DateRangeError } from './date-range-error.ts'
import type { Reading } from './reading.ts'

/** The days since 1970 that stand for infinity; their negative for -infinity. */
const infiniteDay = 2 ** 31 - 1

const msPerDay = 86_400_000

/** The greatest distance from 1970 that a `Date` can have, in milliseconds. */
const furthestMs = 8.64e15

/** A DATE as the policies want it. */
export function dateValue(day: number, reading: Reading): unknown {
  if (day === infiniteDay) return infiniteValue(1, reading)
  if (day === -infiniteDay) return infiniteValue(-1, reading)
  return reading.policies.date === 'string'
    ? reading.dayText(day)
    : dateOf(day * msPerDay, reading, () => reading.dayText(day))
}

/** A DATE or timestamp that is infinite. @throws {InfiniteTimestampError} under `infinity: 'throw'` */
export function infiniteValue(sign: 1 | -1, { column, policies }: Reading): unknown {
  const text = sign === 1 ? 'infinity' : '-infinity'
  switch (policies.infinity) {
    case 'string':
      return text
    case 'number':
      return sign * Infinity
    case 'throw':
      throw new InfiniteTimestampError(column, text)
  }
}

/** @throws {DateRangeError} beyond what a `Date` can hold, which would be an invalid one */
export function dateOf(ms: number, { column }: Reading, text: () => string): Date {
  if (Math.abs(ms) > furthestMs) throw new DateRangeError(column, text())
  return new Date(ms)
}
