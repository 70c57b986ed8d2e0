import {
  BIGINT,
  DOUBLE,
  DuckDBDecimalType,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
  HUGEINT,
  TIMESTAMP,
  TIMESTAMP_NS,
} from '@duckdb/node-api'
import { exactDecimal } from './exact-number.ts'
import { exactDate, exactTimestamp } from './exact-timestamp.ts'
import { integerRange } from './integer-range.ts'
import type { TypedValue } from './natural-value.ts'
import { type Decimal, decimalOfText, digitsOf } from '../text/numeric-text.ts'
import { parseTimestamp } from '../text/time-text.ts'
import { isTimestamp, isWhole } from './type-kinds.ts'

/** The most digits that DuckDB has in a DECIMAL. */
const mostDigits = 38

/**
 * A value that the expected type cannot hold, as another type that holds it: compared with what is of the expected
 * type, it comes out right. To be stored DuckDB would round or cut it.
 *
 * @returns undefined where there is none
 */
export function comparedValue(value: unknown, type: DuckDBType): TypedValue | undefined {
  switch (typeof value) {
    case 'number':
      return comparedNumber(value, type)
    case 'bigint':
      return comparedDecimal({ unscaled: value, scale: 0 }, type)
    case 'string':
      return comparedText(value, type)
    case 'object':
      return value instanceof Date && !Number.isNaN(value.getTime())
        ? comparedDate(value, type)
        : undefined
    default:
      return undefined
  }
}

function comparedNumber(value: number, type: DuckDBType): TypedValue | undefined {
  if (!Number.isFinite(value)) return undefined
  const asDouble = { value, type: DOUBLE }
  // The nearest FLOAT is infinite.
  if (type.typeId === DuckDBTypeId.FLOAT) return asDouble
  if (type instanceof DuckDBDecimalType)
    return asDecimal(decimalOfText(String(value))!, type) ?? asDouble
  if (Number.isSafeInteger(value))
    return comparedDecimal({ unscaled: BigInt(value), scale: 0 }, type)
  const isFraction = !Number.isInteger(value) && integerRange(type.typeId) !== undefined
  return isFraction ? asDouble : undefined
}

function comparedText(text: string, type: DuckDBType): TypedValue | undefined {
  const decimal = decimalOfText(text)
  if (decimal !== undefined) return comparedDecimal(decimal, type)
  const time = parseTimestamp(text)
  // DuckDB does not compare a TIMESTAMPTZ with more digits than it has, and else drops the offset.
  if (time === undefined || time.offset || type.typeId === DuckDBTypeId.TIMESTAMP_TZ)
    return undefined
  if (type.typeId !== DuckDBTypeId.DATE && !isTimestamp(type)) return undefined
  const wider = time.digits.length <= 6 ? TIMESTAMP : TIMESTAMP_NS
  return typed(exactTimestamp(time.second, time.digits, wider.typeId), wider)
}

function comparedDate(value: Date, type: DuckDBType): TypedValue | undefined {
  return type.typeId === DuckDBTypeId.DATE || isTimestamp(type)
    ? typed(exactDate(value, TIMESTAMP), TIMESTAMP)
    : undefined
}

function comparedDecimal(decimal: Decimal, type: DuckDBType): TypedValue | undefined {
  if (type instanceof DuckDBDecimalType) return asDecimal(decimal, type)
  // DuckDB compares a BIGNUM with none but its like.
  if (!isWhole(type) || type.typeId === DuckDBTypeId.BIGNUM) return undefined
  return decimal.scale === 0 ? asInteger(decimal.unscaled) : asDecimal(decimal, type)
}

/** Not as UHUGEINT or BIGNUM: DuckDB compares those with smaller types wrongly. */
function asInteger(value: bigint): TypedValue | undefined {
  const [least, greatest] = integerRange(DuckDBTypeId.HUGEINT)!
  if (value < least || value > greatest) return undefined
  // It does not compare UHUGEINT with a negative BIGINT.
  const isSmall = value >= 0n && BigInt.asIntN(64, value) === value
  return { value, type: isSmall ? BIGINT : HUGEINT }
}

/** As a DECIMAL of its own scale, where DuckDB has a type that holds it and the expected one alike. */
function asDecimal(decimal: Decimal, type: DuckDBType): TypedValue | undefined {
  const width = digitsOf(decimal)
  const other = type instanceof DuckDBDecimalType ? type : { width: 0, scale: 0 }
  const whole = Math.max(width - decimal.scale, other.width - other.scale)
  if (whole + Math.max(decimal.scale, other.scale) > mostDigits) return undefined
  const own = new DuckDBDecimalType(width, decimal.scale)
  return typed(exactDecimal(decimal, own), own)
}

function typed(value: DuckDBValue | undefined, type: DuckDBType): TypedValue | undefined {
  return value === undefined ? undefined : { value, type }
}
