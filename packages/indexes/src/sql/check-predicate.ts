import type { EngineName } from '@keelson/core'
import { UnsupportedByEngineError } from '../errors.ts'
import type { ColumnDefinition } from '../ir/column.ts'
import type { Comparison, Predicate } from '../ir/expression.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { dialects } from './dialects.ts'

/** Operators that ask which of two values comes first. */
export const ordering: ReadonlySet<Comparison['operator']> = new Set(['<', '<=', '>', '>='])

/** Whether the engine keeps the column's decimals as texts, of which '9.5' comes after '10.5'. */
export function isTextDecimal(
  column: Pick<ColumnDefinition, 'type' | 'override'>,
  engine: EngineName,
): boolean {
  return (
    column.type.kind === 'decimal' &&
    dialects[engine].decimalsAsText &&
    column.override?.[engine] === undefined
  )
}

/**
 * Refuses a condition that the engine would take for another one.
 *
 * @throws {UnsupportedByEngineError}
 */
export function checkPredicate(
  predicate: Predicate,
  table: TableDefinition,
  engine: EngineName,
): void {
  switch (predicate.kind) {
    case 'and':
    case 'or':
      for (const operand of predicate.operands) checkPredicate(operand, table, engine)
      return
    case 'not':
      return checkPredicate(predicate.operand, table, engine)
    case 'compare': {
      const { expression, operator } = predicate
      const column =
        expression.kind === 'column'
          ? table.columns.find(({ name }) => name === expression.name)
          : undefined
      if (column === undefined || !ordering.has(operator) || !isTextDecimal(column, engine)) return
      throw new UnsupportedByEngineError(
        engine,
        `Cannot compare column ${JSON.stringify(column.name)} of ${JSON.stringify(table.name)} by \`${operator}\` on ${engine}: ` +
          'it keeps decimals as texts, and would compare them as texts. Use a whole number of the smallest unit, ' +
          'or `unsafeSql` with a cast.',
      )
    }
    default:
  }
}
