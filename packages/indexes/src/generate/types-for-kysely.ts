import type { EngineName } from '@keelson/core'
import type { ColumnDefinition } from '../ir/column.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { driverValue } from './driver-values.ts'
import { keyCode, NamesInFile } from './typescript.ts'

/** The `Database` interface that Kysely is given: `new Kysely<Database>(...)`. */
export function kyselyTypesCode(tables: readonly TableDefinition[], engine: EngineName): string {
  const names = new NamesInFile(['ColumnType', 'Database', 'Generated', 'GeneratedAlways', 'Json'])
  const named = tables.map((table) => ({ table, name: names.type(table.name, 'Table') }))
  const rows = named.map(({ table, name }) => interfaceCode(table, name, engine))
  const entries = named.map(({ table, name }) => {
    const key = table.schema === undefined ? table.name : `${table.schema}.${table.name}`
    return `  ${keyCode(key)}: ${name}\n`
  })
  const database = `export interface Database {\n${entries.join('')}}\n`
  const body = [database, ...rows].join('\n')
  const imports = ['ColumnType', 'Generated', 'GeneratedAlways'].filter((name) =>
    body.includes(`: ${name}<`),
  )
  const json = /\bJson\b/.test(body)
    ? 'export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }\n\n'
    : ''
  const head = imports.length === 0 ? '' : `import type { ${imports.join(', ')} } from 'kysely'\n\n`
  return head + database + '\n' + json + rows.join('\n')
}

function interfaceCode(table: TableDefinition, name: string, engine: EngineName): string {
  const columns = table.columns.map((column) => {
    const comment = docCode(column.description, '  ')
    return `${comment}  ${keyCode(column.name)}: ${columnCode(column, table, engine)}\n`
  })
  return `${docCode(table.description, '')}export interface ${name} {\n${columns.join('')}}\n`
}

function columnCode(
  column: ColumnDefinition,
  { primaryKey }: TableDefinition,
  engine: EngineName,
): string {
  const value = driverValue(column, engine)
  const orNull = (type: string): string =>
    column.nullable && !primaryKey.includes(column.name) && type !== 'Json'
      ? `${type} | null`
      : type
  const [read, write] = [orNull(value.read), orNull(value.write)]
  if (column.generated !== undefined) return `GeneratedAlways<${read}>`
  const isOptional = column.default !== undefined || column.identity === true
  if (read === write) return isOptional ? `Generated<${read}>` : read
  const insert = isOptional ? `${write} | undefined` : write
  return `ColumnType<${read}, ${insert}, ${write}>`
}

function docCode(text: string | undefined, indent: string): string {
  if (text === undefined || text.trim() === '') return ''
  const words = text.replaceAll('*/', '*\\/').split(/\s*[\n\r\u2028\u2029]\s*/)
  if (words.length === 1) return `${indent}/** ${words[0]!.trim()} */\n`
  return `${indent}/**\n${words.map((line) => `${indent} * ${line}`.trimEnd() + '\n').join('')}${indent} */\n`
}
