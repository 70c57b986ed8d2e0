import type { Expression } from '../ir/expression.ts'
import { canonicalText } from '../ir/canonical-text.ts'

/** A text that two expressions share exactly when they are equal. */
export function expressionText(expression: Expression): string {
  return expression.kind === 'column' ? expression.name : `\0${canonicalText(expression)}`
}

export function isSameExpression(a: Expression, b: Expression | undefined): boolean {
  return b !== undefined && a.kind === b.kind && expressionText(a) === expressionText(b)
}
