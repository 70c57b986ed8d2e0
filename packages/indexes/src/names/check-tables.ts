import { checkIdentifier, type EngineName, IdentifierError } from '@keelson/core'
import { DefinitionError, NameCollisionError } from '../errors.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { columnsOfExpression, columnsOfPredicate } from '../sql/columns-of.ts'
import { dialects } from '../sql/dialects.ts'
import { checkName, foreignKeyName, typeCheckName } from './constraint-name.ts'
import { indexName } from './index-name.ts'

/** What names are held against. */
export interface CheckNamesOptions {
  /**
   * Take only ASCII letters, digits and underscores, not starting with a digit: for schemas that come from outside, such as
   * those that users make. @default false
   */
  readonly strict?: boolean
}

/**
 * Refuses tables whose names the engine does not take, or takes for the same: of tables and indexes among each other, of
 * columns in a table, of constraints in a table.
 *
 * @throws {IdentifierError} for a name that the engine does not take as it is written
 * @throws {NameCollisionError} for two names that are one to the engine
 * @throws {DefinitionError} for a key, index or constraint over a column that is not there
 */
export function checkTables(
  tables: readonly TableDefinition[],
  engine: EngineName,
  options: CheckNamesOptions = {},
): void {
  const taken = new Map<string, string>()
  const { foldedName } = dialects[engine]
  const take = (name: string, schema: string | undefined, what: string): void => {
    const key = JSON.stringify([schema ?? '', foldedName(name)])
    const other = taken.get(key)
    if (other !== undefined) collide(other, what, name, engine)
    taken.set(key, what)
  }
  for (const table of tables) {
    checkTable(table, engine, options)
    take(table.name, table.schema, `table ${JSON.stringify(table.name)}`)
  }
  for (const table of tables) {
    for (const index of table.indexes) {
      const name = indexName(table, index, engine)
      const what = `index ${JSON.stringify(name)} of ${JSON.stringify(table.name)}`
      // MySQL's indexes are named within their table.
      if (engine === 'mysql') take(name, JSON.stringify(['index', table.schema, table.name]), what)
      else take(name, table.schema, what)
    }
  }
}

/** The same for one table. */
export function checkTable(
  table: TableDefinition,
  engine: EngineName,
  options: CheckNamesOptions = {},
): void {
  const { strict = false } = options
  if (!strict && passed.get(table) === engine) return
  const { foldedName, constraintNames } = dialects[engine]
  checkObjectName(table.name, engine, strict)
  if (table.schema !== undefined) checkIdentifier(table.schema, { engine, strict })
  if (table.columns.length === 0)
    throw new DefinitionError(
      `Table ${JSON.stringify(table.name)} has no columns. Give it at least one.`,
    )
  const columns = new Map<string, string>()
  for (const { name } of table.columns) {
    checkColumnName(name, engine, strict)
    const folded = foldedName(name)
    const other = columns.get(folded)
    if (other !== undefined)
      collide(`column ${JSON.stringify(other)}`, `column ${JSON.stringify(name)}`, name, engine)
    columns.set(folded, name)
  }
  checkReferences(table)
  for (const index of table.indexes) {
    if (index.constraint !== true) checkObjectName(indexName(table, index, engine), engine, false)
    if (strict && index.name !== undefined) checkIdentifier(index.name, { engine, strict })
  }
  if (constraintNames) checkConstraintNames(table, engine)
  passed.set(table, engine)
}

/** Definitions do not change, and each is checked among its tables and again when it is printed. */
const passed = new WeakMap<TableDefinition, EngineName>()

function checkConstraintNames(table: TableDefinition, engine: EngineName): void {
  const { foldedName } = dialects[engine]
  const constraints = new Set<string>()
  const names = [
    ...table.checks.map((check) => checkName(table, check, engine)),
    ...table.foreignKeys.map((key) => foreignKeyName(table, key)),
    ...table.columns.flatMap((column) =>
      dialects[engine].typeCheck(column.name, column.type) === undefined
        ? []
        : (typeCheckName(column, engine) ?? []),
    ),
  ]
  for (const name of names) {
    checkIdentifier(name, { engine })
    const folded = foldedName(name)
    if (constraints.has(folded)) {
      const what = `constraint ${JSON.stringify(name)}`
      collide(what, what, name, engine)
    }
    constraints.add(folded)
  }
}

/** Of a table or an index. */
function checkObjectName(name: string, engine: EngineName, strict: boolean): void {
  checkColumnName(name, engine, strict)
  // https://www.sqlite.org/lang_createtable.html: "reserved for internal use"
  if (engine === 'sqlite' && name.toLowerCase().startsWith('sqlite_'))
    refuse(name, 'SQLite keeps names that begin with `sqlite_` for itself')
}

function checkColumnName(name: string, engine: EngineName, strict: boolean): void {
  checkIdentifier(name, { engine, strict })
  if (engine !== 'mysql') return
  // https://dev.mysql.com/doc/refman/8.4/en/identifiers.html
  if (name.endsWith(' ')) refuse(name, 'MySQL takes no name that ends in a space')
  if (/[\u{10000}-\u{10ffff}]/u.test(name))
    refuse(name, 'MySQL takes no characters beyond U+FFFF in a name')
}

function refuse(name: string, why: string): never {
  throw new IdentifierError(
    name,
    `Cannot use ${JSON.stringify(name)} as an identifier: ${why}. Give it another name.`,
  )
}

function collide(one: string, other: string, name: string, engine: EngineName): never {
  throw new NameCollisionError(
    [name],
    `Cannot have both ${one} and ${other}: to ${engine} they have the same name. Rename one of them.`,
  )
}

function checkReferences(table: TableDefinition): void {
  const known = new Set(table.columns.map(({ name }) => name))
  const check = (names: readonly string[], what: string): void => {
    for (const name of names) {
      if (known.has(name)) continue
      throw new DefinitionError(
        `${what} of table ${JSON.stringify(table.name)} names the column ${JSON.stringify(name)}, which it does not have.`,
      )
    }
  }
  check(table.primaryKey, 'The primary key')
  for (const { columns } of table.foreignKeys) check(columns, 'A foreign key')
  for (const { predicate } of table.checks) check(columnsOfPredicate(predicate), 'A check')
  for (const { keys, include = [], where } of table.indexes) {
    const inKeys = keys.flatMap(({ expression }) => columnsOfExpression(expression))
    check(
      [...inKeys, ...include, ...(where === undefined ? [] : columnsOfPredicate(where))],
      'An index',
    )
  }
}
