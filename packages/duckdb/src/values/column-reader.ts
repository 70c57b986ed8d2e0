import { type DuckDBType, DuckDBTypeId, type DuckDBVector } from '@duckdb/node-api'
import type { ValuePolicies } from '../contract.ts'
import { cellOf } from './read/cell.ts'
import { Reading } from './read/reading.ts'

/**
 * Reads one column of a chunk. What it returns is free of the chunk's memory. The chunk must be in reach of the caller
 * until then: its vectors do not keep it alive.
 */
export type ColumnReader = (vector: DuckDBVector, rowCount: number) => unknown[]

/**
 * The reader for a column of that type.
 *
 * @param column its name, for errors
 */
export function columnReader(
  type: DuckDBType,
  column: string,
  policies: ValuePolicies,
): ColumnReader {
  const reading = new Reading(column, policies)
  return (vector, rowCount) => {
    // What a type consists of may differ from one result of a statement to the next, and the vector knows it. That a
    // VARCHAR is JSON it does not know.
    const cell = cellOf(vector, type.typeId === DuckDBTypeId.VARCHAR ? type : vector.type, reading)
    const values: unknown[] = []
    for (let index = 0; index < rowCount; index++) values.push(cell(index))
    return values
  }
}
