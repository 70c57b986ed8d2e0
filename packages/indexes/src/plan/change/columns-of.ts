import type { Expression, Predicate } from '../../ir/expression.ts'
import type { IndexDefinition } from '../../ir/index-definition.ts'
import type { TableDefinition } from '../../ir/table-definition.ts'

/** Whether a table has all columns that a predicate names. */
export function isOver(predicate: Predicate, table: TableDefinition): boolean {
  const names = namedIn(predicate)
  return (
    names !== undefined &&
    names.every((name) => table.columns.some((column) => column.name === name))
  )
}

/** Whether an index would not be there without a column. SQL of the user's own is searched for the name. */
export function needsColumn(index: IndexDefinition, column: string): boolean {
  const { keys, include = [], where } = index
  return (
    include.includes(column) ||
    keys.some(({ expression }) => expressionNeeds(expression, column)) ||
    (where !== undefined && predicateNeeds(where, column))
  )
}

function expressionNeeds(expression: Expression, column: string): boolean {
  switch (expression.kind) {
    case 'column':
      return expression.name === column
    case 'json':
      return expression.column === column
    case 'call':
      return expressionNeeds(expression.argument, column)
    case 'unsafeSql':
      return mentions(expression.sql, column)
  }
}

function predicateNeeds(predicate: Predicate, column: string): boolean {
  switch (predicate.kind) {
    case 'and':
    case 'or':
      return predicate.operands.some((operand) => predicateNeeds(operand, column))
    case 'not':
      return predicateNeeds(predicate.operand, column)
    case 'unsafeSql':
      return mentions(predicate.sql, column)
    default:
      return expressionNeeds(predicate.expression, column)
  }
}

/** A quoted name has each of its quotes twice. */
function mentions(sql: string, column: string): boolean {
  const [text, name] = [sql.toLowerCase(), column.toLowerCase()]
  return text.includes(name) || text.includes(name.replaceAll('"', '""'))
}

/** Undefined where SQL of the user's own may name any. */
function namedIn(predicate: Predicate): readonly string[] | undefined {
  switch (predicate.kind) {
    case 'and':
    case 'or': {
      const names = predicate.operands.map(namedIn)
      return names.includes(undefined) ? undefined : names.flatMap((each) => each ?? [])
    }
    case 'not':
      return namedIn(predicate.operand)
    case 'unsafeSql':
      return undefined
    default:
      return columnOf(predicate.expression)
  }
}

function columnOf(expression: Expression): readonly string[] | undefined {
  if (expression.kind === 'column') return [expression.name]
  if (expression.kind === 'json') return [expression.column]
  return expression.kind === 'call' ? columnOf(expression.argument) : undefined
}
