import type { Expression, Predicate } from '../ir/expression.ts'

/** The columns that an expression is over; of SQL that was given as such nothing is known. */
export function columnsOfExpression(expression: Expression): readonly string[] {
  switch (expression.kind) {
    case 'column':
      return [expression.name]
    case 'json':
      return [expression.column]
    case 'call':
      return columnsOfExpression(expression.argument)
    case 'unsafeSql':
      return []
  }
}

/** The columns that a condition is over, once for each time. */
export function columnsOfPredicate(predicate: Predicate): readonly string[] {
  switch (predicate.kind) {
    case 'and':
    case 'or':
      return predicate.operands.flatMap(columnsOfPredicate)
    case 'not':
      return columnsOfPredicate(predicate.operand)
    case 'unsafeSql':
      return []
    case 'compare':
    case 'in':
    case 'isNull':
    case 'isNotNull':
      return columnsOfExpression(predicate.expression)
  }
}
