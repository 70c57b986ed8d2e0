import { BOOLEAN, type DuckDBType, DuckDBTypeId, VARCHAR } from '@duckdb/node-api'
import type { TypedValue } from './natural-value.ts'
import { decimalOfText } from '../text/numeric-text.ts'
import { parseTime, parseTimestamp } from '../text/time-text.ts'
import { isNumeric, isTimeOfDay, isTimestamp } from './type-kinds.ts'
import { isWellFormed } from './well-formed.ts'

/**
 * A value that DuckDB converts to the expected type without a loss, or refuses: a boolean as a number, and texts other
 * than those of which it would round or cut what they say.
 *
 * @returns undefined for all others
 */
export function engineValue(value: unknown, type: DuckDBType): TypedValue | undefined {
  if (typeof value === 'boolean') return isNumeric(type) ? { value, type: BOOLEAN } : undefined
  if (typeof value !== 'string' || !isWellFormed(value) || mayLose(value, type)) return undefined
  return { value, type: VARCHAR }
}

/** Whether DuckDB might take the text for something else. The readers' texts of the type are bound as the type. */
function mayLose(text: string, type: DuckDBType): boolean {
  switch (type.typeId) {
    case DuckDBTypeId.BLOB:
    case DuckDBTypeId.LIST:
    case DuckDBTypeId.ARRAY:
    case DuckDBTypeId.STRUCT:
    case DuckDBTypeId.MAP:
      return true
    case DuckDBTypeId.TIMESTAMP_TZ:
      return (parseTimestamp(text)?.digits.length ?? 0) > 6
    case DuckDBTypeId.TIME_TZ:
      return (parseTime(text)?.digits.length ?? 0) > 6
    case DuckDBTypeId.DATE:
      return parseTimestamp(text) !== undefined
    default:
      if (isTimestamp(type)) return parseTimestamp(text) !== undefined
      if (isTimeOfDay(type)) return parseTime(text) !== undefined
      return isNumeric(type) && decimalOfText(text) !== undefined
  }
}
