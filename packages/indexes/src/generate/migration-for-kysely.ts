/** Over 300 lines, being one subject: the text of one Kysely migration, from its imports to its `down`. */
import type { EngineName } from '@keelson/core'
import type { ColumnDefinition } from '../ir/column.ts'
import type { IndexDefinition, IndexKey } from '../ir/index-definition.ts'
import type { ForeignKeyDefinition, TableDefinition } from '../ir/table-definition.ts'
import { checkName, foreignKeyName, typeCheckName } from '../names/constraint-name.ts'
import { hashedName } from '../names/cut-name.ts'
import { indexName } from '../names/index-name.ts'
import { defaultSql } from '../sql/default.ts'
import { dialects } from '../sql/dialects.ts'
import { keySql } from '../sql/index-body.ts'
import { methodOf } from '../sql/index-method.ts'
import { nextNumberSql } from '../sql/print-column.ts'
import {
  columnTypeSql,
  createIndexSql,
  createTableSql,
  dropIndexSql,
  dropTableSql,
  predicateSql,
} from '../sql/print-table.ts'
import { addedForeignKeys, withoutForwardReferences } from './forward-references.ts'
import type { GeneratedFile } from './generate-schema.ts'
import { callCode, chainCode, commentCode, listCode, sqlCode, stringCode } from './typescript.ts'

/**
 * A migration for Kysely's `Migrator`: in the words of its schema builder where that can say it, in SQL where it cannot. With
 * `concurrently` the indexes come in a second one.
 */
export function kyselyMigrationCode(
  tables: readonly TableDefinition[],
  engine: EngineName,
  name: string,
  concurrently: boolean,
): readonly GeneratedFile[] {
  const indexes = tables.flatMap((table) => indexesOf(table).map((index) => ({ table, index })))
  const added = addedForeignKeys(tables, engine)
  const created = withoutForwardReferences(tables, engine).flatMap((table) => [
    ...createTableCode(table, engine),
    ...(concurrently ? [] : indexesOf(table).map((index) => createIndexCode(table, index, engine))),
  ])
  const file = migrationFile(
    name,
    [...created, ...added.map(({ sql }) => statementCode(sql))],
    [
      ...added.map(({ down }) => statementCode(down)),
      ...tables.toReversed().flatMap((table) => dropTableCode(table, engine)),
    ],
  )
  if (!concurrently || indexes.length === 0) return [file]
  const options = { concurrently }
  return [
    file,
    migrationFile(
      nextName(name),
      indexes.map(({ table, index }) =>
        statementCode(createIndexSql(table, index, engine, options)),
      ),
      indexes
        .toReversed()
        .map(({ table, index }) => statementCode(dropIndexSql(table, index, engine, options))),
      'CREATE INDEX CONCURRENTLY cannot run in a transaction: give the Migrator `disableTransactions: true` for this one.',
    ),
  ]
}

/** Those that are not created with the table. */
function indexesOf(table: TableDefinition): readonly IndexDefinition[] {
  return table.indexes.filter(({ constraint }) => constraint !== true)
}

function migrationFile(
  name: string,
  up: readonly string[],
  down: readonly string[],
  comment?: string,
): GeneratedFile {
  const body = [...up, ...down].join('\n')
  const usesSql = /\bsql[`<]/.test(body)
  const parts = [
    `import { type Kysely${usesSql ? ', sql' : ''} } from 'kysely'\n`,
    comment === undefined ? '' : `${commentCode(comment)}\n`,
    functionCode('up', up),
    functionCode('down', down),
  ]
  return { path: `migrations/${name}.ts`, text: parts.filter(Boolean).join('\n') }
}

function functionCode(name: string, statements: readonly string[]): string {
  if (statements.length === 0)
    return `export async function ${name}(_db: Kysely<any>): Promise<void> {}\n`
  return `export async function ${name}(db: Kysely<any>): Promise<void> {\n${statements.map((each) => `  ${each}\n`).join('')}}\n`
}

/** `0001_create_tables` -> `0002_create_indexes`, which comes after it whatever it is called. */
function nextName(name: string): string {
  const [, digits] = /^(\d+)_/.exec(name) ?? []
  if (digits === undefined || /^9+$/.test(digits)) return `${name}_indexes`
  return `${String(BigInt(digits) + 1n).padStart(digits.length, '0')}_create_indexes`
}

function createTableCode(table: TableDefinition, engine: EngineName): readonly string[] {
  // Throws for what the engine does not have, in whichever words it is said.
  const statements = createTableSql(table, engine)
  if (!canBuild(table)) return statements.map(statementCode)
  const columns = table.columns.flatMap((column) => columnCalls(column, table, engine))
  const suffix = dialects[engine].tableSuffix(table.columns).trim()
  const calls = [
    `.createTable(${stringCode(table.name)})`,
    ...columns,
    ...primaryKeyCalls(table),
    ...table.indexes.filter(({ constraint }) => constraint === true).map(uniqueCall),
    ...table.foreignKeys.map((key) => foreignKeyCall(table, key)),
    ...table.columns.flatMap((column) => typeCheckCalls(column, engine)),
    ...table.checks.map((check) =>
      checkCall(checkName(table, check, engine), predicateSql(check.predicate, engine)),
    ),
    ...(suffix === '' ? [] : [`.modifyEnd(${sqlCode(suffix)})`]),
    '.execute()',
  ]
  const sequences = statements.slice(0, -1).map(statementCode)
  return [...sequences, chainCode('await db.schema', calls, '  ')]
}

/** Names that Kysely would not read as parts of another one: it takes `a.b` for a table of a schema, `a desc` for an order. */
function canBuild(table: TableDefinition): boolean {
  const names = [
    table.name,
    ...table.columns.map((column) => column.name),
    ...table.foreignKeys.flatMap((key) => [key.referencedTable, ...key.referencedColumns]),
  ]
  return table.schema === undefined && names.every((name) => /^[\p{L}\p{N}_]+$/u.test(name))
}

function columnCalls(
  column: ColumnDefinition,
  table: TableDefinition,
  engine: EngineName,
): readonly string[] {
  const calls: string[] = []
  const isKey = table.primaryKey.includes(column.name)
  const isFree = column.generated !== undefined && !dialects[engine].generated.constrained
  if (column.generated !== undefined) {
    calls.push(`.generatedAlwaysAs(${sqlCode(column.generated.sql)})`)
    if (column.generated.stored) calls.push('.stored()')
  }
  if (!isFree && (isKey || !column.nullable)) calls.push('.notNull()')
  if (column.identity === true) calls.push(...identityCalls(column, table, engine))
  else if (column.default !== undefined) calls.push(...defaultCalls(column, engine))
  if (isKey && table.primaryKey.length === 1) {
    calls.push('.primaryKey()')
    if (column.identity === true && engine === 'sqlite') calls.push('.autoIncrement()')
  }
  const args = [stringCode(column.name), typeCode(columnTypeSql(column, engine))]
  if (calls.length > 0) args.push(`(column) => column${calls.join('')}`)
  return [callCode('.addColumn', args, '    ')]
}

function identityCalls(
  column: ColumnDefinition,
  table: TableDefinition,
  engine: EngineName,
): readonly string[] {
  switch (engine) {
    case 'sqlite':
      return []
    case 'mysql':
      return ['.autoIncrement()']
    case 'postgresql':
      return ['.generatedByDefaultAsIdentity()']
    case 'duckdb':
      return [`.defaultTo(${sqlCode(nextNumberSql(table, column, engine))})`]
  }
}

function defaultCalls(column: ColumnDefinition, engine: EngineName): readonly string[] {
  const sql = defaultSql(column, engine)
  if (sql === undefined) return []
  if (/^\d{1,15}$/.test(sql)) return [`.defaultTo(${Number(sql)})`]
  if (sql === 'true' || sql === 'false') return [`.defaultTo(${sql})`]
  if (/^'[^'\\]*'$/.test(sql)) return [`.defaultTo(${stringCode(sql.slice(1, -1))})`]
  return [`.defaultTo(${sqlCode(sql)})`]
}

function primaryKeyCalls(table: TableDefinition): readonly string[] {
  const { primaryKey } = table
  if (primaryKey.length < 2) return []
  const name = hashedName(['pk', table.name], JSON.stringify([table.name, primaryKey]))
  return [callCode('.addPrimaryKeyConstraint', [stringCode(name), namesCode(primaryKey)], '    ')]
}

function uniqueCall({ name = '', keys, nullsDistinct }: IndexDefinition): string {
  const columns = keys.flatMap(({ expression }) =>
    expression.kind === 'column' ? [expression.name] : [],
  )
  const args = [stringCode(name), namesCode(columns)]
  if (nullsDistinct === false) args.push('(unique) => unique.nullsNotDistinct()')
  return callCode('.addUniqueConstraint', args, '    ')
}

function foreignKeyCall(table: TableDefinition, key: ForeignKeyDefinition): string {
  const args = [
    stringCode(foreignKeyName(table, key)),
    namesCode(key.columns),
    stringCode(key.referencedTable),
    namesCode(key.referencedColumns),
  ]
  const calls: string[] = []
  if (key.onDelete !== undefined && key.onDelete !== 'no action')
    calls.push(`.onDelete('${key.onDelete}')`)
  if (key.onUpdate !== undefined && key.onUpdate !== 'no action')
    calls.push(`.onUpdate('${key.onUpdate}')`)
  if (calls.length > 0) args.push(`(key) => key${calls.join('')}`)
  return callCode('.addForeignKeyConstraint', args, '    ')
}

function typeCheckCalls(column: ColumnDefinition, engine: EngineName): readonly string[] {
  if (column.override?.[engine] !== undefined) return []
  if (column.generated !== undefined && !dialects[engine].generated.constrained) return []
  const condition = dialects[engine].typeCheck(column.name, column.type)
  if (condition === undefined) return []
  return [checkCall(typeCheckName(column, engine) ?? column.name, condition)]
}

function checkCall(name: string, condition: string): string {
  return callCode('.addCheckConstraint', [stringCode(name), sqlCode(condition)], '    ')
}

function createIndexCode(
  table: TableDefinition,
  index: IndexDefinition,
  engine: EngineName,
): string {
  const sql = createIndexSql(table, index, engine)
  const name = indexName(table, index, engine)
  const isSimple = /^[\p{L}\p{N}_]+$/u.test(name) && (index.include ?? []).length === 0
  if (!canBuild(table) || !isSimple) return statementCode(sql)
  const method = methodOf(index, engine)
  const calls = [
    `.createIndex(${stringCode(name)})`,
    `.on(${stringCode(table.name)})`,
    ...(index.unique ? ['.unique()'] : []),
    ...(method === undefined ? [] : [`.using(${stringCode(method)})`]),
    ...keyCalls(index.keys.map((key) => keyCode(key, method === undefined, engine))),
    ...(index.unique && index.nullsDistinct === false ? ['.nullsNotDistinct()'] : []),
    ...(index.where === undefined
      ? []
      : [`.where(${sqlCode(predicateSql(index.where, engine), 'boolean')})`]),
    '.execute()',
  ]
  return chainCode('await db.schema', calls, '  ')
}

/** Of a list of names and expressions Kysely's types take the names for one and the same. */
function keyCalls(keys: readonly string[]): readonly string[] {
  return keys.some((key) => key.startsWith('sql`'))
    ? keys.map((key) => `.column(${key})`)
    : [`.columns(${listCode(keys)})`]
}

function keyCode(key: IndexKey, isOrdered: boolean, engine: EngineName): string {
  const { expression, collation } = key
  if (expression.kind !== 'column' || collation !== undefined)
    return sqlCode(keySql(key, isOrdered, engine))
  const isDescending = key.direction === 'desc' && dialects[engine].index.direction && isOrdered
  return stringCode(isDescending ? `${expression.name} desc` : expression.name)
}

function dropTableCode(table: TableDefinition, engine: EngineName): readonly string[] {
  const [drop = '', ...sequences] = dropTableSql(table, engine)
  const dropped = canBuild(table)
    ? `await db.schema.dropTable(${stringCode(table.name)}).execute()`
    : statementCode(drop)
  return [dropped, ...sequences.map(statementCode)]
}

function statementCode(sql: string): string {
  return `await ${sqlCode(sql)}.execute(db)`
}

function namesCode(names: readonly string[]): string {
  return listCode(names.map(stringCode))
}

/** A type in Kysely's own spelling where it has one, else as SQL. */
function typeCode(native: string): string {
  const spelled = native
    .replaceAll(/,(?! )/g, ', ')
    .replace(/^timestamp(\(\d\))? with time zone$/, 'timestamptz$1')
  const isKnown = kyselyTypes.test(spelled)
  return isKnown ? stringCode(spelled) : sqlCode(native)
}

const kyselyTypes =
  /^(?:bigint|blob|boolean|bytea|date|double precision|integer|json|jsonb|real|smallint|text|timestamp|timestamptz|uuid|varchar|(?:varchar|char|timestamp|timestamptz|datetime)\(\d+\)|(?:decimal|numeric)\(\d+, \d+\))$/
