import {
  DuckDBBlobVector,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBVector,
} from '@duckdb/node-api'
import { jsonValue } from './json-value.ts'
import type { Reading } from './reading.ts'
import { type Cell, isValid, memoryOf, nullable, validityOf } from './vector-storage.ts'

/** Bytes of one row, its pointer and length included: https://duckdb.org/docs/stable/internals/vector#string-vectors */
const rowBytes = 16

/** Up to this many bytes lie in the row itself. */
const inlineBytes = 12

/** DuckDB aligns what it allocates, so that there may be a gap between strings that lie one after the other. */
const alignment = 8

/** More than this is not read at once: the client counts bytes in 32 bits. */
const largestRun = 2 ** 26

/** VARCHAR, JSON and BLOB. */
export function stringCell(
  vector: DuckDBVector,
  type: DuckDBType,
  reading: Reading,
): Cell | undefined {
  const validity = validityOf(vector)
  const memory = memoryOf(vector, rowBytes)
  const heap = heapOf(vector)
  if (validity === undefined || memory === undefined || heap === undefined) return undefined
  const read = rowReader(memory, validity, heap)
  if (type.typeId === DuckDBTypeId.BLOB) return nullable(validity, (index) => read(index, copied))
  if (type.alias === 'JSON' && reading.policies.json === 'parse')
    return nullable(validity, (index) => jsonValue(read(index, decoded), reading))
  return nullable(validity, (index) => read(index, decoded))
}

type Take<T> = (bytes: Buffer, start: number, end: number) => T

// Unlike the client's decoder, which drops a byte order mark.
const decoded: Take<string> = (bytes, start, end) => bytes.toString('utf8', start, end)

const copied: Take<Buffer> = (bytes, start, end) => {
  const copy = Buffer.allocUnsafeSlow(end - start)
  bytes.copy(copy, 0, start, end)
  return copy
}

/** Bytes from an address on. They are DuckDB's, and gone with the chunk. */
type Heap = (low: number, high: number, length: number) => Buffer

/**
 * Longer strings lie elsewhere, and the client fetches each by itself, which takes ten times as long as decoding it.
 * DuckDB mostly puts the strings of a chunk one after the other: a run of those is fetched at once.
 */
function rowReader(
  { buffer, byteOffset, byteLength }: ArrayBufferView<ArrayBuffer>,
  validity: Uint8Array | null,
  heap: Heap,
): <T>(index: number, take: Take<T>) => T {
  const rows = Buffer.from(buffer, byteOffset, byteLength)
  const words = new Uint32Array(buffer, byteOffset, byteLength / 4)
  const rowCount = byteLength / rowBytes
  const address = (index: number): number => words[4 * index + 3]! * 2 ** 32 + words[4 * index + 2]!
  let run: Buffer = rows
  let runStart = 0
  let runEnd = 0

  const fetchRun = (first: number): void => {
    runStart = address(first)
    runEnd = runStart + words[4 * first]!
    for (let index = first + 1; index < rowCount; index++) {
      // Of a NULL there may be anything.
      if (!isValid(validity, index)) continue
      const length = words[4 * index]!
      if (length <= inlineBytes) continue
      const start = address(index)
      // Each byte of such a gap is on the page of a string beside it, so all of the run can be read.
      const follows = start >= runEnd && start < runEnd + alignment
      if (!follows || start + length - runStart > largestRun) break
      runEnd = start + length
    }
    run = heap(words[4 * first + 2]!, words[4 * first + 3]!, runEnd - runStart)
  }

  return (index, take) => {
    const length = words[4 * index]!
    if (length <= inlineBytes) {
      const start = rowBytes * index + 4
      return take(rows, start, start + length)
    }
    const start = address(index)
    // Not so where the upper bits of a pointer are used for something else.
    if (!Number.isSafeInteger(start))
      return take(heap(words[4 * index + 2]!, words[4 * index + 3]!, length), 0, length)
    if (start < runStart || start + length > runEnd) fetchRun(index)
    return take(run, start - runStart, start - runStart + length)
  }
}

/**
 * The client reads the bytes that a BLOB vector points to, so this is one of a single row, pointed to where it is
 * wanted. undefined where the client has no such thing.
 */
function heapOf(vector: DuckDBVector): Heap | undefined {
  const row = new DataView(new ArrayBuffer(rowBytes))
  const always = { itemValid: () => true }
  const { vector: raw } = vector as unknown as { readonly vector: never }
  const pointer = new DuckDBBlobVector(row, always as never, raw, 0, 1)
  if (typeof pointer.getItemBytes !== 'function') return undefined
  return (low, high, length) => {
    row.setUint32(0, length, true)
    row.setUint32(8, low, true)
    row.setUint32(12, high, true)
    const bytes = pointer.getItemBytes(0)!
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
}
