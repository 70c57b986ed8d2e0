import type { EngineName } from '@keelson/core'
import { readPredicate } from '../introspect/read-expression.ts'
import { readKey } from '../introspect/read-key.ts'
import type { Scope } from '../introspect/scope.ts'
import type { Expression, JsonPath, Literal, Predicate } from '../ir/expression.ts'
import type { IndexDefinition, IndexKey } from '../ir/index-definition.ts'
import type { PortableKind } from '../ir/portable-type.ts'
import { canonicalLiteral } from './canonical-literal.ts'
import { canonicalSql } from './canonical-sql.ts'
import { dialects } from './dialects.ts'
import { isGivenAsSql } from './given-as-sql.ts'
import { methodOf } from './index-method.ts'
import { predicateSql } from './print-expression.ts'

/** An index as the engine keeps it, but for its name. */
export function canonicalIndex(index: IndexDefinition, scope: Scope): IndexDefinition {
  const { engine } = scope
  const method = methodOf(index, engine)
  const { include = [] } = index
  return {
    ...(index.name !== undefined && { name: index.name }),
    keys: index.keys.map((key) => canonicalKey(key, scope)),
    unique: index.unique,
    ...(index.where !== undefined && { where: canonicalPredicate(index.where, scope) }),
    ...(method !== undefined && { method: { [engine]: method } }),
    ...(include.length > 0 && { include }),
    ...(index.unique && index.nullsDistinct === false && { nullsDistinct: false }),
    ...(index.constraint === true && { constraint: true }),
  }
}

function canonicalKey(key: IndexKey, scope: Scope): IndexKey {
  const { engine } = scope
  const { expression, direction, collation } = readGivenKey(key, scope)
  return {
    expression: canonicalExpression(expression, engine),
    ...(direction === 'desc' && dialects[engine].index.direction && { direction }),
    ...(collation !== undefined && { collation }),
  }
}

/** SQL that was given as such is what introspection reads of it; MySQL's is not read. */
function readGivenKey(key: IndexKey, scope: Scope): IndexKey {
  const { expression, ...rest } = key
  if (expression.kind !== 'unsafeSql' || scope.engine === 'mysql') return key
  return { ...readKey(expression.sql, scope), ...rest }
}

/** An expression as the engine keeps it. */
function canonicalExpression(
  expression: Expression,
  engine: EngineName,
  compared: JsonPath['as'] = 'string',
): Expression {
  switch (expression.kind) {
    case 'json':
      return canonicalPath(expression, engine, compared)
    case 'call': {
      const { argument } = expression
      return {
        kind: 'call',
        function: expression.function,
        argument: argument.kind === 'json' ? { ...argument, as: 'string' } : argument,
      }
    }
    case 'unsafeSql':
      return { kind: 'unsafeSql', sql: canonicalGiven(expression.sql, engine) }
    case 'column':
      return { kind: 'column', name: expression.name }
  }
}

/** SQLite's arrow gives the value with its own type: what it is compared as stands nowhere but in the other side. */
function canonicalPath(path: JsonPath, engine: EngineName, compared: JsonPath['as']): JsonPath {
  return engine === 'sqlite' ? { ...path, as: compared } : path
}

/**
 * A condition in the one form that all spellings of it have in common: NOT only where no other operator says it, no lists
 * inside lists, no list of one. SQL that was given as such is what introspection reads of it; MySQL's is not read.
 */
export function canonicalPredicate(predicate: Predicate, scope: Scope): Predicate {
  const { engine } = scope
  if (engine === 'mysql' || !isGivenAsSql(predicate)) return readablePredicate(predicate, scope)
  return readablePredicate(readPredicate(predicateSql(predicate, engine), scope), scope)
}

function readablePredicate(predicate: Predicate, scope: Scope): Predicate {
  const { engine } = scope
  const again = (each: Predicate): Predicate => readablePredicate(each, scope)
  switch (predicate.kind) {
    case 'compare': {
      const value = literalBeside(predicate.expression, predicate.value, scope)
      const expression = canonicalExpression(predicate.expression, engine, kindOf(value))
      return { kind: 'compare', operator: predicate.operator, expression, value }
    }
    case 'in': {
      const values = predicate.values.map((value) =>
        literalBeside(predicate.expression, value, scope),
      )
      const [first = null] = values
      const expression = canonicalExpression(predicate.expression, engine, kindOf(first))
      return values.length === 1
        ? { kind: 'compare', operator: '=', expression, value: first }
        : { kind: 'in', expression, values }
    }
    case 'isNull':
    case 'isNotNull':
      return { kind: predicate.kind, expression: canonicalExpression(predicate.expression, engine) }
    case 'and':
    case 'or': {
      const operands = predicate.operands
        .map(again)
        .flatMap((each) => (each.kind === predicate.kind ? each.operands : [each]))
      const [first] = operands
      return operands.length === 1 && first !== undefined
        ? first
        : { kind: predicate.kind, operands }
    }
    case 'not':
      return negated(again(predicate.operand), scope)
    case 'unsafeSql':
      return { kind: 'unsafeSql', sql: canonicalGiven(predicate.sql, engine) }
  }
}

/** SQLite shows the text that it was given; the others spell it in their own way. */
function canonicalGiven(sql: string, engine: EngineName): string {
  return engine === 'duckdb' || engine === 'postgresql' ? canonicalSql(sql, engine) : sql.trim()
}

const opposite = { '=': '<>', '<>': '=', '<': '>=', '<=': '>', '>': '<=', '>=': '<' } as const

function negated(predicate: Predicate, scope: Scope): Predicate {
  switch (predicate.kind) {
    case 'compare':
      return { ...predicate, operator: opposite[predicate.operator] }
    case 'isNull':
      return { ...predicate, kind: 'isNotNull' }
    case 'isNotNull':
      return { ...predicate, kind: 'isNull' }
    case 'and':
    case 'or':
      return readablePredicate(
        {
          kind: predicate.kind === 'and' ? 'or' : 'and',
          operands: predicate.operands.map((operand) => ({ kind: 'not', operand })),
        },
        scope,
      )
    case 'not':
      return predicate.operand
    default:
      return { kind: 'not', operand: predicate }
  }
}

function literalBeside(expression: Expression, value: Literal, scope: Scope): Literal {
  return canonicalLiteral(value, kindOfExpression(expression, scope), scope.engine)
}

function kindOfExpression(
  expression: Expression,
  { engine, columns }: Scope,
): PortableKind | undefined {
  if (expression.kind === 'column') {
    return columns.get(dialects[engine].foldedName(expression.name))?.kind
  }
  if (expression.kind === 'call') return expression.function === 'length' ? 'integer' : 'string'
  if (expression.kind === 'json' && engine !== 'sqlite') return expression.as
  return undefined
}

function kindOf(value: Literal): JsonPath['as'] {
  return typeof value === 'number' || typeof value === 'bigint' ? 'number' : 'string'
}
