/** Nested values are followed so far; what is deeper counts as a little. */
const deepest = 6

/** About how many bytes of memory a row takes: the texts and bytes in it, and a little for everything else. */
export function rowBytes(row: object): number {
  return valueBytes(row, 0)
}

function valueBytes(value: unknown, depth: number): number {
  if (typeof value === 'string') return 16 + value.length
  if (typeof value !== 'object' || value === null) return 8
  if (ArrayBuffer.isView(value)) return 64 + value.byteLength
  if (value instanceof Date || depth === deepest) return 32
  let bytes = 32
  if (Array.isArray(value)) for (const each of value) bytes += valueBytes(each, depth + 1)
  else {
    // SQL of Drizzle's refers to tables, these to all of their columns, and each of those to its table.
    const prototype: unknown = Object.getPrototypeOf(value)
    if (depth > 0 && prototype !== Object.prototype && prototype !== null) return bytes
    const record = value as Record<string, unknown>
    for (const key in record) bytes += 8 + valueBytes(record[key], depth + 1)
  }
  return bytes
}
