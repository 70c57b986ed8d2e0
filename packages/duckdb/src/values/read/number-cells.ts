import type { DuckDBVector } from '@duckdb/node-api'
import { int64Value } from './int64.ts'
import type { Reading } from './reading.ts'
import { type Cell, storedCell } from './vector-storage.ts'

const two32 = 2 ** 32

type NumberArray = new (
  buffer: ArrayBuffer,
  byteOffset: number,
  length: number,
) => { readonly [index: number]: number }

/** Numbers that are read as they lie in memory. */
export function numberCell(
  vector: DuckDBVector,
  array: NumberArray & { readonly BYTES_PER_ELEMENT: number },
): Cell | undefined {
  const width = array.BYTES_PER_ELEMENT
  return storedCell(vector, width, ({ buffer, byteOffset, byteLength }) => {
    const items = new array(buffer, byteOffset, byteLength / width)
    return (index) => items[index]
  })
}

export function booleanCell(vector: DuckDBVector): Cell | undefined {
  return storedCell(vector, 1, ({ buffer, byteOffset, byteLength }) => {
    const items = new Uint8Array(buffer, byteOffset, byteLength)
    return (index) => items[index] !== 0
  })
}

/** BIGINT and UBIGINT. */
export function int64Cell(
  vector: DuckDBVector,
  signed: boolean,
  reading: Reading,
): Cell | undefined {
  return storedCell(vector, 8, ({ buffer, byteOffset, byteLength }) => {
    const items = new (signed ? BigInt64Array : BigUint64Array)(buffer, byteOffset, byteLength / 8)
    const exact = (index: number): unknown => int64Value(items[index]!, reading)
    if (reading.policies.int64 !== 'number') return exact
    const low = new Uint32Array(buffer, byteOffset, byteLength / 4)
    const high = signed ? new Int32Array(buffer, byteOffset, byteLength / 4) : low
    return (index) => {
      const value = high[2 * index + 1]! * two32 + low[2 * index]!
      return Number.isSafeInteger(value) ? value : exact(index)
    }
  })
}

/** HUGEINT and UHUGEINT. */
export function hugeintCell(
  vector: DuckDBVector,
  signed: boolean,
  reading: Reading,
): Cell | undefined {
  return storedCell(vector, 16, (memory) => {
    const exact = int128(memory, signed)
    if (reading.policies.int64 !== 'number') return (index) => int64Value(exact(index), reading)
    const number = smallInt128(memory, signed)
    return (index) => {
      const value = number(index)
      return Number.isSafeInteger(value) ? value : int64Value(exact(index), reading)
    }
  })
}

/** Reads integers of 128 bits. */
export function int128(
  { buffer, byteOffset, byteLength }: ArrayBufferView<ArrayBuffer>,
  signed: boolean,
): (index: number) => bigint {
  const low = new BigUint64Array(buffer, byteOffset, byteLength / 8)
  const high = signed ? new BigInt64Array(buffer, byteOffset, byteLength / 8) : low
  return (index) => (high[2 * index + 1]! << 64n) | low[2 * index]!
}

/** Reads integers of 128 bits that are small enough for a number; of others an unsafe number, or NaN. */
export function smallInt128(
  { buffer, byteOffset, byteLength }: ArrayBufferView<ArrayBuffer>,
  signed: boolean,
): (index: number) => number {
  const words = new Uint32Array(buffer, byteOffset, byteLength / 4)
  return (index) => {
    const at = 4 * index
    const upper = words[at + 3]!
    if (words[at + 2] !== upper) return NaN
    if (upper === 0) return words[at + 1]! * two32 + words[at]!
    if (upper !== 0xffffffff || !signed) return NaN
    return (words[at + 1]! - two32) * two32 + words[at]!
  }
}
