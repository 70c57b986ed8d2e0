import { DuckDBEnumType, type DuckDBType, DuckDBTypeId, type DuckDBVector } from '@duckdb/node-api'
import { type Cell, storedCell } from './vector-storage.ts'

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
)

/** UUID. Its bytes lie in memory backwards, with the first bit turned, so that they sort like the text. */
export function uuidCell(vector: DuckDBVector): Cell | undefined {
  return storedCell(vector, 16, ({ buffer, byteOffset, byteLength }) => {
    const bytes = new Uint8Array(buffer, byteOffset, byteLength)
    const two = (at: number): string => hex[bytes[at + 1]!]! + hex[bytes[at]!]!
    return (index) => {
      const at = 16 * index
      const first = hex[bytes[at + 15]! ^ 0x80]! + hex[bytes[at + 14]!]! + two(at + 12)
      const last = two(at + 4) + two(at + 2) + two(at)
      return `${first}-${two(at + 10)}-${two(at + 8)}-${two(at + 6)}-${last}`
    }
  })
}

/** ENUM, of which the rows hold the position within the type. */
export function enumCell(vector: DuckDBVector, type: DuckDBType): Cell | undefined {
  if (!(type instanceof DuckDBEnumType)) return undefined
  const { values, internalTypeId } = type
  const array =
    internalTypeId === DuckDBTypeId.UTINYINT
      ? Uint8Array
      : internalTypeId === DuckDBTypeId.USMALLINT
        ? Uint16Array
        : Uint32Array
  const width = array.BYTES_PER_ELEMENT
  return storedCell(vector, width, ({ buffer, byteOffset, byteLength }) => {
    const items = new array(buffer, byteOffset, byteLength / width)
    return (index) => values[items[index]!]
  })
}
