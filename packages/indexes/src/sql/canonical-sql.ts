import { type EngineName, quoteIdentifier } from '@keelson/core'
import { parseSql } from '../introspect/parse-sql.ts'
import type { SqlNode } from '../introspect/sql-node.ts'
import { dialects } from './dialects.ts'
import { textSql } from './literal.ts'

/**
 * SQL that was given as such, without the blanks, parentheses and casts that mean nothing, which engines add and leave
 * out where they show it. What is not understood stays as it is.
 */
export function canonicalSql(sql: string, engine: EngineName): string {
  const node = parseSql(sql, engine)
  return node === undefined ? sql.trim() : nodeSql(canonicalNode(node, engine), engine, false)
}

/** An expression in the form that all spellings of it have in common. */
function canonicalNode(node: SqlNode, engine: EngineName): SqlNode {
  const again = (each: SqlNode): SqlNode => canonicalNode(each, engine)
  switch (node.kind) {
    case 'unary':
    case 'isNull':
    case 'collate':
      return { ...node, operand: again(node.operand) }
    case 'binary': {
      const [left, right] = [again(node.left), again(node.right)]
      return comparisons.has(node.operator)
        ? { ...node, left: comparable(left), right: comparable(right) }
        : { ...node, left, right }
    }
    case 'case':
      return {
        ...node,
        ...(node.operand !== undefined && { operand: again(node.operand) }),
        branches: node.branches.map(({ when, result }) => ({
          when: again(when),
          result: again(result),
        })),
        ...(node.otherwise !== undefined &&
          !isNull(node.otherwise) && { otherwise: again(node.otherwise) }),
      }
    case 'call':
      return { ...node, arguments: node.arguments.map(again) }
    case 'list':
      return { ...node, items: node.items.map(again) }
    case 'between':
      // PostgreSQL shows the comparisons that it is.
      if (engine === 'postgresql') return again(comparisonsOf(node))
      if (engine === 'duckdb' && node.not)
        return { kind: 'unary', operator: 'not', operand: again({ ...node, not: false }) }
      return {
        ...node,
        operand: again(node.operand),
        low: again(node.low),
        high: again(node.high),
      }
    case 'in': {
      const operand = comparable(again(node.operand))
      const values = node.values.map((value) => comparable(again(value)))
      const [first] = values
      return values.length === 1 && first !== undefined
        ? { kind: 'binary', operator: node.not ? '<>' : '=', left: operand, right: first }
        : { ...node, operand, values }
    }
    case 'cast': {
      const operand = again(node.operand)
      const type = dialects[engine].nativeSpelling(node.type)
      if (operand.kind === 'text' && textTypes.has(type)) return operand
      // DuckDB shows TRUE so.
      if (engine === 'duckdb' && type === 'BOOLEAN' && operand.kind === 'text') {
        if (operand.text === 't') return { kind: 'word', word: 'true' }
        if (operand.text === 'f') return { kind: 'word', word: 'false' }
      }
      if (operand.kind === 'list' && type === 'text[]' && isOfTexts(operand)) return operand
      // PostgreSQL shows a negative number so.
      if (operand.kind === 'text' && type === 'integer' && /^-?\d+$/.test(operand.text))
        return { kind: 'number', digits: operand.text }
      return { kind: 'cast', operand, type }
    }
    default:
      return node
  }
}

function isNull(node: SqlNode): boolean {
  return node.kind === 'word' && node.word === 'null'
}

const comparisons: ReadonlySet<string> = new Set(['=', '<>', '<', '<=', '>', '>='])

/**
 * Something compared, without the casts of whole numbers that PostgreSQL shows beside a `bigint`: in any type of numbers they
 * are the same ones.
 */
function comparable(node: SqlNode): SqlNode {
  if (node.kind === 'call' && node.function === 'coalesce')
    return { ...node, arguments: node.arguments.map(comparable) }
  const isWhole =
    node.kind === 'cast' &&
    node.operand.kind === 'number' &&
    /^-?\d+$/.test(node.operand.digits) &&
    wholeTypes.has(node.type)
  return isWhole ? node.operand : node
}

const wholeTypes: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint'])

function comparisonsOf({ operand, low, high, not }: SqlNode & { kind: 'between' }): SqlNode {
  const compare = (operator: string, right: SqlNode): SqlNode => ({
    kind: 'binary',
    operator,
    left: operand,
    right,
  })
  return not
    ? { kind: 'binary', operator: 'or', left: compare('<', low), right: compare('>', high) }
    : { kind: 'binary', operator: 'and', left: compare('>=', low), right: compare('<=', high) }
}

/** A list without items has no type of its own. */
function isOfTexts({ items }: SqlNode & { kind: 'list' }): boolean {
  return items.length > 0 && items.every(({ kind }) => kind === 'text')
}

/** Types of PostgreSQL that a text in quotes has where nothing else is asked of it. */
const textTypes = new Set(['text', 'character varying'])

function nodeSql(node: SqlNode, engine: EngineName, isInside: boolean): string {
  const inner = (each: SqlNode): string => nodeSql(each, engine, true)
  const whole = (sql: string): string => (isInside ? `(${sql})` : sql)
  switch (node.kind) {
    case 'name':
      return quoteIdentifier(node.name, engine)
    case 'text':
      return textSql(node.text, engine)
    case 'number':
      return node.digits
    case 'word':
      return node.word
    case 'unary':
      return whole(`${node.operator} ${inner(node.operand)}`)
    case 'binary':
      return whole(`${inner(node.left)} ${node.operator} ${inner(node.right)}`)
    case 'call': {
      const items = node.arguments.map((each) => nodeSql(each, engine, false)).join(', ')
      const type = node.function.startsWith('try_cast:') ? node.function.slice(9) : undefined
      if (type !== undefined) return `try_cast(${items} as ${type})`
      const isPlain = /^[a-z_][a-z0-9_$]*$/.test(node.function)
      return `${isPlain ? node.function : quoteIdentifier(node.function, engine)}(${items})`
    }
    case 'cast':
      return `cast(${nodeSql(node.operand, engine, false)} as ${node.type})`
    case 'case': {
      const words = ['case']
      if (node.operand !== undefined) words.push(inner(node.operand))
      for (const { when, result } of node.branches)
        words.push(`when ${inner(when)} then ${inner(result)}`)
      if (node.otherwise !== undefined) words.push(`else ${inner(node.otherwise)}`)
      return whole([...words, 'end'].join(' '))
    }
    case 'isNull':
      return whole(`${inner(node.operand)} is ${node.not ? 'not ' : ''}null`)
    case 'in':
      return whole(
        `${inner(node.operand)} ${node.not ? 'not ' : ''}in (${node.values.map(inner).join(', ')})`,
      )
    case 'between':
      return whole(
        `${inner(node.operand)} ${node.not ? 'not ' : ''}between ${inner(node.low)} and ${inner(node.high)}`,
      )
    case 'list':
      return `${engine === 'postgresql' ? 'array' : ''}[${node.items.map(inner).join(', ')}]`
    case 'collate':
      return `${inner(node.operand)} collate ${quoteIdentifier(node.collation, engine)}`
  }
}
