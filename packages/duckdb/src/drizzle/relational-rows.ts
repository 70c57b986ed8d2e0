import type { Decode } from './column-decoder.ts'
import type { DuckDBDrizzleDialect } from './dialect.ts'
import type { FieldReadings } from './field-reading.ts'
import type { RelationalSelection } from './relational-selection.ts'

/** Makes the result's rows of array rows. */
export type RelationalRows = (rows: unknown[][]) => Record<string, unknown>[]

/** The rows of a relational query, with those of related tables in them. */
export function relationalRows(
  selection: RelationalSelection,
  dialect: DuckDBDrizzleDialect,
  readings: FieldReadings,
): RelationalRows {
  const build = rowBuilder(selection, dialect, readings, [])
  return (rows) => rows.map(build)
}

/** Makes the object of a row: of an array of values, or of a struct whose members are called `0`, `1`, and so on. */
type RowBuilder = (row: Readonly<Record<number, unknown>>) => Record<string, unknown>

function rowBuilder(
  selection: RelationalSelection,
  dialect: DuckDBDrizzleDialect,
  readings: FieldReadings,
  path: readonly string[],
): RowBuilder {
  const members = selection.map((item) => {
    const itemPath = [...path, item.tsKey]
    if (!item.isJson) return readings.decodeWithBigints({ path: itemPath, field: item.field })
    const build = rowBuilder(item.selection, dialect, readings, itemPath)
    const related: Decode = dialect.isList(item.selection)
      ? (rows) => (rows as Record<number, unknown>[]).map(build)
      : (row) => build(row as Record<number, unknown>)
    return related
  })
  const keys = selection.map(({ tsKey }) => tsKey)
  // An assignment to `__proto__` would set the prototype, and the value would be gone.
  const set = keys.includes('__proto__') ? define : assign
  return (row) => {
    const object: Record<string, unknown> = {}
    for (let index = 0; index < keys.length; index++) {
      const value = row[index]
      const decode = members[index]
      set(object, keys[index]!, value === null || decode === undefined ? value : decode(value))
    }
    return object
  }
}

function assign(object: Record<string, unknown>, key: string, value: unknown): void {
  object[key] = value
}

function define(object: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(object, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  })
}
