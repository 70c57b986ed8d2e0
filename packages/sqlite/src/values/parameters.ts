import { describeValue, ParameterError } from '@keelson/core/base'
import { parameterColumn } from '../statement/parameter-column.ts'

/**
 * Turns JavaScript values into what better-sqlite3 binds. The usual values go through as they are, without a copy.
 *
 * @throws {ParameterError} `PARAMETER_TYPE`, naming the position and, where the SQL tells, the column
 */
export function bindableParameters(
  parameters: readonly unknown[],
  sql: string,
): readonly unknown[] {
  for (let index = 0; index < parameters.length; index++) {
    if (!bindsAsIs(parameters[index])) {
      return parameters.map((value, at) => (bindsAsIs(value) ? value : converted(value, at, sql)))
    }
  }
  return parameters
}

/** Whether better-sqlite3 binds a value as it is, and as what it is. */
export function bindsAsIs(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return true
    case 'number':
      return !Number.isNaN(value)
    case 'object':
      return value === null || value instanceof Buffer
    case 'bigint':
      return BigInt.asIntN(64, value) === value
    default:
      return false
  }
}

function converted(value: unknown, index: number, sql: string): unknown {
  if (value === undefined) return null
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (value instanceof ArrayBuffer) return Buffer.from(value)
  const column = parameterColumn(sql, index)
  throw new ParameterError(
    'PARAMETER_TYPE',
    `Parameter ${index + 1}${column === undefined ? '' : ` (column "${column}")`} is ${describeValue(value)}, ` +
      `which SQLite has no type for. ${adviceFor(value)}`,
    { index, column },
  )
}

function adviceFor(value: unknown): string {
  if (typeof value === 'bigint') return 'An INTEGER has 64 bits; store it as text.'
  if (typeof value === 'number') return 'SQLite would store NULL; bind null if that is meant.'
  if (value instanceof Date) return 'Bind a valid Date, or null.'
  if (ArrayBuffer.isView(value)) return 'Bind its bytes as a Uint8Array.'
  return 'Bind a string, number, bigint, boolean, Date, Uint8Array or null; store objects with JSON.stringify().'
}
