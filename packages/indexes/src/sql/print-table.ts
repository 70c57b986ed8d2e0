import { type EngineName, quoteIdentifier, type ReferentialAction } from '@keelson/core'
import { UnsupportedByEngineError } from '../errors.ts'
import type {
  CheckDefinition,
  ForeignKeyDefinition,
  TableDefinition,
} from '../ir/table-definition.ts'
import { checkTable } from '../names/check-tables.ts'
import { checkName, foreignKeyName, sequenceName } from '../names/constraint-name.ts'
import { checkPredicate } from './check-predicate.ts'
import { dialects } from './dialects.ts'
import { columnSql } from './print-column.ts'
import { predicateSql } from './print-expression.ts'
import { tableNameSql } from './table-name.ts'

export { columnSql, columnTypeSql } from './print-column.ts'
export { expressionSql, predicateSql } from './print-expression.ts'
export { createIndexSql, dropIndexSql } from './print-index.ts'

/**
 * The statements that create a table without its indexes, in their order: a sequence before the table that takes its
 * numbers, where the engine numbers rows so.
 *
 * @throws {IdentifierError} for a name that the engine does not take
 * @throws {NameCollisionError} for two columns that are one to the engine
 * @throws {UnsupportedByEngineError} for what the engine does not have
 * @throws {DefinitionError} for what means nothing on any engine
 *
 * @example
 * createTableSql(users, 'sqlite')
 * // [ 'create table "users" (\n  "id" text not null ...,\n  primary key ("id")\n) strict' ]
 */
export function createTableSql(table: TableDefinition, engine: EngineName): readonly string[] {
  checkTable(table, engine)
  const dialect = dialects[engine]
  const items = [
    ...table.columns.map((column) => columnSql(column, table, engine)),
    ...primaryKeySql(table, engine),
    ...uniquesSql(table, engine),
    ...table.foreignKeys.map((key) => foreignKeySql(table, key, engine)),
    ...table.checks.map((check) => checkSql(table, check, engine)),
  ]
  const create = `create table ${tableNameSql(table, engine)} (\n  ${items.join(',\n  ')}\n)${dialect.tableSuffix(table.columns)}`
  return [...sequences(table, engine).map((name) => `create sequence ${name}`), create]
}

/** The statements that drop a table, its rows, and what was created with it. */
export function dropTableSql(table: TableDefinition, engine: EngineName): readonly string[] {
  return [
    `drop table ${tableNameSql(table, engine)}`,
    ...sequences(table, engine).map((name) => `drop sequence ${name}`),
  ]
}

/**
 * A foreign key as it stands in CREATE TABLE, and in ALTER TABLE ADD where the engine has that.
 *
 * @throws {UnsupportedByEngineError} for an action that the engine does not have
 */
export function foreignKeySql(
  table: TableDefinition,
  foreignKey: ForeignKeyDefinition,
  engine: EngineName,
): string {
  const { columns, referencedColumns, onDelete, onUpdate } = foreignKey
  const dialect = dialects[engine]
  const name = foreignKeyName(table, foreignKey)
  // A table refers to those of its own schema; SQLite takes no schema here.
  const referenced = {
    name: foreignKey.referencedTable,
    ...(engine !== 'sqlite' && table.schema !== undefined && { schema: table.schema }),
  }
  return [
    dialect.constraintNames ? `constraint ${quoteIdentifier(name, engine)} ` : '',
    `foreign key (${namesSql(columns, engine)}) `,
    `references ${tableNameSql(referenced, engine)} (${namesSql(referencedColumns, engine)})`,
    actionSql('delete', onDelete, name, engine),
    actionSql('update', onUpdate, name, engine),
  ].join('')
}

/** A CHECK as it stands in CREATE TABLE, and in ALTER TABLE ADD where the engine has that. */
export function checkSql(
  table: TableDefinition,
  check: CheckDefinition,
  engine: EngineName,
): string {
  checkPredicate(check.predicate, table, engine)
  const name = quoteIdentifier(checkName(table, check, engine), engine)
  const named = dialects[engine].constraintNames ? `constraint ${name} ` : ''
  return `${named}check (${predicateSql(check.predicate, engine)})`
}

function primaryKeySql(table: TableDefinition, engine: EngineName): readonly string[] {
  const { primaryKey } = table
  const isInColumn =
    dialects[engine].identityIsPrimaryKey &&
    table.columns.some(({ name, identity }) => identity === true && primaryKey.includes(name))
  return primaryKey.length === 0 || isInColumn
    ? []
    : [`primary key (${namesSql(primaryKey, engine)})`]
}

/** Of a table that was read from a database: its UNIQUE constraints, without which keys that refer to them would fail. */
function uniquesSql(table: TableDefinition, engine: EngineName): readonly string[] {
  return table.indexes
    .filter(({ constraint }) => constraint === true)
    .map(({ name, keys, nullsDistinct }) => {
      const columns = keys.flatMap(({ expression }) =>
        expression.kind === 'column' ? [expression.name] : [],
      )
      const isNamed =
        dialects[engine].constraintNames && name !== undefined && !name.startsWith('sqlite_')
      const distinct = nullsDistinct === false ? ' nulls not distinct' : ''
      return `${isNamed ? `constraint ${quoteIdentifier(name, engine)} ` : ''}unique${distinct} (${namesSql(columns, engine)})`
    })
}

function actionSql(
  event: 'delete' | 'update',
  action: ReferentialAction | undefined,
  foreignKey: string,
  engine: EngineName,
): string {
  if (action === undefined || action === 'no action') return ''
  if (dialects[engine].foreignKeyActions) return ` on ${event} ${action}`
  // It knows only to refuse, which is what both words mean where nothing is deferred.
  if (action === 'restrict') return ''
  throw new UnsupportedByEngineError(
    engine,
    `Cannot create foreign key ${JSON.stringify(foreignKey)}: ${engine} has no \`on ${event} ${action}\`. ` +
      'Leave it out and change the rows that refer to it first, or leave out the foreign key.',
  )
}

function sequences(table: TableDefinition, engine: EngineName): readonly string[] {
  if (!dialects[engine].identityFromSequence) return []
  return table.columns
    .filter(({ identity }) => identity === true)
    .map((column) => tableNameSql({ ...table, name: sequenceName(table, column) }, engine))
}

function namesSql(names: readonly string[], engine: EngineName): string {
  return names.map((name) => quoteIdentifier(name, engine)).join(', ')
}
