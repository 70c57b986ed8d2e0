import type { Expression } from '../ir/expression.ts'
import type { IndexDefinition } from '../ir/index-definition.ts'
import type { PortableType } from '../ir/portable-type.ts'
import type { IndexedTable } from './indexed-table.ts'

/**
 * The most bytes that the keys of an index can have, each character being four; the first key without a bound when one has
 * none. A column with a type of the engine's own counts nothing, since only the engine knows.
 */
export function keyBytes(
  { keys }: IndexDefinition,
  table: IndexedTable,
): { readonly bytes: number } | { readonly unbounded: Expression } {
  let bytes = 0
  for (const { expression } of keys) {
    const ofKey = bytesOf(expression, table)
    if (ofKey === undefined) return { unbounded: expression }
    bytes += ofKey
  }
  return { bytes }
}

/** As messages call it. */
export function nameOfKey(expression: Expression, table: IndexedTable): string {
  if (expression.kind === 'unsafeSql') return expression.sql
  const column = JSON.stringify(table.columnOf(expression)?.name)
  if (expression.kind === 'column') return column
  return expression.kind === 'json'
    ? `the path in ${column}`
    : `${expression.function} of ${column}`
}

function bytesOf(expression: Expression, table: IndexedTable): number | undefined {
  switch (expression.kind) {
    case 'unsafeSql':
      return 0
    case 'json':
      // MySQL's key is cast to 255 characters, which the printer of its paths says.
      if (expression.as !== 'string') return 8
      return table.engine === 'mysql' ? 4 * 255 : undefined
    case 'call':
      return expression.function === 'length' ? 8 : bytesOf(expression.argument, table)
    case 'column': {
      const column = table.columnOf(expression)
      if (column === undefined || column.override?.[table.engine] !== undefined) return 0
      return bytesOfType(column.type)
    }
  }
}

function bytesOfType(type: PortableType): number | undefined {
  switch (type.kind) {
    case 'string':
      return type.maxLength === undefined ? undefined : 4 * type.maxLength
    case 'enum':
      return Math.max(0, ...type.values.map((value) => Buffer.byteLength(value)))
    case 'blob':
    case 'json':
    case 'array':
      return undefined
    case 'uuid':
      return 36
    case 'decimal':
      return type.precision
    default:
      return 8
  }
}
