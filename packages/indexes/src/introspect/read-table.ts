import type { EngineName } from '@keelson/core'
import type { ColumnDefault, ColumnDefinition } from '../ir/column.ts'
import type { IndexDefinition, IndexKey } from '../ir/index-definition.ts'
import type { PortableType } from '../ir/portable-type.ts'
import type { CheckDefinition, TableDefinition } from '../ir/table-definition.ts'
import { canonicalSql } from '../sql/canonical-sql.ts'
import { canonicalDefault, canonicalTable, readNativeType } from '../sql/canonical.ts'
import { dialects } from '../sql/dialects.ts'
import type { LiveCheck, LiveColumn, LiveIndex, LiveKey, LiveTable } from './live-table.ts'
import { readLiteral, readPredicate } from './read-expression.ts'
import { readKey } from './read-key.ts'
import { readTypeChecks } from './read-type-checks.ts'
import { type Scope, scopeOf } from './scope.ts'

/** Makes a definition of what a database says of a table. */
export function readTable(
  table: LiveTable,
  engine: EngineName,
  schema: string | undefined,
): TableDefinition {
  const { types, rest } = readTypeChecks(table, engine)
  const columns = table.columns.map((column) => readColumn(column, types, engine))
  const scope = scopeOf(columns, engine)
  const definition = canonicalTable(
    {
      name: table.name,
      ...(schema !== undefined && { schema }),
      columns,
      primaryKey: table.primaryKey,
      indexes: table.indexes.map((index) => readIndex(index, scope)),
      foreignKeys: table.foreignKeys,
      checks: rest.map((check) => readCheck(check, scope)),
      queries: [],
    },
    engine,
  )
  return table.unsaid.length === 0 ? definition : { ...definition, notEnforced: table.unsaid }
}

function readColumn(
  column: LiveColumn,
  types: ReadonlyMap<string, PortableType>,
  engine: EngineName,
): ColumnDefinition {
  const known = types.get(column.name)
  const { type, override } =
    known === undefined
      ? readNativeType(column.native, engine)
      : { type: known, override: undefined }
  const fallback =
    column.default === undefined ? undefined : readDefault(column.default, type, engine)
  return {
    name: column.name,
    type,
    nullable: column.nullable,
    ...(fallback !== undefined && { default: fallback }),
    ...(column.generated !== undefined && { generated: column.generated }),
    ...(column.identity && { identity: true }),
    ...(override !== undefined && { override: { [engine]: override } }),
  }
}

function readDefault(
  sql: string,
  type: PortableType,
  engine: EngineName,
): ColumnDefault | undefined {
  const now = dialects[engine].now[type.kind]
  if (now !== undefined && canonicalSql(now, engine) === canonicalSql(sql, engine))
    return { kind: 'now' }
  const value = readLiteral(sql, type.kind, engine)
  return canonicalDefault(
    value === undefined || (value !== null && (type.kind === 'array' || type.kind === 'blob'))
      ? { kind: 'unsafeSql', sql }
      : { kind: 'value', value },
    type,
    engine,
  )
}

function readIndex(index: LiveIndex, scope: Scope): IndexDefinition {
  return {
    name: index.name,
    keys: index.keys.map((key) => readLiveKey(key, scope)),
    unique: index.unique,
    ...(index.where !== undefined && { where: readPredicate(index.where, scope) }),
    ...(index.method !== undefined && { method: { [scope.engine]: index.method } }),
    ...(index.include !== undefined && { include: index.include }),
    ...(index.nullsDistinct === false && { nullsDistinct: false }),
    ...(index.constraint && { constraint: true }),
  }
}

function readLiveKey(key: LiveKey, scope: Scope): IndexKey {
  const { column, expression = '', descending, collation } = key
  return {
    ...(column === undefined
      ? readKey(expression, scope)
      : { expression: { kind: 'column', name: column } }),
    ...(descending && { direction: 'desc' }),
    ...(collation !== undefined && { collation }),
  }
}

function readCheck({ name, expression }: LiveCheck, scope: Scope): CheckDefinition {
  return { ...(name !== undefined && { name }), predicate: readPredicate(expression, scope) }
}
