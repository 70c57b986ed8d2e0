import type { EngineName } from '@keelson/core'
import { scopeOf } from '../introspect/scope.ts'
import type { Expression } from '../ir/expression.ts'
import type { ColumnDefinition } from '../ir/column.ts'
import type { IndexDefinition } from '../ir/index-definition.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { canonicalIndex } from '../sql/canonical-expression.ts'
import { indexBodySql } from '../sql/index-body.ts'
import { hashedName } from './cut-name.ts'

/**
 * The name of an index: its own, or `ix_<table>_<keys>_<hash>` (`ux_` for a unique one), at most 63 bytes long. The hash is
 * of the definition as the engine keeps it, so that the same definition has the same name, and another one never has it:
 * what exists under the name is what was asked for.
 *
 * @param table the definition, where there is one: what its columns hold says which constants in a condition are the same
 *
 * @example
 * indexName('users', { keys: [{ expression: { kind: 'column', name: 'email' } }], unique: true }, 'sqlite')
 * // ux_users_email_3f2a9c01d4
 */
export function indexName(
  table: TableDefinition | string,
  index: IndexDefinition,
  engine: EngineName,
): string {
  return index.name ?? derivedIndexName(table, index, engine)
}

/** Whether an index that a database has was named by its definition, and so was created from one. */
export function isManagedName(
  table: TableDefinition | string,
  index: IndexDefinition,
  engine: EngineName,
): boolean {
  if (index.name === undefined || index.constraint === true) return false
  const derived = derivedIndexName(table, index, engine)
  if (index.name === derived) return true
  // An engine spells the SQL of others in its own way, and the hash was of the text as it was given.
  const hasOtherSql =
    index.where?.kind === 'unsafeSql' ||
    index.keys.some(({ expression }) => expression.kind === 'unsafeSql')
  return hasOtherSql && withoutHash(index.name) === withoutHash(derived)
}

function derivedIndexName(
  table: TableDefinition | string,
  index: IndexDefinition,
  engine: EngineName,
): string {
  const tableName = typeof table === 'string' ? table : table.name
  const columns = typeof table === 'string' ? noColumns : table.columns
  const canonical = canonicalIndex(index, scopeOf(columns, engine))
  const keys = canonical.keys.map(({ expression }) => keyWords(expression))
  return hashedName(
    [index.unique ? 'ux' : 'ix', tableName, ...keys],
    `${tableName} ${indexBodySql(canonical, engine)}`,
  )
}

const noColumns: readonly ColumnDefinition[] = []

function withoutHash(name: string): string {
  return /_[0-9a-f]{10}$/.test(name) ? name.slice(0, -10) : name
}

function keyWords(expression: Expression): string {
  switch (expression.kind) {
    case 'column':
      return expression.name
    case 'json':
      return [expression.column, ...expression.path].join('_')
    case 'call':
      return `${keyWords(expression.argument)}_${expression.function}`
    case 'unsafeSql':
      return 'expression'
  }
}
