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
      return value === null || (value instanceof Buffer && !isGone(value))
    case 'bigint':
      return BigInt.asIntN(64, value) === value
    default:
      return false
  }
}

/** Its memory was transferred, to another thread for example. */
function isGone(bytes: Uint8Array | ArrayBuffer): boolean {
  const memory = bytes instanceof ArrayBuffer ? bytes : bytes.buffer
  return (memory as { readonly detached?: boolean }).detached === true
}

function converted(value: unknown, index: number, sql: string): unknown {
  if (value === undefined) return null
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
  const isBytes = value instanceof Uint8Array || value instanceof ArrayBuffer
  if (isBytes && !isGone(value))
    return value instanceof ArrayBuffer
      ? Buffer.from(value)
      : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const column = parameterColumn(sql, index)
  const why = isBytes
    ? 'whose memory was transferred, so that nothing is left of it. Bind it before you transfer it, or a copy.'
    : `which SQLite has no type for. ${adviceFor(value)}`
  throw new ParameterError(
    'PARAMETER_TYPE',
    `Parameter ${index + 1}${column === undefined ? '' : ` (column "${column}")`} is ${describeValue(value)}, ${why}`,
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
