import { type EngineName, quoteIdentifier } from '@keelson/core'
import { DefinitionError, UnsupportedByEngineError } from '../errors.ts'
import { parseSql } from '../introspect/parse-sql.ts'
import type { IndexDefinition, IndexKey } from '../ir/index-definition.ts'
import { dialects } from './dialects.ts'
import { methodOf } from './index-method.ts'
import { expressionSql, predicateSql } from './print-expression.ts'

/**
 * What an index is, without its name and table: keys, method, condition.
 *
 * @throws {UnsupportedByEngineError} for what the engine does not have, or would take and forget
 */
export function indexBodySql(index: IndexDefinition, engine: EngineName): string {
  checkSupported(index, engine)
  const words: string[] = []
  const method = methodOf(index, engine)
  if (method !== undefined) words.push(`using ${method}`)
  const keys = index.keys.map((key) => keySql(key, method === undefined, engine))
  words.push(`(${keys.join(', ')})`)
  if (index.include !== undefined && index.include.length > 0)
    words.push(
      `include (${index.include.map((column) => quoteIdentifier(column, engine)).join(', ')})`,
    )
  if (index.unique && index.nullsDistinct === false) words.push('nulls not distinct')
  if (index.where !== undefined) words.push(`where ${predicateSql(index.where, engine)}`)
  return words.join(' ')
}

/**
 * A key of an index.
 *
 * @param isOrdered whether the index has an order: the engine's own method has
 */
export function keySql(key: IndexKey, isOrdered: boolean, engine: EngineName): string {
  const traits = dialects[engine].index
  const sql = expressionSql(key.expression, engine)
  const words = [traits.expressionInParentheses && isExpression(key, engine) ? `(${sql})` : sql]
  if (key.collation !== undefined) words.push(`collate ${quoteIdentifier(key.collation, engine)}`)
  if (key.direction === 'desc' && traits.direction && isOrdered) words.push('desc')
  return words.join(' ')
}

/** SQL that was given as such may be more than an expression: PostgreSQL's classes of operators come after it. */
function isExpression({ expression }: IndexKey, engine: EngineName): boolean {
  if (expression.kind === 'column') return false
  return expression.kind !== 'unsafeSql' || parseSql(expression.sql, engine) !== undefined
}

function checkSupported(index: IndexDefinition, engine: EngineName): void {
  const traits = dialects[engine].index
  if (index.keys.length === 0)
    throw new DefinitionError('An index has at least one key: give it a column.')
  const method = index.method?.[engine]
  if (method !== undefined && !traits.methods.includes(method.toLowerCase()))
    refuse(
      engine,
      `the method ${JSON.stringify(method)}`,
      `Use one of: ${traits.methods.join(', ')}`,
    )
  if (index.where !== undefined && !traits.partial)
    refuse(engine, 'indexes over some rows alone', 'Leave out `where`')
  if (index.include !== undefined && index.include.length > 0 && !traits.include)
    refuse(engine, 'columns that an index only holds', 'Leave out `include`, or make them keys')
  if (index.unique && index.nullsDistinct === false && !traits.nullsNotDistinct)
    refuse(engine, 'unique indexes in which two NULLs are the same', 'Leave out `nullsDistinct`')
  for (const { collation, expression } of index.keys) {
    if (collation !== undefined && !traits.collation)
      refuse(engine, 'keys with a collation', 'Leave out `collation`, or give it to the column')
    const path = expression.kind === 'call' ? expression.argument : expression
    if (path.kind === 'json' && !traits.json)
      refuse(engine, 'indexes over values inside JSON', 'Make it a column of its own')
  }
}

function refuse(engine: EngineName, what: string, instead: string): never {
  throw new UnsupportedByEngineError(
    engine,
    `Cannot create the index: ${engine} does not have ${what}. ${instead}.`,
  )
}
