import { Int64RangeError } from '@keelson/core/base'
import type { Int64Policy } from '../contract.ts'
import { compiled } from './compiled.ts'

/** Integers from here on may have been rounded on their way into a JS number. */
const firstInexact = 2 ** 53

/**
 * Tells whether any number in the rows is so large that it may be a rounded INTEGER; a large REAL looks the same, so
 * `true` asks for a second look, and `false` is certain.
 */
export type InexactScan = (rows: readonly unknown[]) => boolean

/** A scan of object rows, compiled for the columns: it costs about 1 ns a value, a generic loop ten times that. */
export function objectScan(columns: readonly string[]): InexactScan {
  const tests = columns.map(
    (_, index) =>
      `typeof v${index} === 'number' && (v${index} >= ${firstInexact} || v${index} <= -${firstInexact})`,
  )
  const reads = columns.map((name, index) => `v${index} = row[${JSON.stringify(name)}]`)
  if (columns.length === 0) return () => false
  const body = `for (const row of rows) { const ${reads.join(', ')}; if (${tests.join(' || ')}) return true } return false`
  return compiled<InexactScan>(['rows'], body) ?? genericScan
}

/** A scan of array rows. */
export const arrayScan: InexactScan = (rows) => {
  for (const row of rows as readonly (readonly unknown[])[]) {
    for (let index = 0; index < row.length; index++) if (isInexact(row[index])) return true
  }
  return false
}

/** A scan of object rows, for few. */
export const genericScan: InexactScan = (rows) => {
  for (const row of rows as readonly Record<string, unknown>[]) {
    for (const name in row) if (isInexact(row[name])) return true
  }
  return false
}

/**
 * Applies the policy to a row that was read with every INTEGER as a bigint; changes the row in place.
 *
 * @param names the column names, in order, to name one in an error
 * @throws {Int64RangeError} under `'number'`, for a value that does not fit
 */
export function convertRow(
  row: unknown,
  policy: Int64Policy,
  names: () => readonly string[],
): void {
  if (Array.isArray(row)) {
    for (let index = 0; index < row.length; index++) {
      if (typeof row[index] === 'bigint')
        row[index] = convertInt64(row[index], policy, () => names()[index] ?? `${index}`)
    }
    return
  }
  const record = row as Record<string, unknown>
  for (const name in record) {
    const value = record[name]
    if (typeof value === 'bigint') record[name] = convertInt64(value, policy, () => name)
  }
}

/** Does what `convertRow` does to object rows with these columns, compiled for them. */
export function objectConverter(
  columns: readonly string[],
  policy: Int64Policy,
): (row: unknown) => void {
  const body = columns.map((name) => {
    const key = JSON.stringify(name)
    return `if (typeof row[${key}] === 'bigint') row[${key}] = convert(row[${key}], ${key})`
  })
  const run = compiled<(row: unknown, convert: (value: bigint, column: string) => unknown) => void>(
    ['row', 'convert'],
    body.join('\n'),
  )
  if (run === undefined) return (row) => convertRow(row, policy, () => columns)
  const convert = (value: bigint, column: string): unknown =>
    convertInt64(value, policy, () => column)
  return (row) => run(row, convert)
}

function convertInt64(
  value: bigint,
  policy: Int64Policy,
  column: () => string,
): number | bigint | string {
  switch (policy) {
    case 'bigint':
      return value
    case 'string':
      return value.toString()
    case 'lossyNumber':
      return Number(value)
    case 'number': {
      const number = Number(value)
      if (!Number.isSafeInteger(number)) throw new Int64RangeError(column(), value)
      return number
    }
  }
}

function isInexact(value: unknown): boolean {
  return typeof value === 'number' && (value >= firstInexact || value <= -firstInexact)
}
