import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  type DuckDBDataChunk,
  type DuckDBMaterializedResult,
  type DuckDBResult as ClientResult,
  ResultReturnType,
  StatementType,
} from '@duckdb/node-api'
import type { Interruption } from '../connection/interruption.ts'
import type { Statement } from '../connection/statement.ts'
import type { DuckDBResult } from '../contract.ts'
import { type ResultPolicies, RowShape } from './row-shape.ts'

/** After this many milliseconds of conversion the event loop gets its turn. */
const sliceMs = 6

/** This many values are converted well within a slice. */
const valuesPerLook = 4_096

export interface ReadOptions {
  readonly policies: ResultPolicies
  readonly rows: 'objects' | 'arrays'
  /** Ends the reading of many rows. */
  readonly interruption: Interruption
}

/** Reads all rows of a result that DuckDB holds in full, with turns of the event loop in between. */
export function readResult(
  statement: Statement,
  result: DuckDBMaterializedResult,
  options: ReadOptions,
): DuckDBResult<never> | Promise<DuckDBResult<never>> {
  if (result.returnType !== ResultReturnType.QUERY_RESULT)
    return { rows: [], columns: [], changes: changesOf(statement, result) }
  const shape = shapeOf(statement, result, options.policies)
  const { columns } = shape
  const changes = statement.isRead ? undefined : changesOf(statement, result)
  // What was written stays written, whoever has lost interest meanwhile.
  if (statement.isRead) options.interruption.throwIfAborted()
  if (result.rowCount * columns.length <= valuesPerLook) {
    const rows: unknown[] = []
    for (let index = 0; index < result.chunkCount; index++)
      for (const row of readSmall(result.getChunk(index), shape, options.rows)) rows.push(row)
    return { rows: rows as never[], columns, changes }
  }
  const interruption = statement.isRead ? options.interruption : undefined
  return readLarge(result, shape, options.rows, interruption).then((rows) => ({
    rows: rows as never[],
    columns,
    changes,
  }))
}

/** Reads one chunk, with turns of the event loop in between where it is wide. */
export async function readChunk(
  chunk: DuckDBDataChunk,
  shape: RowShape,
  as: 'objects' | 'arrays',
  slices: Slices,
): Promise<unknown[]> {
  const { rowCount } = chunk
  const columns: unknown[][] = []
  for (let index = 0; index < shape.columns.length; index++) {
    columns.push(shape.column(chunk, index, rowCount))
    if (slices.isOver) await slices.next()
  }
  const rowsPerLook = Math.ceil(valuesPerLook / columns.length)
  if (rowCount <= rowsPerLook) return shape.rows(columns, as, 0, rowCount)
  const rows: unknown[] = []
  for (let start = 0; start < rowCount; start += rowsPerLook) {
    const end = Math.min(start + rowsPerLook, rowCount)
    for (const row of shape.rows(columns, as, start, end)) rows.push(row)
    if (slices.isOver) await slices.next()
  }
  return rows
}

/** How the rows of a result are read, as the last time if they look the same. */
export function shapeOf(
  statement: Statement,
  result: ClientResult,
  policies: ResultPolicies,
): RowShape {
  if (statement.shape?.fits(result, policies) !== true)
    statement.shape = new RowShape(result, policies)
  return statement.shape
}

/** Divides the time of the JavaScript thread. */
export class Slices {
  readonly #ms: number
  #end: number

  /** @param ms how long a slice is, in milliseconds */
  constructor(ms: number = sliceMs) {
    this.#ms = ms
    this.#end = performance.now() + ms
  }

  get isOver(): boolean {
    return performance.now() > this.#end
  }

  async next(): Promise<void> {
    await nextTurn()
    this.#end = performance.now() + this.#ms
  }
}

async function readLarge(
  result: DuckDBMaterializedResult,
  shape: RowShape,
  as: 'objects' | 'arrays',
  interruption: Interruption | undefined,
): Promise<unknown[]> {
  const rows: unknown[] = []
  const slices = new Slices()
  const { chunkCount } = result
  for (let index = 0; index < chunkCount; index++) {
    for (const row of await readChunk(result.getChunk(index), shape, as, slices)) rows.push(row)
    if (slices.isOver) await slices.next()
    interruption?.throwIfAborted()
  }
  return rows
}

function readSmall(chunk: DuckDBDataChunk, shape: RowShape, as: 'objects' | 'arrays'): unknown[] {
  const { rowCount } = chunk
  const columns = shape.columns.map((_, index) => shape.column(chunk, index, rowCount))
  return shape.rows(columns, as, 0, rowCount)
}

const writes: ReadonlySet<StatementType> = new Set([
  StatementType.INSERT,
  StatementType.UPDATE,
  StatementType.DELETE,
  StatementType.MERGE_INTO,
])

function changesOf(statement: Statement, result: DuckDBMaterializedResult): number | undefined {
  if (result.returnType === ResultReturnType.CHANGED_ROWS) return result.rowsChanged
  // With RETURNING `rowsChanged` is 0, and each row that was changed is returned.
  if (writes.has(statement.type)) return result.rowCount
  if (statement.type !== StatementType.CREATE && statement.type !== StatementType.COPY)
    return undefined
  return countedIn(result)
}

/** CREATE TABLE ... AS, and COPY with RETURN_FILES or RETURN_STATS, count in the rows that they return. */
function countedIn(result: DuckDBMaterializedResult): number | undefined {
  const column = result.columnNames().findIndex((name) => name.toLowerCase() === 'count')
  if (column === -1 || result.rowCount === 0) return undefined
  let sum = 0n
  for (let index = 0; index < result.chunkCount; index++)
    for (const count of result.getChunk(index).getColumnValues(column))
      if (typeof count === 'bigint') sum += count
  return Number(sum)
}
