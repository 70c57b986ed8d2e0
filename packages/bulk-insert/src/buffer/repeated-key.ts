import type { EngineName } from '@keelson/core'
import type { Conflict } from '../conflict.ts'
import type { Entry } from './entry.ts'

/**
 * Whether an update has to see the row before it, on an engine that takes the rows of a statement as a set. Where each row
 * only replaces the one before, the last one says it all.
 */
export function sendsRowsAsSet(engine: EngineName, conflict: Conflict | undefined): boolean {
  if (conflict?.update === undefined || conflict.target === undefined) return false
  const replaces =
    (conflict.update === 'all' || Array.isArray(conflict.update)) && conflict.where === undefined
  return (engine === 'postgresql' || engine === 'duckdb') && !replaces
}

/** The position of the first row that has the key of one before it, as far as the values tell. */
export function repeatedKey(
  entries: readonly Entry[],
  target: readonly string[],
): number | undefined {
  const seen = new Set<string>()
  for (let at = 0; at < entries.length; at++) {
    const row = entries[at]!.row as Readonly<Record<string, unknown>>
    const key = JSON.stringify(target.map((column) => textOf(valueOf(row, column))))
    if (seen.has(key)) return at
    seen.add(key)
  }
  return undefined
}

/** DuckDB takes a key for the column however it is written. */
function valueOf(row: Readonly<Record<string, unknown>>, column: string): unknown {
  if (Object.hasOwn(row, column)) return row[column]
  const name = Object.keys(row).find((key) => key.toLowerCase() === column.toLowerCase())
  return name === undefined ? undefined : row[name]
}

function textOf(value: unknown): unknown {
  if (value instanceof Date) return value.getTime()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return String(value)
}
