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
export function canonicalNode(node: SqlNode, engine: EngineName): SqlNode {
  const again = (each: SqlNode): SqlNode => canonicalNode(each, engine)
  switch (node.kind) {
    case 'unary':
    case 'isNull':
    case 'collate':
      return { ...node, operand: again(node.operand) }
    case 'binary':
      return { ...node, left: again(node.left), right: again(node.right) }
    case 'call':
      return { ...node, arguments: node.arguments.map(again) }
    case 'list':
      return { ...node, items: node.items.map(again) }
    case 'between':
      return {
        ...node,
        operand: again(node.operand),
        low: again(node.low),
        high: again(node.high),
      }
    case 'in': {
      const operand = again(node.operand)
      const values = node.values.map(again)
      const [first] = values
      return values.length === 1 && first !== undefined
        ? { kind: 'binary', operator: node.not ? '<>' : '=', left: operand, right: first }
        : { ...node, operand, values }
    }
    case 'cast': {
      const operand = again(node.operand)
      const type = dialects[engine].nativeSpelling(node.type)
      if (operand.kind === 'text' && textTypes.has(type)) return operand
      if (operand.kind === 'list' && type === 'text[]') return operand
      // PostgreSQL shows a negative number so.
      if (operand.kind === 'text' && type === 'integer' && /^-?\d+$/.test(operand.text))
        return { kind: 'number', digits: operand.text }
      return { kind: 'cast', operand, type }
    }
    default:
      return node
  }
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
      return type === undefined ? `${node.function}(${items})` : `try_cast(${items} as ${type})`
    }
    case 'cast':
      return `cast(${nodeSql(node.operand, engine, false)} as ${node.type})`
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
