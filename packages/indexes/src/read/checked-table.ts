import { checkIdentifier } from '@keelson/core'
import { SchemaError } from '../errors.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { columnsOfExpression, columnsOfPredicate } from '../sql/columns-of.ts'

/**
 * Refuses a table that contradicts itself, whichever way it was declared, and returns it.
 *
 * @param options `strictNames`: names are ASCII letters, digits and underscores, as for those that come from outside
 * @throws {SchemaError}
 * @throws {IdentifierError} for a name that no engine takes
 */
export function checkedTable(
  table: TableDefinition,
  options: { readonly strictNames?: boolean } = {},
): TableDefinition {
  const strict = options.strictNames === true
  checkIdentifier(table.name, { strict })
  if (table.schema !== undefined) checkIdentifier(table.schema, { strict })
  if (table.columns.length === 0) {
    throw new SchemaError(
      'NOT_A_SCHEMA',
      table.name,
      undefined,
      `${table.name} has no columns. A table has at least one.`,
    )
  }
  checkNames(table, strict)
  checkKeys(table)
  return table
}

function checkNames({ name: table, columns }: TableDefinition, strict: boolean): void {
  const names = new Set<string>()
  for (const { name } of columns) {
    checkIdentifier(name, { strict })
    if (names.has(name)) {
      throw new SchemaError(
        'DUPLICATE_COLUMN',
        table,
        name,
        `${table} has the column ${JSON.stringify(name)} twice. Rename one of them: \`db: { name }\`.`,
      )
    }
    names.add(name)
  }
}

function checkKeys(table: TableDefinition): void {
  const columns = new Map(table.columns.map((column) => [column.name, column]))
  const known = (name: string, where: string): void => {
    if (columns.has(name)) return
    throw new SchemaError(
      'NO_COLUMN',
      table.name,
      name,
      `${where} of ${table.name} names ${JSON.stringify(name)}, which is none of its columns: ${[...columns.keys()].join(', ')}.`,
    )
  }
  for (const name of table.primaryKey) {
    known(name, 'The primary key')
    if (columns.get(name)!.nullable) {
      throw new SchemaError(
        'INVALID_KEY',
        table.name,
        name,
        `${table.name}.${name} is in the primary key and may be missing. Make it required.`,
      )
    }
  }
  if (new Set(table.primaryKey).size < table.primaryKey.length) {
    throw new SchemaError(
      'INVALID_KEY',
      table.name,
      undefined,
      `The primary key of ${table.name} names a column twice.`,
    )
  }
  for (const { keys, include = [], where } of table.indexes) {
    for (const name of [
      ...keys.flatMap(({ expression }) => columnsOfExpression(expression)),
      ...include,
    ]) {
      known(name, 'An index')
    }
    if (where !== undefined) for (const name of columnsOfPredicate(where)) known(name, 'An index')
  }
  for (const { predicate } of table.checks) {
    for (const name of columnsOfPredicate(predicate)) known(name, 'A check')
  }
  for (const { equals, among, ranges, sort } of table.queries) {
    const all = [...equals, ...among, ...ranges, ...sort.map(({ expression }) => expression)]
    for (const name of all.flatMap(columnsOfExpression)) known(name, 'A query')
  }
  for (const key of table.foreignKeys) {
    for (const name of key.columns) known(name, 'A foreign key')
    if (key.columns.length === key.referencedColumns.length && key.columns.length > 0) continue
    throw new SchemaError(
      'INVALID_KEY',
      table.name,
      undefined,
      `A foreign key of ${table.name} has ${key.columns.length} columns and refers to ${key.referencedColumns.length}. Both are as many.`,
    )
  }
}
