import { describeValue, OptionError } from '@keelson/core'
import type { Comparison, Expression, Literal, Predicate } from '../ir/expression.ts'
import type { Comparable, Typed } from './typed-expression.ts'

/** Which rows an index or a check is over. The values are of the column's type. */
export interface Predicates {
  eq<Value>(expression: Typed<Value>, value: NoInfer<Comparable<Value>>): Predicate
  ne<Value>(expression: Typed<Value>, value: NoInfer<Comparable<Value>>): Predicate
  lt<Value>(expression: Typed<Value>, value: NoInfer<Comparable<Value>>): Predicate
  lte<Value>(expression: Typed<Value>, value: NoInfer<Comparable<Value>>): Predicate
  gt<Value>(expression: Typed<Value>, value: NoInfer<Comparable<Value>>): Predicate
  gte<Value>(expression: Typed<Value>, value: NoInfer<Comparable<Value>>): Predicate
  oneOf<Value>(expression: Typed<Value>, values: readonly NoInfer<Comparable<Value>>[]): Predicate
  isNull(expression: Expression): Predicate
  isNotNull(expression: Expression): Predicate
  and(...operands: readonly Predicate[]): Predicate
  or(...operands: readonly Predicate[]): Predicate
  not(operand: Predicate): Predicate
}

export const predicates: Predicates = Object.freeze({
  eq: comparison('eq()', '='),
  ne: comparison('ne()', '<>'),
  lt: comparison('lt()', '<'),
  lte: comparison('lte()', '<='),
  gt: comparison('gt()', '>'),
  gte: comparison('gte()', '>='),
  oneOf: (expression: Expression, values: readonly unknown[]): Predicate => {
    if (values.length === 0) refuse('oneOf()', [], 'at least one value')
    return {
      kind: 'in',
      expression: given('oneOf()', expression),
      values: values.map((value) => literal('oneOf()', value)),
    }
  },
  isNull: (expression: Expression): Predicate => ({
    kind: 'isNull',
    expression: given('isNull()', expression),
  }),
  isNotNull: (expression: Expression): Predicate => ({
    kind: 'isNotNull',
    expression: given('isNotNull()', expression),
  }),
  and: junction('and'),
  or: junction('or'),
  not: (operand: Predicate): Predicate => ({ kind: 'not', operand: given('not()', operand) }),
})

/**
 * Refuses what is not there: a misspelled column, where no compiler has said so.
 *
 * @throws {OptionError} `INVALID_OPTION`
 */
export function given<T extends { readonly kind: string }>(where: string, value: T): T {
  if (typeof (value as Partial<T> | null | undefined)?.kind === 'string') return value
  return refuse(where, value, 'a column of the table, or what another of the operators returns')
}

function comparison(
  where: string,
  operator: Comparison['operator'],
): (expression: Expression, value: unknown) => Predicate {
  return (expression, value) => ({
    kind: 'compare',
    operator,
    expression: given(where, expression),
    value: literal(where, value),
  })
}

function junction(kind: 'and' | 'or'): (...operands: readonly Predicate[]) => Predicate {
  return (...operands) => {
    if (operands.length === 0) refuse(`${kind}()`, operands, 'at least one predicate')
    const all = operands.map((operand) => given(`${kind}()`, operand))
    return all.length === 1 ? all[0]! : { kind, operands: all }
  }
}

function literal(where: string, value: unknown): Literal {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
  switch (typeof value) {
    case 'string':
    case 'bigint':
    case 'boolean':
      return value
    case 'number':
      if (Number.isFinite(value)) return value
  }
  const nothing = value === null || value === undefined
  return refuse(
    where,
    value,
    `text, a finite number, a boolean or a Date${nothing ? '; for NULL use isNull()' : ''}`,
  )
}

/** @throws {OptionError} for what an operator does not take */
export function refuse(where: string, value: unknown, expected: string): never {
  throw new OptionError(
    'INVALID_OPTION',
    where,
    `${where} cannot use ${describeValue(value)}. It takes ${expected}.`,
  )
}
