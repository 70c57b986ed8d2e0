import { type EngineName, quoteIdentifier } from '@keelson/core'
import type { Expression } from '../ir/expression.ts'
import type { IndexKey } from '../ir/index-definition.ts'
import { canonicalSql } from '../sql/canonical-sql.ts'
import { parseSql } from './parse-sql.ts'
import { readExpression } from './read-expression.ts'
import type { Scope } from './scope.ts'

/**
 * Reads the key of an index: an expression, and its collation and direction after it. What is not a column, a path or a call
 * of them is kept as SQL; so is what no definition says, a class of operators or NULLs at the other end.
 */
export function readKey(sql: string, scope: Scope): IndexKey {
  const { engine } = scope
  const [, text = '', collated, order, nulls] = keyParts.exec(sql.trim()) ?? []
  const isDescending = order?.toLowerCase() === 'desc'
  const nullsFirst = nulls === undefined ? isDescending : nulls.toLowerCase() === 'first'
  // MySQL's are of its columns.
  const collate = engine === 'mysql' && collated !== undefined ? ` collate ${collated}` : ''
  const expression = keyExpression(text + collate, scope)
  const collation =
    engine === 'mysql' || collated === undefined ? undefined : nameIn(collated, engine)
  if (nullsFirst === isDescending) {
    return {
      expression,
      ...(isDescending && { direction: 'desc' }),
      ...(collation !== undefined && { collation }),
    }
  }
  const words = [keyWords(text, engine)]
  if (collation !== undefined) words.push(`collate ${quoteIdentifier(collation, engine)}`)
  if (isDescending) words.push('desc')
  words.push(`nulls ${nullsFirst ? 'first' : 'last'}`)
  return { expression: { kind: 'unsafeSql', sql: words.join(' ') } }
}

/** An expression, its collation, its direction, and where NULLs go. */
const keyParts =
  /^([^]*?)(?:\s+collate\s+("(?:[^"]|"")+"|\w+))?(?:\s+(asc|desc))?(?:\s+nulls\s+(first|last))?$/i

function keyExpression(text: string, scope: Scope): Expression {
  const read = readExpression(text, scope)
  if (read !== undefined) return read
  const isWhole = parseSql(text, scope.engine) !== undefined
  return { kind: 'unsafeSql', sql: isWhole ? text : keyWords(text, scope.engine) }
}

/** A key of which a part is no expression: PostgreSQL has a class of operators at its end. */
function keyWords(text: string, engine: EngineName): string {
  if (engine !== 'postgresql') return text
  const [, before = text, collated, operators] = operatorClass.exec(text) ?? []
  const node = parseSql(before, engine)
  if (node === undefined) return text
  const sql = canonicalSql(before, engine)
  const words = [node.kind === 'name' ? sql : `(${sql})`]
  if (collated !== undefined)
    words.push(`collate ${quoteIdentifier(nameIn(collated, engine), engine)}`)
  if (operators !== undefined) words.push(quoteIdentifier(nameIn(operators, engine), engine))
  return words.join(' ')
}

const operatorClass = /^([^]*?)(?:\s+collate\s+("(?:[^"]|"")+"|\w+))?\s+("(?:[^"]|"")+"|\w+_ops)$/i

function nameIn(sql: string, engine: EngineName): string {
  if (sql.startsWith('"')) return sql.slice(1, -1).replaceAll('""', '"')
  return engine === 'postgresql' ? sql.toLowerCase() : sql
}
