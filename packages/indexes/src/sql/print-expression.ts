import { type EngineName, quoteIdentifier } from '@keelson/core'
import { DefinitionError, UnsupportedByEngineError } from '../errors.ts'
import type { Expression, JsonPath, Literal, Predicate } from '../ir/expression.ts'
import { dialects } from './dialects.ts'
import { literalSql } from './literal.ts'

/** What an index is over, or a predicate compares. */
export function expressionSql(expression: Expression, engine: EngineName): string {
  const dialect = dialects[engine]
  switch (expression.kind) {
    case 'column':
      return quoteIdentifier(expression.name, engine)
    case 'json':
      return pathSql(expression, expression.as, engine)
    case 'call': {
      const { argument } = expression
      const inside =
        argument.kind === 'json'
          ? pathSql(argument, 'string', engine)
          : expressionSql(argument, engine)
      return `${dialect.functions[expression.function]}(${inside})`
    }
    case 'unsafeSql':
      return expression.sql
  }
}

function pathSql(path: JsonPath, as: JsonPath['as'], engine: EngineName): string {
  const dialect = dialects[engine]
  const key = path.path.find((step) => typeof step === 'string' && !dialect.isJsonKey(step))
  if (key !== undefined) {
    throw new UnsupportedByEngineError(
      engine,
      `Cannot follow the key ${JSON.stringify(key)} into ${JSON.stringify(path.column)} on ${engine}: ` +
        'after an arrow it means something else than this key. Make it a column of its own.',
    )
  }
  return dialect.jsonPath(path, as)
}

/** Which rows: what stands after WHERE, or between the parentheses of a CHECK. */
export function predicateSql(predicate: Predicate, engine: EngineName): string {
  const operand = (expression: Expression): string =>
    expression.kind === 'unsafeSql' ? `(${expression.sql})` : expressionSql(expression, engine)
  const constant = (value: Literal): string => literalSql(value, engine, dialects[engine].booleans)
  switch (predicate.kind) {
    case 'compare':
      return `${operand(predicate.expression)} ${predicate.operator} ${constant(predicate.value)}`
    case 'in':
      if (predicate.values.length === 0) refuseEmpty('a list of values')
      return `${operand(predicate.expression)} in (${predicate.values.map(constant).join(', ')})`
    case 'isNull':
      return `${operand(predicate.expression)} is null`
    case 'isNotNull':
      return `${operand(predicate.expression)} is not null`
    case 'and':
    case 'or':
      if (predicate.operands.length === 0) refuseEmpty(`the operands of \`${predicate.kind}\``)
      return predicate.operands
        .map((each) => inParentheses(each, engine))
        .join(` ${predicate.kind} `)
    case 'not':
      return `not (${predicateSql(predicate.operand, engine)})`
    case 'unsafeSql':
      return predicate.sql
  }
}

function inParentheses(predicate: Predicate, engine: EngineName): string {
  const sql = predicateSql(predicate, engine)
  const isOne =
    predicate.kind !== 'and' && predicate.kind !== 'or' && predicate.kind !== 'unsafeSql'
  return isOne ? sql : `(${sql})`
}

function refuseEmpty(what: string): never {
  throw new DefinitionError(
    `Cannot write a condition with an empty list as ${what}: what it would mean differs between engines. ` +
      'Leave the condition out, or give it at least one.',
  )
}
