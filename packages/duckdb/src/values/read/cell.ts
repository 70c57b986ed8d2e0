import { type DuckDBType, DuckDBTypeId, type DuckDBVector } from '@duckdb/node-api'
import { readClientValue } from './client-value.ts'
import { decimalCell } from './decimal-cells.ts'
import { enumCell, uuidCell } from './identifier-cells.ts'
import { booleanCell, hugeintCell, int64Cell, numberCell } from './number-cells.ts'
import { nestedCell } from './nested-cells.ts'
import type { Reading } from './reading.ts'
import { stringCell } from './string-cells.ts'
import { dateCell, intervalCell, timeCell, timestampCell, timeTzCell } from './time-cells.ts'
import type { Cell } from './vector-storage.ts'

/** The reader of the rows of a vector, whose values have the type. */
export function cellOf(vector: DuckDBVector, type: DuckDBType, reading: Reading): Cell {
  return (
    fastCell(vector, type, reading) ??
    ((index) => readClientValue(vector.getItem(index), type, reading))
  )
}

/** Reads the vector's memory; undefined where that is not known to be laid out as here. */
function fastCell(vector: DuckDBVector, type: DuckDBType, reading: Reading): Cell | undefined {
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return booleanCell(vector)
    case DuckDBTypeId.TINYINT:
      return numberCell(vector, Int8Array)
    case DuckDBTypeId.SMALLINT:
      return numberCell(vector, Int16Array)
    case DuckDBTypeId.INTEGER:
      return numberCell(vector, Int32Array)
    case DuckDBTypeId.UTINYINT:
      return numberCell(vector, Uint8Array)
    case DuckDBTypeId.USMALLINT:
      return numberCell(vector, Uint16Array)
    case DuckDBTypeId.UINTEGER:
      return numberCell(vector, Uint32Array)
    case DuckDBTypeId.FLOAT:
      return numberCell(vector, Float32Array)
    case DuckDBTypeId.DOUBLE:
      return numberCell(vector, Float64Array)
    case DuckDBTypeId.BIGINT:
    case DuckDBTypeId.UBIGINT:
      return int64Cell(vector, type.typeId === DuckDBTypeId.BIGINT, reading)
    case DuckDBTypeId.HUGEINT:
    case DuckDBTypeId.UHUGEINT:
      return hugeintCell(vector, type.typeId === DuckDBTypeId.HUGEINT, reading)
    case DuckDBTypeId.DECIMAL:
      return decimalCell(vector, type, reading)
    case DuckDBTypeId.VARCHAR:
    case DuckDBTypeId.BLOB:
      return stringCell(vector, type, reading)
    case DuckDBTypeId.DATE:
      return dateCell(vector, reading)
    case DuckDBTypeId.TIMESTAMP_S:
    case DuckDBTypeId.TIMESTAMP_MS:
    case DuckDBTypeId.TIMESTAMP:
    case DuckDBTypeId.TIMESTAMP_TZ:
    case DuckDBTypeId.TIMESTAMP_NS:
      return timestampCell(vector, type.typeId, reading)
    case DuckDBTypeId.TIME:
    case DuckDBTypeId.TIME_NS:
      return timeCell(vector, type.typeId, reading)
    case DuckDBTypeId.TIME_TZ:
      return timeTzCell(vector)
    case DuckDBTypeId.INTERVAL:
      return intervalCell(vector, reading)
    case DuckDBTypeId.UUID:
      return uuidCell(vector)
    case DuckDBTypeId.ENUM:
      return enumCell(vector, type)
    case DuckDBTypeId.LIST:
    case DuckDBTypeId.ARRAY:
    case DuckDBTypeId.STRUCT:
    case DuckDBTypeId.MAP:
    case DuckDBTypeId.UNION:
      return nestedCell(vector, type, (child, childType) => cellOf(child, childType, reading))
    default:
      return undefined
  }
}
