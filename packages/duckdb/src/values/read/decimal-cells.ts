import { DuckDBDecimalType, type DuckDBType, type DuckDBVector } from '@duckdb/node-api'
import { decimalNumber, decimalText } from '../text/decimal-text.ts'
import { int128, smallInt128 } from './number-cells.ts'
import type { Reading } from './reading.ts'
import { type Cell, storedCell } from './vector-storage.ts'

/** DECIMAL, which lies in memory as an integer of 16 to 128 bits: the value times 10 to the power of its scale. */
export function decimalCell(
  vector: DuckDBVector,
  type: DuckDBType,
  reading: Reading,
): Cell | undefined {
  if (!(type instanceof DuckDBDecimalType)) return undefined
  const { scale, width } = type
  const convert = reading.policies.decimal === 'number' ? decimalNumber : decimalText
  const bytes = width <= 4 ? 2 : width <= 9 ? 4 : width <= 18 ? 8 : 16
  return storedCell(vector, bytes, (memory) => {
    const { buffer, byteOffset, byteLength } = memory
    if (bytes <= 4) {
      const items = new (bytes === 2 ? Int16Array : Int32Array)(
        buffer,
        byteOffset,
        byteLength / bytes,
      )
      return (index) => convert(items[index]!, scale)
    }
    if (bytes === 8) {
      const items = new BigInt64Array(buffer, byteOffset, byteLength / 8)
      const low = new Uint32Array(buffer, byteOffset, byteLength / 4)
      const high = new Int32Array(buffer, byteOffset, byteLength / 4)
      return (index) => {
        const value = high[2 * index + 1]! * 2 ** 32 + low[2 * index]!
        return convert(Number.isSafeInteger(value) ? value : items[index]!, scale)
      }
    }
    const exact = int128(memory, true)
    const number = smallInt128(memory, true)
    return (index) => {
      const value = number(index)
      return convert(Number.isSafeInteger(value) ? value : exact(index), scale)
    }
  })
}
