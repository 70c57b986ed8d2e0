import { DuckDBTypeId } from '@duckdb/node-api'
import { TimestampPrecisionError } from '../../errors.ts'
import { clockText } from '../text/clock-text.ts'
import { dateOf } from './date-value.ts'
import type { Reading } from './reading.ts'

export type TimestampTypeId =
  | DuckDBTypeId.TIMESTAMP_S
  | DuckDBTypeId.TIMESTAMP_MS
  | DuckDBTypeId.TIMESTAMP
  | DuckDBTypeId.TIMESTAMP_TZ
  | DuckDBTypeId.TIMESTAMP_NS

const secondsPerDay = 86_400

/** How many digits of a second a type holds, and whether it prints an offset. */
export function timestampUnits(typeId: TimestampTypeId): {
  readonly digits: 0 | 3 | 6 | 9
  readonly offset: '' | '+00'
} {
  switch (typeId) {
    case DuckDBTypeId.TIMESTAMP_S:
      return { digits: 0, offset: '' }
    case DuckDBTypeId.TIMESTAMP_MS:
      return { digits: 3, offset: '' }
    case DuckDBTypeId.TIMESTAMP:
      return { digits: 6, offset: '' }
    case DuckDBTypeId.TIMESTAMP_TZ:
      return { digits: 6, offset: '+00' }
    case DuckDBTypeId.TIMESTAMP_NS:
      return { digits: 9, offset: '' }
  }
}

/**
 * A finite timestamp as the policies want it.
 *
 * @param second whole seconds since 1970
 * @param fraction what is beyond the second, in the unit of the type
 * @throws {TimestampPrecisionError} under `timestamp: 'date'`, for one with more than milliseconds
 */
export function timestampValue(
  second: number,
  fraction: number,
  typeId: TimestampTypeId,
  reading: Reading,
): unknown {
  const { timestamp } = reading.policies
  if (timestamp === 'string') return timestampText(second, fraction, typeId, reading)
  const { digits } = timestampUnits(typeId)
  const ms = digits === 0 ? 0 : fraction / 10 ** (digits - 3)
  const text = (): string => timestampText(second, fraction, typeId, reading)
  if (timestamp === 'date' && !Number.isInteger(ms))
    throw new TimestampPrecisionError(reading.column, text())
  return dateOf(second * 1000 + Math.floor(ms), reading, text)
}

function timestampText(
  second: number,
  fraction: number,
  typeId: TimestampTypeId,
  reading: Reading,
): string {
  const { digits, offset } = timestampUnits(typeId)
  const day = Math.floor(second / secondsPerDay)
  const clock = clockText(second - day * secondsPerDay, fraction, digits)
  return `${reading.dayText(day)} ${clock}${offset}`
}
