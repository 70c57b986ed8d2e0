import type { EngineName } from '@keelson/core'
import type { ColumnDefinition } from '../ir/column.ts'
import type { Expression, JsonPath, Literal, Predicate } from '../ir/expression.ts'
import type { IndexDefinition, IndexKey } from '../ir/index-definition.ts'
import type { PortableKind } from '../ir/portable-type.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { canonicalLiteral } from './canonical-literal.ts'
import { dialects } from './dialects.ts'
import { methodOf } from './index-method.ts'

/** What the columns of a table hold, by their names. */
export type ColumnKinds = ReadonlyMap<string, PortableKind>

export function columnKinds({ columns }: Pick<TableDefinition, 'columns'>): ColumnKinds {
  const kinds = known.get(columns) ?? new Map(columns.map(({ name, type }) => [name, type.kind]))
  known.set(columns, kinds)
  return kinds
}

/** Each index and check of a table asks again. */
const known = new WeakMap<readonly ColumnDefinition[], ColumnKinds>()

/** An index as the engine keeps it, but for its name. */
export function canonicalIndex(
  index: IndexDefinition,
  kinds: ColumnKinds | undefined,
  engine: EngineName,
): IndexDefinition {
  const method = methodOf(index, engine)
  const { include = [] } = index
  return {
    ...(index.name !== undefined && { name: index.name }),
    keys: index.keys.map((key) => canonicalKey(key, engine)),
    unique: index.unique,
    ...(index.where !== undefined && { where: canonicalPredicate(index.where, kinds, engine) }),
    ...(method !== undefined && { method: { [engine]: method } }),
    ...(include.length > 0 && { include }),
    ...(index.unique && index.nullsDistinct === false && { nullsDistinct: false }),
    ...(index.constraint === true && { constraint: true }),
  }
}

function canonicalKey(key: IndexKey, engine: EngineName): IndexKey {
  const { index: traits } = dialects[engine]
  return {
    expression: canonicalExpression(key.expression, engine),
    ...(key.direction === 'desc' && traits.direction && { direction: 'desc' }),
    ...(key.collation !== undefined && { collation: key.collation }),
  }
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
      return { kind: 'unsafeSql', sql: expression.sql.trim() }
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
 * inside lists, no list of one.
 */
export function canonicalPredicate(
  predicate: Predicate,
  kinds: ColumnKinds | undefined,
  engine: EngineName,
): Predicate {
  const again = (each: Predicate): Predicate => canonicalPredicate(each, kinds, engine)
  switch (predicate.kind) {
    case 'compare': {
      const value = literalBeside(predicate.expression, predicate.value, kinds, engine)
      const expression = canonicalExpression(predicate.expression, engine, kindOf(value))
      return { kind: 'compare', operator: predicate.operator, expression, value }
    }
    case 'in': {
      const values = predicate.values.map((value) =>
        literalBeside(predicate.expression, value, kinds, engine),
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
      return negated(again(predicate.operand), kinds, engine)
    case 'unsafeSql':
      return { kind: 'unsafeSql', sql: predicate.sql.trim() }
  }
}

const opposite = { '=': '<>', '<>': '=', '<': '>=', '<=': '>', '>': '<=', '>=': '<' } as const

function negated(
  predicate: Predicate,
  kinds: ColumnKinds | undefined,
  engine: EngineName,
): Predicate {
  switch (predicate.kind) {
    case 'compare':
      return { ...predicate, operator: opposite[predicate.operator] }
    case 'isNull':
      return { ...predicate, kind: 'isNotNull' }
    case 'isNotNull':
      return { ...predicate, kind: 'isNull' }
    case 'and':
    case 'or':
      return canonicalPredicate(
        {
          kind: predicate.kind === 'and' ? 'or' : 'and',
          operands: predicate.operands.map((operand) => ({ kind: 'not', operand })),
        },
        kinds,
        engine,
      )
    case 'not':
      return predicate.operand
    default:
      return { kind: 'not', operand: predicate }
  }
}

function literalBeside(
  expression: Expression,
  value: Literal,
  kinds: ColumnKinds | undefined,
  engine: EngineName,
): Literal {
  return canonicalLiteral(value, kindOfExpression(expression, kinds, engine), engine)
}

function kindOfExpression(
  expression: Expression,
  kinds: ColumnKinds | undefined,
  engine: EngineName,
): PortableKind | undefined {
  if (expression.kind === 'column') return kinds?.get(expression.name)
  if (expression.kind === 'call') return expression.function === 'length' ? 'integer' : 'string'
  if (expression.kind === 'json' && engine !== 'sqlite') return expression.as
  return undefined
}

function kindOf(value: Literal): JsonPath['as'] {
  return typeof value === 'number' || typeof value === 'bigint' ? 'number' : 'string'
}
