/** Over 300 lines, being one subject: the text of one Drizzle schema, from its imports to its tables. */
import type { EngineName } from '@keelson/core'
import type { ColumnDefinition } from '../ir/column.ts'
import type { IndexDefinition, IndexKey } from '../ir/index-definition.ts'
import type { ForeignKeyDefinition, TableDefinition } from '../ir/table-definition.ts'
import { tableKey } from '../ir/table-key.ts'
import { referencesOf } from '../ir/table-order.ts'
import { checkName, foreignKeyName } from '../names/constraint-name.ts'
import { indexName } from '../names/index-name.ts'
import { defaultSql } from '../sql/default.ts'
import { dialects } from '../sql/dialects.ts'
import { keySql } from '../sql/index-body.ts'
import { methodOf } from '../sql/index-method.ts'
import { nextNumberSql } from '../sql/print-column.ts'
import { predicateSql } from '../sql/print-table.ts'
import {
  type CustomType,
  drizzleColumn,
  type DrizzleColumn,
  drizzleDialects,
} from './columns-for-drizzle.ts'
import {
  callCode,
  chainCode,
  commentCode,
  keyCode,
  listCode,
  memberCode,
  NamesInFile,
  sqlCode,
  stringCode,
} from './typescript.ts'

/**
 * Tables of Drizzle with their keys, indexes and checks. The CHECKs that belong to the types of columns are not repeated: the
 * SQL and the migration have them.
 */
export function drizzleSchemaCode(tables: readonly TableDefinition[], engine: EngineName): string {
  return new DrizzleFile(tables, engine).code()
}

class DrizzleFile {
  readonly #tables: readonly TableDefinition[]
  readonly #engine: EngineName
  readonly #byName: ReadonlyMap<string, TableDefinition>
  readonly #imports = new Set<string>()
  readonly #types = new Set<string>()
  readonly #custom = new Map<string, { readonly name: string; readonly type: CustomType }>()
  readonly #names = new NamesInFile(exportsOfDrizzle)
  /** The constants of tables, and of schemas, by their names. */
  readonly #constants: ReadonlyMap<string, string>
  readonly #schemas: ReadonlyMap<string, string>
  #usesSql = false

  constructor(tables: readonly TableDefinition[], engine: EngineName) {
    this.#tables = tables
    this.#byName = new Map(tables.map((table) => [tableKey(table), table]))
    this.#engine = engine
    this.#constants = new Map(
      tables.map((table) => [tableKey(table), this.#names.constant(table.name, 'Table')]),
    )
    const schemas = new Set(tables.map((table) => this.#schemaOf(table) ?? '').filter(Boolean))
    this.#schemas = new Map(
      [...schemas].toSorted().map((name) => [name, this.#names.constant(name, 'Schema')]),
    )
  }

  code(): string {
    const { module, schema } = drizzleDialects[this.#engine]
    const tables = this.#tables.map((table) => this.#tableCode(table))
    const schemas = [...this.#schemas].map(([name, constant]) => {
      if (schema !== undefined) this.#imports.add(schema)
      return `export const ${constant} = ${schema}(${stringCode(name)})\n`
    })
    const custom = [...this.#custom.values()].map(
      ({ name, type }) =>
        `const ${name} = customType<{ data: ${type.data} }>({ dataType: () => ${stringCode(type.native)} })\n`,
    )
    const names = [
      ...[...this.#types].map((name) => ({ name, code: `type ${name}` })),
      ...[...this.#imports].map((name) => ({ name, code: name })),
    ]
      .toSorted((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1))
      .map(({ code }) => code)
    const one = `import { ${names.join(', ')} } from '${module}'\n`
    const imports =
      one.length <= 100
        ? one
        : `import {\n${names.map((name) => `  ${name},\n`).join('')}} from '${module}'\n`
    const sql = this.#usesSql ? `import { sql } from 'drizzle-orm'\n` : ''
    return [sql + imports, ...[schemas.join('') + custom.join('')].filter(Boolean), ...tables].join(
      '\n',
    )
  }

  #tableCode(table: TableDefinition): string {
    const { table: factory, extra } = drizzleDialects[this.#engine]
    const constant = this.#constants.get(tableKey(table))!
    const schema = this.#schemaOf(table)
    if (schema === undefined) this.#imports.add(factory)
    const make = schema === undefined ? factory : `${this.#schemas.get(schema)!}.table`
    const columns = table.columns.map((column) => this.#columnCode(column, table))
    const constraints = this.#constraintsCode(table)
    const open = `export const ${constant} = ${make}(`
    const head = table.description === undefined ? '' : `${commentCode(table.description)}\n`
    const fields = (indent: string): string =>
      columns.map((column) => `${indent}${column.replaceAll('\n', `\n${indent}`)},\n`).join('')
    if (constraints.length === 0) {
      return `${head}${open}${stringCode(table.name)}, {\n${fields('  ')}})\n`
    }
    // Else the type of each of two tables that refer to each other would follow from that of the other one.
    const isInCircle = this.#isInCircle(table)
    if (isInCircle) this.#types.add(extra)
    const result = isInCircle ? `: ${extra}[]` : ''
    return [
      `${head}${open}\n  ${stringCode(table.name)},\n  {\n${fields('    ')}  },\n`,
      `  (table)${result} => [\n`,
      ...constraints.map((code) => `    ${code}${code.startsWith('//') ? '' : ','}\n`),
      `  ],\n)\n`,
    ].join('')
  }

  #columnCode(column: ColumnDefinition, table: TableDefinition): string {
    const drizzle = drizzleColumn(column, this.#engine)
    const factory =
      drizzle.custom === undefined ? drizzle.factory : this.#customType(drizzle.custom)
    this.#imports.add(drizzle.factory)
    const args = [
      stringCode(column.name),
      ...(drizzle.options === undefined ? [] : [drizzle.options]),
    ]
    const isKey = table.primaryKey.includes(column.name)
    const calls = [...drizzle.calls]
    if (column.identity === true) calls.push(...this.#identityCalls(column, table))
    if (isKey && table.primaryKey.length === 1) {
      const isNumbered = column.identity === true && this.#engine === 'sqlite'
      calls.push(isNumbered ? '.primaryKey({ autoIncrement: true })' : '.primaryKey()')
    } else if (isKey || !column.nullable) calls.push('.notNull()')
    if (column.default !== undefined && column.identity !== true)
      calls.push(...this.#defaultCalls(column, drizzle))
    if (column.generated !== undefined) {
      const { sql, stored } = column.generated
      const hasMode = this.#engine === 'sqlite' || this.#engine === 'mysql'
      const mode = hasMode ? `, { mode: '${stored ? 'stored' : 'virtual'}' }` : ''
      calls.push(`.generatedAlwaysAs(${this.#sql(sql)}${mode})`)
    }
    const start = `${propertyCode(column.name)}: ${callCode(factory, args, '')}`
    const comment = column.description === undefined ? '' : `${commentCode(column.description)}\n`
    return comment + chainCode(start, calls, '')
  }

  #customType(type: CustomType): string {
    const key = JSON.stringify(type)
    const known = this.#custom.get(key)
    if (known !== undefined) return known.name
    const name = this.#names.constant(type.native.replaceAll(/[^A-Za-z0-9]+/g, '_'), 'Type')
    this.#custom.set(key, { name, type })
    return name
  }

  #identityCalls(column: ColumnDefinition, table: TableDefinition): readonly string[] {
    switch (this.#engine) {
      case 'sqlite':
        return []
      case 'mysql':
        return ['.autoincrement()']
      case 'postgresql':
        return ['.generatedByDefaultAsIdentity()']
      case 'duckdb':
        return [`.default(${this.#sql(nextNumberSql(table, column, 'duckdb'))})`]
    }
  }

  #defaultCalls(column: ColumnDefinition, { constant }: DrizzleColumn): readonly string[] {
    const sql = defaultSql(column, this.#engine)
    if (sql === undefined) return []
    const value = constantCode(column, constant)
    if (value !== undefined) return [`.default(${value})`]
    if (sql === 'now()') return ['.defaultNow()']
    return [`.default(${this.#sql(sql)})`]
  }

  #constraintsCode(table: TableDefinition): readonly string[] {
    const engine = this.#engine
    const lines: string[] = []
    if (table.primaryKey.length > 1) {
      this.#imports.add('primaryKey')
      const columns = listCode(table.primaryKey.map((name) => columnCode('table', name)))
      lines.push(`primaryKey({ columns: ${columns} })`)
    }
    for (const index of table.indexes) lines.push(...this.#indexCode(table, index))
    for (const key of table.foreignKeys) lines.push(...this.#foreignKeyCode(table, key))
    for (const check of table.checks) {
      this.#imports.add('check')
      const name = stringCode(checkName(table, check, engine))
      const args = [name, this.#sql(predicateSql(check.predicate, engine))]
      lines.push(callCode('check', args, '    '))
    }
    return lines
  }

  #indexCode(table: TableDefinition, index: IndexDefinition): readonly string[] {
    const engine = this.#engine
    const factory = index.unique ? 'uniqueIndex' : 'index'
    this.#imports.add(factory)
    const lost: string[] = []
    if ((index.include ?? []).length > 0) lost.push(`include (${index.include!.join(', ')})`)
    if (index.nullsDistinct === false) lost.push('nulls not distinct')
    const comments = lost.map((what) =>
      commentCode(`Drizzle has no word for this of the next one: ${what}`).replaceAll(
        '\n',
        '\n    ',
      ),
    )
    const method = methodOf(index, engine)
    const keys = index.keys.map((key) => this.#keyCode(key, method === undefined))
    const on =
      engine === 'postgresql' && method !== undefined
        ? callCode('.using', [stringCode(method), ...keys], '      ')
        : callCode('.on', keys, '      ')
    const where =
      index.where === undefined ? [] : [`.where(${this.#sql(predicateSql(index.where, engine))})`]
    const start = `${factory}(${stringCode(indexName(table, index, engine))})`
    return [...comments, chainCode(start, [on, ...where], '    ')]
  }

  #keyCode(key: IndexKey, isOrdered: boolean): string {
    const engine = this.#engine
    const { expression, direction, collation } = key
    const isPlain = expression.kind === 'column' && collation === undefined
    const isDescending = direction === 'desc' && dialects[engine].index.direction && isOrdered
    if (isPlain && !isDescending) return columnCode('table', expression.name)
    // Of desc() alone drizzle-kit makes DESC NULLS LAST, an order that no plain `order by ... desc` has.
    if (isPlain && engine === 'postgresql')
      return `${columnCode('table', expression.name)}.desc().nullsFirst()`
    return this.#sql(keySql(key, isOrdered, engine))
  }

  #foreignKeyCode(table: TableDefinition, key: ForeignKeyDefinition): readonly string[] {
    const other = { ...table, name: key.referencedTable }
    const isSelf = tableKey(other) === tableKey(table)
    const constant = isSelf ? 'table' : this.#constants.get(tableKey(other))
    const name = foreignKeyName(table, key)
    if (constant === undefined) {
      return [
        commentCode(
          `The foreign key ${name} refers to ${key.referencedTable}, which is not one of these tables.`,
        ).replaceAll('\n', '\n    '),
      ]
    }
    this.#imports.add('foreignKey')
    const options = [
      `name: ${stringCode(name)}`,
      `columns: ${listCode(key.columns.map((column) => columnCode('table', column)))}`,
      `foreignColumns: ${listCode(key.referencedColumns.map((column) => columnCode(constant, column)))}`,
    ]
    const calls: string[] = []
    if (key.onDelete !== undefined) calls.push(`.onDelete('${key.onDelete}')`)
    if (key.onUpdate !== undefined) calls.push(`.onUpdate('${key.onUpdate}')`)
    const line = `foreignKey({ ${options.join(', ')} })`
    const start =
      line.length <= 92
        ? line
        : `foreignKey({\n${options.map((option) => `      ${option},\n`).join('')}    })`
    return [start.includes('\n') ? start + calls.join('') : chainCode(start, calls, '    ')]
  }

  /** Whether it can be reached from a table that it refers to. */
  #isInCircle(table: TableDefinition): boolean {
    const seen = new Set<string>()
    const open = [...referencesOf(table)]
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (name === tableKey(table)) return true
      const next = this.#byName.get(name)
      if (next === undefined || seen.has(name)) continue
      seen.add(name)
      open.push(...referencesOf(next))
    }
    return false
  }

  /** The schema that Drizzle has to be told. */
  #schemaOf({ schema }: TableDefinition): string | undefined {
    const isOwn = drizzleDialects[this.#engine].schema === undefined || schema === 'public'
    return isOwn ? undefined : schema
  }

  #sql(text: string): string {
    this.#usesSql = true
    return sqlCode(text)
  }
}

/** A DEFAULT as JavaScript has it; undefined for what the engine computes, and for what JavaScript has no constant for. */
function constantCode(
  { type, default: given }: ColumnDefinition,
  constant: DrizzleColumn['constant'],
): string | undefined {
  if (given?.kind !== 'value') return undefined
  const { value } = given
  if (constant === 'string' && typeof value === 'string')
    return type.kind === 'enum' && !type.values.includes(value) ? undefined : stringCode(value)
  if (constant === 'boolean' && typeof value === 'boolean') return String(value)
  const isWhole = typeof value === 'bigint' || Number.isSafeInteger(value)
  const isExact = typeof value === 'number' || (isWhole && Number.isSafeInteger(Number(value)))
  return constant === 'number' && isExact && Number.isFinite(Number(value)) && !Object.is(value, -0)
    ? String(value)
    : undefined
}

/** A name that Drizzle's tables have themselves, or that would not keep its place among the others, gets one of its own. */
function propertyName(column: string): string {
  if (ownProperties.has(column)) return `${column}Column`
  return /^\d+$/.test(column) ? `column${column}` : column
}

function propertyCode(column: string): string {
  return keyCode(propertyName(column))
}

function columnCode(of: string, column: string): string {
  return memberCode(of, propertyName(column))
}

const ownProperties: ReadonlySet<string> = new Set([
  '_',
  '$inferInsert',
  '$inferSelect',
  'enableRLS',
  'getSQL',
  'shouldOmitSQLParens',
  'then',
  ...Object.getOwnPropertyNames(Object.prototype),
])

/** What the file may import. */
const exportsOfDrizzle: readonly string[] = [
  ...Object.values(drizzleDialects).flatMap(({ table, schema, extra }) => [
    table,
    schema ?? '',
    extra,
  ]),
  ...'bigint blob boolean char check customType date datetime decimal double doublePrecision foreignKey index int integer'.split(
    ' ',
  ),
  ...'json jsonb numeric primaryKey real sql table text timestamp uniqueIndex uuid varchar'.split(
    ' ',
  ),
]
