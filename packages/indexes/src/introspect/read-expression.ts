import type { EngineName } from '@keelson/core'
import type { Expression, JsonPath, Literal, Predicate } from '../ir/expression.ts'
import type { PortableKind } from '../ir/portable-type.ts'
import { canonicalNumber } from '../sql/canonical-literal.ts'
import { ordering } from '../sql/check-predicate.ts'
import { dialects } from '../sql/dialects.ts'
import { parseSql } from './parse-sql.ts'
import { sameNumber } from './same-number.ts'
import type { Scope, ScopeColumn } from './scope.ts'
import type { SqlNode } from './sql-node.ts'

/** Reads a column, a path or a call of them; `undefined` for anything else. */
export function readExpression(sql: string, scope: Scope): Expression | undefined {
  const node = parseSql(sql, scope.engine)
  return node && expressionOf(node, scope)
}

/** Reads a condition. What no predicate says is kept as SQL. */
export function readPredicate(sql: string, scope: Scope): Predicate {
  const node = parseSql(sql, scope.engine)
  const read = node && predicateOf(node, scope)
  return read ?? { kind: 'unsafeSql', sql: sql.trim() }
}

/** Reads a constant; `undefined` for anything else. */
export function readLiteral(
  sql: string,
  kind: PortableKind | undefined,
  engine: EngineName,
): Literal | undefined {
  const node = parseSql(sql, engine)
  return node && literalOf(node, kind, engine)
}

function expressionOf(node: SqlNode, scope: Scope): Expression | undefined {
  switch (node.kind) {
    case 'name': {
      const column = columnOf(node, scope)
      return column && { kind: 'column', name: column.name }
    }
    case 'binary': {
      const path = pathOf(node, scope)
      return path && { kind: 'json', ...path, as: 'string' }
    }
    case 'cast':
      return castOf(node, scope)
    case 'call': {
      const [first, ...rest] = node.arguments
      const name = functions.find(
        (each) => dialects[scope.engine].functions[each] === node.function,
      )
      const argument = first && rest.length === 0 ? expressionOf(first, scope) : undefined
      if (name === undefined || argument === undefined) return undefined
      if (argument.kind !== 'column' && argument.kind !== 'json') return undefined
      if (argument.kind === 'json' && argument.as !== 'string') return undefined
      return { kind: 'call', function: name, argument }
    }
    default:
      return undefined
  }
}

const functions = ['lower', 'upper', 'length'] as const

function castOf(node: SqlNode & { kind: 'cast' }, scope: Scope): Expression | undefined {
  if (scope.engine === 'sqlite') return undefined
  const inside = expressionOf(node.operand, scope)
  const type = dialects[scope.engine].nativeSpelling(node.type)
  if (inside?.kind === 'column') {
    // PostgreSQL's functions and operators of texts take `varchar` columns so.
    const kind = columnOf({ kind: 'name', name: inside.name }, scope)?.kind
    return type === 'text' && kind === 'string' ? inside : undefined
  }
  const as = comparedAs.get(type)
  return inside?.kind === 'json' && inside.as === 'string' && as !== undefined
    ? { ...inside, as }
    : undefined
}

/** The casts that `jsonPath` of a dialect writes. */
const comparedAs: ReadonlyMap<string, JsonPath['as']> = new Map([
  ['double precision', 'number'],
  ['bigint', 'integer'],
  ['boolean', 'boolean'],
  ['DOUBLE', 'number'],
  ['BIGINT', 'integer'],
  ['BOOLEAN', 'boolean'],
])

function pathOf(
  node: SqlNode & { kind: 'binary' },
  scope: Scope,
): Pick<JsonPath, 'column' | 'path'> | undefined {
  if (node.operator !== '->>') return undefined
  const path: (string | number)[] = []
  let at: SqlNode = node
  while (at.kind === 'binary' && (at === node || at.operator === '->')) {
    const step = stepOf(at.right, scope)
    if (step === undefined) return undefined
    path.unshift(step)
    at = at.left
  }
  const column = columnOf(at, scope)
  return column && { column: column.name, path }
}

function stepOf(node: SqlNode, { engine }: Scope): string | number | undefined {
  const step = literalOf(node, undefined, engine)
  if (typeof step === 'number') return Number.isSafeInteger(step) && step >= 0 ? step : undefined
  if (typeof step !== 'string') return undefined
  return dialects[engine].isJsonKey(step) ? step : undefined
}

function columnOf(node: SqlNode, { engine, columns }: Scope): ScopeColumn | undefined {
  return node.kind === 'name' ? columns.get(dialects[engine].foldedName(node.name)) : undefined
}

function predicateOf(node: SqlNode, scope: Scope): Predicate | undefined {
  switch (node.kind) {
    case 'binary':
      if (node.operator === 'and' || node.operator === 'or') {
        const left = predicateOf(node.left, scope)
        const right = predicateOf(node.right, scope)
        return left && right && { kind: node.operator, operands: [left, right] }
      }
      return comparisonOf(node, scope)
    case 'unary': {
      const operand = node.operator === 'not' ? predicateOf(node.operand, scope) : undefined
      return operand && { kind: 'not', operand }
    }
    case 'isNull': {
      const expression = expressionOf(node.operand, scope)
      return expression && { kind: node.not ? 'isNotNull' : 'isNull', expression }
    }
    case 'in':
      return listOf(node, scope)
    case 'between': {
      const low = comparisonOf(binary('>=', node.operand, node.low), scope)
      const high = comparisonOf(binary('<=', node.operand, node.high), scope)
      const both: Predicate | undefined = low && high && { kind: 'and', operands: [low, high] }
      return node.not && both ? { kind: 'not', operand: both } : both
    }
    case 'name': {
      const column = columnOf(node, scope)
      if (column?.kind !== 'boolean' || scope.engine === 'sqlite') return undefined
      const expression = { kind: 'column', name: column.name } as const
      return { kind: 'compare', operator: '=', expression, value: true }
    }
    default:
      return undefined
  }
}

function binary(operator: string, left: SqlNode, right: SqlNode): SqlNode & { kind: 'binary' } {
  return { kind: 'binary', operator, left, right }
}

/** The operator when the sides change places. */
const turned = { '=': '=', '<>': '<>', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const

function comparisonOf(
  { operator, left, right }: SqlNode & { kind: 'binary' },
  scope: Scope,
): Predicate | undefined {
  if (!Object.hasOwn(turned, operator)) return undefined
  const known = operator as keyof typeof turned
  return comparedWith(known, left, right, scope) ?? comparedWith(turned[known], right, left, scope)
}

function comparedWith(
  operator: keyof typeof turned,
  left: SqlNode,
  right: SqlNode,
  scope: Scope,
): Predicate | undefined {
  const expression = expressionOf(left, scope)
  if (expression === undefined) return undefined
  // What compares texts is no comparison of decimals.
  if (ordering.has(operator) && columnOf(left, scope)?.isTextDecimal === true) return undefined
  const value = literalOf(right, kindOf(expression, scope), scope.engine)
  return value === undefined ? undefined : { kind: 'compare', operator, expression, value }
}

function listOf(
  { operand, values, not }: SqlNode & { kind: 'in' },
  scope: Scope,
): Predicate | undefined {
  const expression = expressionOf(operand, scope)
  if (expression === undefined || values.length === 0) return undefined
  const kind = kindOf(expression, scope)
  const read = values.map((value) => literalOf(value, kind, scope.engine))
  if (read.includes(undefined)) return undefined
  const list: Predicate = { kind: 'in', expression, values: read as Literal[] }
  return not ? { kind: 'not', operand: list } : list
}

function kindOf(expression: Expression, scope: Scope): PortableKind | undefined {
  return expression.kind === 'column'
    ? columnOf({ kind: 'name', name: expression.name }, scope)?.kind
    : undefined
}

function literalOf(
  node: SqlNode,
  kind: PortableKind | undefined,
  engine: EngineName,
): Literal | undefined {
  switch (node.kind) {
    case 'text':
      return node.text
    case 'number':
      return numberOf(node.digits, kind)
    case 'word':
      if (node.word === 'null') return null
      if (node.word === 'true' || node.word === 'false') return node.word === 'true'
      return undefined
    case 'cast':
      return castLiteral(node, kind, engine)
    case 'unary': {
      if (node.operator !== '-') return undefined
      const digits = node.operand.kind === 'number' ? node.operand.digits : undefined
      return digits === undefined ? undefined : numberOf(`-${digits}`, kind)
    }
    default:
      return undefined
  }
}

/** A number as JavaScript has it, where it is the same one. */
function numberOf(digits: string, kind: PortableKind | undefined): Literal | undefined {
  if (digits.startsWith('--')) return undefined
  if (kind === 'decimal' && !/e/i.test(digits)) return digits
  if (/^-?\d+$/.test(digits)) {
    const whole = canonicalNumber(BigInt(digits))
    return typeof whole === 'bigint' || sameNumber(digits, String(whole)) ? whole : undefined
  }
  const value = Number(digits)
  return sameNumber(digits, String(value)) ? canonicalNumber(value) : undefined
}

function castLiteral(
  node: SqlNode & { kind: 'cast' },
  kind: PortableKind | undefined,
  engine: EngineName,
): Literal | undefined {
  // In SQLite a cast changes what the value is compared as.
  if (engine === 'sqlite') return undefined
  const inside = literalOf(node.operand, kind, engine)
  const type = dialects[engine].nearest(dialects[engine].nativeSpelling(node.type)).kind
  if (inside === undefined || inside === null) return inside
  if (typeof inside === 'number' || typeof inside === 'bigint')
    return numbers.has(type) ? inside : undefined
  if (typeof inside === 'boolean') return type === 'boolean' ? inside : undefined
  if (type === 'boolean') return booleans.get(inside)
  if (type === 'decimal' && kind === 'decimal') return inside
  if (!numbers.has(type)) return type === 'array' ? undefined : inside
  return /^-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(inside) ? numberOf(inside, kind) : undefined
}

const numbers: ReadonlySet<PortableKind> = new Set(['int32', 'integer', 'number', 'decimal'])

const booleans: ReadonlyMap<string, boolean> = new Map([
  ['t', true],
  ['true', true],
  ['f', false],
  ['false', false],
])
