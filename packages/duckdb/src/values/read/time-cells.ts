import { DuckDBTypeId, type DuckDBVector } from '@duckdb/node-api'
import { clockText, offsetText } from '../text/clock-text.ts'
import { dateValue, infiniteValue } from './date-value.ts'
import { intervalText } from '../text/interval-text.ts'
import type { Reading } from './reading.ts'
import { type TimestampTypeId, timestampUnits, timestampValue } from './timestamp-value.ts'
import { type Cell, storedCell } from './vector-storage.ts'

const two32 = 2 ** 32

export function dateCell(vector: DuckDBVector, reading: Reading): Cell | undefined {
  return storedCell(vector, 4, ({ buffer, byteOffset, byteLength }) => {
    const days = new Int32Array(buffer, byteOffset, byteLength / 4)
    return (index) => dateValue(days[index]!, reading)
  })
}

/** TIMESTAMP of any unit, and TIMESTAMPTZ: an integer of 64 bits, of units since 1970. */
export function timestampCell(
  vector: DuckDBVector,
  typeId: TimestampTypeId,
  reading: Reading,
): Cell | undefined {
  const { digits } = timestampUnits(typeId)
  // Such that no step below leaves the safe integers.
  const divisor = 10 ** Math.min(digits, 6)
  return storedCell(vector, 8, ({ buffer, byteOffset, byteLength }) => {
    const low = new Uint32Array(buffer, byteOffset, byteLength / 4)
    const high = new Int32Array(buffer, byteOffset, byteLength / 4)
    return (index) => {
      const upper = high[2 * index + 1]!
      const lower = low[2 * index]!
      if (upper === 0x7fffffff && lower === 0xffffffff) return infiniteValue(1, reading)
      if (upper === -0x80000000 && lower === 1) return infiniteValue(-1, reading)
      const quotient = Math.floor(upper / divisor)
      const rest = (upper - quotient * divisor) * two32 + lower
      const whole = Math.floor(rest / divisor)
      const units = quotient * two32 + whole
      const remainder = rest - whole * divisor
      if (digits !== 9) return timestampValue(units, remainder, typeId, reading)
      const second = Math.floor(units / 1000)
      return timestampValue(second, (units - second * 1000) * 1e6 + remainder, typeId, reading)
    }
  })
}

/** TIME in microseconds and TIME_NS in nanoseconds since midnight. */
export function timeCell(
  vector: DuckDBVector,
  typeId: DuckDBTypeId.TIME | DuckDBTypeId.TIME_NS,
  reading: Reading,
): Cell | undefined {
  return storedCell(vector, 8, ({ buffer, byteOffset, byteLength }) => {
    if (typeId === DuckDBTypeId.TIME && reading.policies.time === 'micros') {
      const micros = new BigInt64Array(buffer, byteOffset, byteLength / 8)
      return (index) => micros[index]
    }
    const digits = typeId === DuckDBTypeId.TIME ? 6 : 9
    const words = new Uint32Array(buffer, byteOffset, byteLength / 4)
    return (index) => timeText(words[2 * index + 1]! * two32 + words[2 * index]!, digits)
  })
}

/** TIMETZ: 40 bits of microseconds, then 24 bits of the offset, counted down from its greatest. */
export function timeTzCell(vector: DuckDBVector): Cell | undefined {
  return storedCell(vector, 8, ({ buffer, byteOffset, byteLength }) => {
    const words = new Uint32Array(buffer, byteOffset, byteLength / 4)
    return (index) => {
      const low = words[2 * index]!
      const micros = words[2 * index + 1]! * 256 + (low >>> 24)
      return timeText(micros, 6) + offsetText(greatestOffset - (low & 0xffffff))
    }
  })
}

/** 15:59:59 in seconds. */
const greatestOffset = 57_599

export function intervalCell(vector: DuckDBVector, reading: Reading): Cell | undefined {
  return storedCell(vector, 16, ({ buffer, byteOffset, byteLength }) => {
    const parts = new Int32Array(buffer, byteOffset, byteLength / 4)
    const long = new BigInt64Array(buffer, byteOffset, byteLength / 8)
    const text = reading.policies.interval === 'string'
    return (index) => {
      const months = parts[4 * index]!
      const days = parts[4 * index + 1]!
      const micros = long[2 * index + 1]!
      return text ? intervalText(months, days, micros) : { months, days, micros }
    }
  })
}

/** A time of day, in units of 10 to the power of `-digits`. */
export function timeText(units: number, digits: 6 | 9): string {
  const perSecond = 10 ** digits
  const second = Math.floor(units / perSecond)
  return clockText(second, units - second * perSecond, digits)
}
