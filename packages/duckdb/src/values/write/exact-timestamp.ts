import {
  DuckDBDateValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
} from '@duckdb/node-api'

const msPerDay = 86_400_000

/** The value of the type that is exactly this valid Date; undefined where there is none. */
export function exactDate(value: Date, type: DuckDBType): DuckDBValue | undefined {
  const ms = value.getTime()
  switch (type.typeId) {
    case DuckDBTypeId.DATE:
      return ms % msPerDay === 0 ? new DuckDBDateValue(ms / msPerDay) : undefined
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_TZ: {
      const micros = BigInt(ms) * 1000n
      return type.typeId === DuckDBTypeId.TIMESTAMP
        ? new DuckDBTimestampValue(micros)
        : new DuckDBTimestampTZValue(micros)
    }
    case DuckDBTypeId.VARCHAR:
      return type.alias === 'JSON' ? JSON.stringify(value) : value.toISOString()
    default: {
      const second = Math.floor(ms / 1000)
      return exactTimestamp(second, String(ms - second * 1000).padStart(3, '0'), type.typeId)
    }
  }
}

/**
 * The value of a timestamp type; undefined for other types, and where the type has not enough digits or years.
 *
 * @param second whole seconds since 1970
 * @param digits of what is beyond the second
 */
export function exactTimestamp(
  second: number,
  digits: string,
  typeId: DuckDBTypeId,
): DuckDBValue | undefined {
  const unit = units(typeId)
  const significant = digits.replace(/0+$/, '')
  if (unit === undefined || significant.length > unit.digits) return undefined
  const perSecond = 10 ** unit.digits
  const fraction = Number(significant.padEnd(unit.digits, '0'))
  const whole = second * perSecond
  const value = Number.isSafeInteger(whole + perSecond)
    ? BigInt(whole + fraction)
    : BigInt(second) * BigInt(perSecond) + BigInt(fraction)
  return value < unit.least || value > unit.greatest ? undefined : unit.make(value)
}

/** The infinite value of a timestamp type; undefined for other types. */
export function infiniteTimestamp(sign: 1n | -1n, typeId: DuckDBTypeId): DuckDBValue | undefined {
  return units(typeId)?.make(sign * (2n ** 63n - 1n))
}

interface Units {
  /** Digits of a second. */
  readonly digits: number
  readonly least: bigint
  readonly greatest: bigint
  readonly make: (value: bigint) => DuckDBValue
}

function units(typeId: DuckDBTypeId): Units | undefined {
  switch (typeId) {
    case DuckDBTypeId.TIMESTAMP_S:
      return {
        digits: 0,
        least: DuckDBTimestampSecondsValue.Min.seconds,
        greatest: DuckDBTimestampSecondsValue.Max.seconds,
        make: (value) => new DuckDBTimestampSecondsValue(value),
      }
    case DuckDBTypeId.TIMESTAMP_MS:
      return {
        digits: 3,
        least: DuckDBTimestampMillisecondsValue.Min.millis,
        greatest: DuckDBTimestampMillisecondsValue.Max.millis,
        make: (value) => new DuckDBTimestampMillisecondsValue(value),
      }
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_TZ:
      return {
        digits: 6,
        least: DuckDBTimestampValue.Min.micros,
        greatest: DuckDBTimestampValue.Max.micros,
        make: (value) =>
          typeId === DuckDBTypeId.TIMESTAMP
            ? new DuckDBTimestampValue(value)
            : new DuckDBTimestampTZValue(value),
      }
    case DuckDBTypeId.TIMESTAMP_NS:
      return {
        digits: 9,
        least: DuckDBTimestampNanosecondsValue.Min.nanos,
        greatest: DuckDBTimestampNanosecondsValue.Max.nanos,
        make: (value) => new DuckDBTimestampNanosecondsValue(value),
      }
    default:
      return undefined
  }
}
