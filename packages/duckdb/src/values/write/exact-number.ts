import {
  DuckDBDateValue,
  DuckDBDecimalType,
  DuckDBDecimalValue,
  DuckDBTimeValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
} from '@duckdb/node-api'
import { integerRange } from './integer-range.ts'
import { type Decimal, decimalOfText, digitsOf, rescaled } from '../text/numeric-text.ts'
import { infiniteTimestamp } from './exact-timestamp.ts'

/** The value of the type that is exactly this number; undefined where there is none. */
export function exactNumber(value: number, type: DuckDBType): DuckDBValue | undefined {
  switch (type.typeId) {
    case DuckDBTypeId.INTEGER:
      return (value | 0) === value ? value : undefined
    case DuckDBTypeId.BIGINT:
      return Number.isSafeInteger(value) ? BigInt(value) : undefined
    case DuckDBTypeId.DOUBLE:
      return value
    case DuckDBTypeId.FLOAT:
      // A FLOAT is the nearest one by its nature, but not an infinite one.
      return Number.isFinite(Math.fround(value)) || !Number.isFinite(value) ? value : undefined
    case DuckDBTypeId.DECIMAL:
      return Number.isFinite(value) ? decimalOfNumber(value, type) : undefined
    case DuckDBTypeId.BOOLEAN:
      return value === 0 || value === 1 ? value === 1 : undefined
    case DuckDBTypeId.VARCHAR:
      if (type.alias === 'JSON' && !Number.isFinite(value)) return undefined
      return String(value)
    case DuckDBTypeId.DATE:
      if (value === Infinity) return DuckDBDateValue.PosInf
      return value === -Infinity ? DuckDBDateValue.NegInf : undefined
    default:
      if (Number.isSafeInteger(value)) return exactInteger(BigInt(value), type)
      return Math.abs(value) === Infinity
        ? infiniteTimestamp(value > 0 ? 1n : -1n, type.typeId)
        : undefined
  }
}

/** The value of the type that is exactly this bigint; undefined where there is none. */
export function exactBigInt(value: bigint, type: DuckDBType): DuckDBValue | undefined {
  switch (type.typeId) {
    case DuckDBTypeId.DOUBLE:
    case DuckDBTypeId.FLOAT: {
      const number =
        type.typeId === DuckDBTypeId.DOUBLE ? Number(value) : Math.fround(Number(value))
      return Number.isFinite(number) && BigInt(number) === value ? number : undefined
    }
    case DuckDBTypeId.DECIMAL:
      return exactDecimal({ unscaled: value, scale: 0 }, type)
    case DuckDBTypeId.BOOLEAN:
      return value === 0n || value === 1n ? value === 1n : undefined
    case DuckDBTypeId.VARCHAR:
      return type.alias === 'JSON' ? undefined : value.toString()
    case DuckDBTypeId.TIME:
      // What `time: 'micros'` reads.
      return value >= 0n && value <= microsPerDay ? new DuckDBTimeValue(value) : undefined
    default:
      return exactInteger(value, type)
  }
}

const microsPerDay = 86_400_000_000n

/** The value of an integer type; undefined for other types, and for integers beyond its range. */
export function exactInteger(value: bigint, { typeId }: DuckDBType): DuckDBValue | undefined {
  if (typeId === DuckDBTypeId.BIGNUM) return value
  const range = integerRange(typeId)
  if (range === undefined || value < range[0] || value > range[1]) return undefined
  return range[1] <= 0xffffffffn ? Number(value) : value
}

/** The value of a DECIMAL type; undefined for other types, and where it has not enough digits. */
export function exactDecimal(decimal: Decimal, type: DuckDBType): DuckDBDecimalValue | undefined {
  if (!(type instanceof DuckDBDecimalType)) return undefined
  const { width, scale } = type
  const unscaled = rescaled(decimal, scale)
  if (unscaled === undefined || digitsOf({ unscaled, scale: 0 }) > width) return undefined
  return new DuckDBDecimalValue(unscaled, width, scale)
}

function decimalOfNumber(value: number, type: DuckDBType): DuckDBDecimalValue | undefined {
  const { width, scale } = type as DuckDBDecimalType
  // Up to 15 digits a number has one decimal, which is its shortest.
  const unscaled = Math.round(value * 10 ** scale)
  if (Math.abs(unscaled) < 10 ** Math.min(width, 15) && unscaled / 10 ** scale === value)
    return new DuckDBDecimalValue(BigInt(unscaled), width, scale)
  return exactDecimal(decimalOfText(String(value))!, type)
}
