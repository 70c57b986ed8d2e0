import { DuckDBTypeId, type DuckDBValue } from '@duckdb/node-api'
import { describeValue, ParameterError } from '@keelson/core'
import { Slices } from '../result/read-result.ts'
import { toDuckDBValue } from '../values/parameter.ts'
import { isWellFormed } from '../values/write/well-formed.ts'
import { exactScalar } from '../values/write/exact-value.ts'
import { type OwnIngestRequest, rowCountOf } from './check-ingest.ts'
import type { IngestColumn } from './ingest-source.ts'

const rowsPerLook = 256

/** DuckDB asks for other rows meanwhile, and should not wait for these: a turn after each look. */
const besideMs = 0

/**
 * Turns rows into columns of DuckDB's values, with turns of the event loop in between.
 *
 * @param request its `values` are turned into those, in their place
 * @param interruption ends it
 * @param isBeside whether DuckDB is at work on other rows
 */
export async function convertRows(
  columns: readonly IngestColumn[],
  request: OwnIngestRequest,
  interruption: { throwIfAborted(): void } | undefined,
  isBeside = false,
): Promise<readonly (readonly DuckDBValue[])[]> {
  const { rows, ordinal } = request
  const count = rowCountOf(request)
  const width = columns.length - (ordinal === undefined ? 0 : 1)
  // Of their size from the beginning: arrays that grow take three times as much.
  const values = columns.map((_, column) => request.values?.[column] ?? Array<unknown>(count))
  const slices = new Slices(isBeside ? besideMs : undefined)
  for (let start = 0; start < count; start += rowsPerLook) {
    const end = Math.min(start + rowsPerLook, count)
    if (rows !== undefined) turnRound(rows, values, width, start, end)
    for (let column = 0; column < width; column++)
      convertColumn(values[column]!, columns[column]!, start, end)
    if (ordinal !== undefined)
      for (let row = start; row < end; row++) values[width]![row] = BigInt(row)
    if (!slices.isOver) continue
    await slices.next()
    interruption?.throwIfAborted()
  }
  return values as DuckDBValue[][]
}

function turnRound(
  rows: readonly (readonly unknown[])[],
  values: readonly unknown[][],
  width: number,
  start: number,
  end: number,
): void {
  for (let row = start; row < end; row++) checkRow(rows[row], row, width)
  for (let column = 0; column < width; column++) {
    const items = values[column]!
    for (let row = start; row < end; row++) items[row] = rows[row]![column]
  }
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

/** Puts in the place of each value what DuckDB takes for it. */
function convertColumn(values: unknown[], target: IngestColumn, start: number, end: number): void {
  const { type } = target
  const isSame = sameTests.get(type.typeId)
  // JSON is checked, as text too.
  const isScalar = type.alias !== 'JSON'
  for (let row = start; row < end; row++) {
    const value = values[row]
    if (isScalar && isSame?.(value) === true) continue
    // Nearly every value is one of these, and needs no place for an error.
    const scalar = isScalar && value !== undefined ? exactScalar(value, type) : undefined
    values[row] = scalar === undefined ? convert(value, row, target) : scalar
  }
}

/** Tells of the values of common types whether they are the client's own. */
const sameTests: ReadonlyMap<DuckDBTypeId, (value: unknown) => boolean> = new Map([
  [DuckDBTypeId.INTEGER, (value) => typeof value === 'number' && (value | 0) === value],
  [DuckDBTypeId.DOUBLE, (value) => typeof value === 'number'],
  [DuckDBTypeId.VARCHAR, (value) => typeof value === 'string' && isWellFormed(value)],
])

function convert(value: unknown, row: number, { name, type }: IngestColumn): DuckDBValue {
  if (value === null || value === undefined) return null
  try {
    return toDuckDBValue(value, type, () => `row ${row}, column "${name}"`)
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error
    throw new ParameterError(error.code, error.message, { index: row, column: name, cause: error })
  }
}
