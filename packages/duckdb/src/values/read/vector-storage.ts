import type { DuckDBVector } from '@duckdb/node-api'

/** Reads one row of a vector. */
export type Cell = (index: number) => unknown

/** Private to the client's vectors, and free to change: each is looked at before it is used. */
interface Fields {
  readonly items?: unknown
  readonly dataView?: unknown
  readonly validity?: { readonly data?: unknown; readonly offset?: unknown }
}

/**
 * A cell that reads the memory of the vector, where each row takes `width` bytes. That is many times faster than the
 * vector itself. Little-endian, as is everything that DuckDB's client runs on.
 *
 * @param open makes the cell for rows that are not NULL
 * @returns undefined where the client keeps its rows differently
 */
export function storedCell(
  vector: DuckDBVector,
  width: number,
  open: (memory: ArrayBufferView<ArrayBuffer>) => Cell,
): Cell | undefined {
  const validity = validityOf(vector)
  const memory = memoryOf(vector, width)
  if (validity === undefined || memory === undefined) return undefined
  return nullable(validity, open(memory))
}

/** Where the rows of the vector are; undefined where the client keeps them differently. */
export function memoryOf(
  vector: DuckDBVector,
  width: number,
): ArrayBufferView<ArrayBuffer> | undefined {
  const { items, dataView } = vector as unknown as Fields
  const memory = items ?? dataView
  if (!ArrayBuffer.isView(memory) || memory.byteLength !== vector.itemCount * width)
    return undefined
  if (memory.byteOffset % Math.min(width, 8) !== 0) return undefined
  return memory as ArrayBufferView<ArrayBuffer>
}

/**
 * Which rows are not NULL, one bit each; null where that is all of them, undefined where the client keeps it
 * differently.
 */
export function validityOf(vector: DuckDBVector): Uint8Array | null | undefined {
  const { validity } = vector as unknown as Fields
  if (validity?.offset !== 0) return undefined
  const { data } = validity
  if (data === null) return null
  if (!(data instanceof BigUint64Array) || data.length * 64 < vector.itemCount) return undefined
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** A cell that is null where the row is NULL. */
export function nullable(validity: Uint8Array | null, cell: Cell): Cell {
  if (validity === null) return cell
  return (index) => (isValid(validity, index) ? cell(index) : null)
}

export function isValid(validity: Uint8Array | null, index: number): boolean {
  return validity === null || (validity[index >> 3]! & (1 << (index & 7))) !== 0
}
