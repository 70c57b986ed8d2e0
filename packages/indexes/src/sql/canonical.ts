import type { EngineName } from '@keelson/core'
import type { ColumnDefault, ColumnDefinition } from '../ir/column.ts'
import { scopeOf } from '../introspect/scope.ts'
import { canonicalText } from '../ir/canonical-text.ts'
import type { PortableType } from '../ir/portable-type.ts'
import type {
  CheckDefinition,
  ForeignKeyDefinition,
  TableDefinition,
} from '../ir/table-definition.ts'
import { checkName, foreignKeyName } from '../names/constraint-name.ts'
import { indexName } from '../names/index-name.ts'
import { canonicalIndex, canonicalPredicate } from './canonical-expression.ts'
import { canonicalLiteral } from './canonical-literal.ts'
import { canonicalSql } from './canonical-sql.ts'
import { dialects } from './dialects.ts'

/**
 * A table as introspection finds it after it was created from this definition: with all names, without what the engine
 * does not keep, and with one form for what has several. Two definitions are the same to an engine when these are deeply
 * equal.
 *
 * What an engine does not keep: descriptions, query patterns and `notEnforced` (none does); the difference of `integer`
 * and `bigint`, which are stored alike (MySQL's is not read back); on SQLite what a JSON path is compared as; on DuckDB
 * and PostgreSQL the `maxLength` of texts in an array; on DuckDB the names of constraints and the direction of keys. SQL that
 * was given as such is what is read of it where a definition can say that; else it is only freed of the blanks,
 * parentheses and casts that mean nothing, and PostgreSQL and DuckDB may spell it otherwise.
 */
export function canonicalTable(table: TableDefinition, engine: EngineName): TableDefinition {
  const columns = table.columns.map((column) => canonicalColumn(column, table, engine))
  const typed: TableDefinition = { ...table, columns }
  const scope = scopeOf(columns, engine)
  const checks = table.checks.map((check) => canonicalCheck(check, typed, engine))
  const foreignKeys = table.foreignKeys.map((key) => canonicalForeignKey(key, typed, engine))
  const indexes = table.indexes.map((index) => ({
    name: indexName(typed, index, engine),
    ...canonicalIndex(index, scope),
  }))
  return {
    name: table.name,
    ...(table.schema !== undefined && { schema: table.schema }),
    columns,
    primaryKey: table.primaryKey,
    indexes: indexes.toSorted(byName),
    foreignKeys: foreignKeys.toSorted(byName),
    checks: checks.toSorted(byName),
    queries: [],
  }
}

function canonicalColumn(
  column: ColumnDefinition,
  table: TableDefinition,
  engine: EngineName,
): ColumnDefinition {
  const dialect = dialects[engine]
  const { constrained } = dialect.generated
  const isFree = column.generated !== undefined && !constrained
  const isKey = table.primaryKey.includes(column.name)
  const { type, override } = canonicalType(column, isFree, engine)
  const fallback = column.default && canonicalDefault(column.default, type, engine)
  return {
    name: column.name,
    type,
    nullable: isFree || (column.nullable && !isKey && column.identity !== true),
    ...(fallback !== undefined && { default: fallback }),
    ...(column.generated !== undefined && {
      generated: {
        sql: canonicalSql(column.generated.sql, engine),
        stored: column.generated.stored,
      },
    }),
    ...(column.identity === true && { identity: true }),
    ...(override !== undefined && { override: { [engine]: override } }),
  }
}

function canonicalType(
  column: ColumnDefinition,
  isFree: boolean,
  engine: EngineName,
): { readonly type: PortableType; readonly override?: string } {
  const dialect = dialects[engine]
  const native = column.override?.[engine]
  if (native !== undefined) return readNativeType(native, engine)
  // Without its CHECK a type is only what the engine's says.
  return isFree
    ? readNativeType(dialect.typeSql(column.type), engine)
    : { type: dialect.kept(column.type) }
}

/** A type of the engine that no CHECK says more about. */
export function readNativeType(
  native: string,
  engine: EngineName,
): { readonly type: PortableType; readonly override?: string } {
  const dialect = dialects[engine]
  const spelled = dialect.nativeSpelling(native)
  const type = dialect.nearest(spelled)
  const isSame =
    dialect.nativeSpelling(dialect.typeSql(type)) === spelled &&
    dialect.typeCheck('column', type) === undefined
  return isSame ? { type } : { type, override: spelled }
}

/** What a DEFAULT comes to; none for NULL, which a column without one has. */
export function canonicalDefault(
  given: ColumnDefault,
  type: PortableType,
  engine: EngineName,
): ColumnDefault | undefined {
  switch (given.kind) {
    case 'now':
      return { kind: 'now' }
    case 'unsafeSql':
      return { kind: 'unsafeSql', sql: canonicalSql(given.sql, engine) }
    case 'value': {
      const value = canonicalLiteral(given.value, type.kind, engine)
      return value === null ? undefined : { kind: 'value', value }
    }
  }
}

function canonicalCheck(
  check: CheckDefinition,
  table: TableDefinition,
  engine: EngineName,
): CheckDefinition {
  const predicate = canonicalPredicate(check.predicate, scopeOf(table.columns, engine))
  if (!dialects[engine].constraintNames) return { predicate }
  return { name: checkName(table, check, engine), predicate }
}

function canonicalForeignKey(
  foreignKey: ForeignKeyDefinition,
  table: TableDefinition,
  engine: EngineName,
): ForeignKeyDefinition {
  const { constraintNames, foreignKeyActions } = dialects[engine]
  const { columns, referencedTable, referencedColumns, onDelete, onUpdate } = foreignKey
  const keeps = (action: string | undefined): boolean =>
    action !== undefined && action !== 'no action' && foreignKeyActions
  return {
    ...(constraintNames && { name: foreignKeyName(table, foreignKey) }),
    columns,
    referencedTable,
    referencedColumns,
    ...(keeps(onDelete) && { onDelete }),
    ...(keeps(onUpdate) && { onUpdate }),
  } as ForeignKeyDefinition
}

/** By their names; those that have none by what they are. */
function byName(a: { readonly name?: string }, b: { readonly name?: string }): number {
  const [one, other] = [a, b].map((each) => each.name ?? canonicalText(each)) as [string, string]
  return one < other ? -1 : Number(one > other)
}
