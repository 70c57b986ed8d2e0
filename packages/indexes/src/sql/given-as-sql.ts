import type { Expression, Predicate } from '../ir/expression.ts'

/** Whether it is SQL that was given as such, or a part of it is. */
export function isGivenAsSql(part: Expression | Predicate): boolean {
  switch (part.kind) {
    case 'unsafeSql':
      return true
    case 'and':
    case 'or':
      return part.operands.some(isGivenAsSql)
    case 'not':
      return isGivenAsSql(part.operand)
    case 'compare':
    case 'in':
    case 'isNull':
    case 'isNotNull':
      return isGivenAsSql(part.expression)
    case 'call':
      return isGivenAsSql(part.argument)
    case 'column':
    case 'json':
      return false
  }
}
