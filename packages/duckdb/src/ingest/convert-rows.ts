import type { DuckDBValue } from '@duckdb/node-api'
import { type BulkIngestRequest, describeValue, ParameterError } from '@keelson/core'
import type { Interruption } from '../connection/interruption.ts'
import { Slices } from '../result/read-result.ts'
import { toDuckDBValue } from '../values/parameter.ts'
import { exactScalar } from '../values/write/exact-value.ts'
import type { IngestColumn } from './ingest-source.ts'

const rowsPerLook = 256

/** Turns rows into columns of DuckDB's values, with turns of the event loop in between. */
export async function convertRows(
  columns: readonly IngestColumn[],
  { rows, ordinal }: BulkIngestRequest,
  interruption: Interruption,
): Promise<readonly (readonly DuckDBValue[])[]> {
  const width = columns.length - (ordinal === undefined ? 0 : 1)
  const values: DuckDBValue[][] = columns.map(() => [])
  const slices = new Slices()
  for (let start = 0; start < rows.length; start += rowsPerLook) {
    const end = Math.min(start + rowsPerLook, rows.length)
    for (let row = start; row < end; row++) checkRow(rows[row], row, width)
    for (let column = 0; column < width; column++)
      convertColumn(values[column]!, rows, column, columns[column]!, start, end)
    if (ordinal !== undefined)
      for (let row = start; row < end; row++) values[width]!.push(BigInt(row))
    if (!slices.isOver) continue
    await slices.next()
    interruption.throwIfAborted()
  }
  return values
}

function checkRow(row: unknown, index: number, width: number): void {
  if (Array.isArray(row) && row.length === width) return
  const found = Array.isArray(row) ? `${row.length} values` : describeValue(row)
  throw new ParameterError(
    'PARAMETER_COUNT',
    `Row ${index} is ${found}, and each row has to be an array of ${width}, one value for each column.`,
    { index },
  )
}

function convertColumn(
  values: DuckDBValue[],
  rows: BulkIngestRequest['rows'],
  column: number,
  target: IngestColumn,
  start: number,
  end: number,
): void {
  const { type } = target
  // JSON is checked, as text too.
  const isScalar = type.alias !== 'JSON'
  for (let row = start; row < end; row++) {
    const value = rows[row]![column]
    // Nearly every value is one of these, and needs no place for an error.
    const scalar = isScalar && value !== undefined ? exactScalar(value, type) : undefined
    values.push(scalar === undefined ? convert(value, row, target) : scalar)
  }
}

function convert(value: unknown, row: number, { name, type }: IngestColumn): DuckDBValue {
  if (value === null || value === undefined) return null
  try {
    return toDuckDBValue(value, type, () => `row ${row}, column "${name}"`)
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error
    throw new ParameterError(error.code, error.message, { index: row, column: name, cause: error })
  }
}
