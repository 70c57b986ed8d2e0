/** Below this many rows the way there costs more than the rows. */
export const fewRows = 32

/** One value behind the other. */
export function flatValues(rows: readonly (readonly unknown[])[], width: number): unknown[] {
  const values: unknown[] = []
  for (const row of rows)
    for (let column = 0; column < width; column++) values.push(copyable(row[column]))
  return values
}

/**
 * Rows by column, numbers packed: copied in half the time that objects take. Arrays are grown by `push()`, since V8 copies
 * one with holes as an object.
 */
export function columnsOf(
  rows: readonly (readonly unknown[])[],
  from: number,
  to: number,
  width: number,
): (Float64Array | unknown[])[] {
  const columns: (Float64Array | unknown[])[] = []
  for (let column = 0; column < width; column++)
    columns.push(numbersIn(rows, from, to, column) ?? valuesIn(rows, from, to, column))
  return columns
}

function numbersIn(
  rows: readonly (readonly unknown[])[],
  from: number,
  to: number,
  column: number,
): Float64Array | undefined {
  for (let row = from; row < to; row++) if (typeof rows[row]![column] !== 'number') return undefined
  const numbers = new Float64Array(to - from)
  for (let row = from; row < to; row++) numbers[row - from] = rows[row]![column] as number
  return numbers
}

function valuesIn(
  rows: readonly (readonly unknown[])[],
  from: number,
  to: number,
  column: number,
): unknown[] {
  const values: unknown[] = []
  for (let row = from; row < to; row++) values.push(copyable(rows[row]![column]))
  return values
}

/** Bytes with nothing around them: a view is copied with all of the memory that it looks into. */
function copyable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const bytes = value as Uint8Array
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}
