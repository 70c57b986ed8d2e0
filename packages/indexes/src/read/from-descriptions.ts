import {
  checkOptionNames,
  describeValue,
  type EngineName,
  engineTraits,
  invalidOption,
} from '@keelson/core'
import { SchemaError } from '../errors.ts'
import type { Literal } from '../ir/expression.ts'
import type { PortableType } from '../ir/portable-type.ts'
import type { TableDefinition } from '../ir/table-definition.ts'
import { checkDefault } from './check-default.ts'
import { checkedTable } from './checked-table.ts'
import { checkColumnMeta, type ColumnMeta } from './column-meta.ts'
import type { Field } from './field.ts'
import { tableOfFields } from './table-of-fields.ts'

/** One row of a table that describes tables, as SQL gives it: flags are booleans or 0 and 1. Other columns are not read. */
export interface DescriptionRow {
  readonly name: string
  /** A portable type, or another name for one: `text`, `int`, `float`, `timestamp`, `object`, ... */
  readonly type: string
  readonly required?: Flag
  readonly is_indexed?: Flag
  readonly is_unique?: Flag
  /** The value, or its text. */
  readonly default?: unknown
  readonly description?: string | null | undefined
  /** The engine's own type: by engine, as an object or its JSON, or for the `engine` of the options. */
  readonly db_type?: unknown
}

type Flag = boolean | number | bigint | null | undefined

export interface FromDescriptionsOptions {
  /** The table's name. */
  readonly name: string
  /** The schema of the database that holds the table. @default the connection's own */
  readonly schema?: string
  readonly description?: string
  /** Columns of the primary key. @default none, whatever the columns are called */
  readonly primaryKey?: string | readonly string[]
  /** The engine that a `db_type` without one is of. */
  readonly engine?: EngineName
  /** See `fromJsonSchema()`. @default 'strict' */
  readonly names?: 'strict' | 'any'
}

const where = 'fromDescriptions()'

/**
 * Makes a table of rows that describe its columns (`schemas_description`), one for each.
 *
 * @throws {SchemaError} `INVALID_ROW` and others, naming the row by its position, from 0
 * @throws {IdentifierError} for a name that is not allowed
 *
 * @example
 * fromDescriptions(await db.selectFrom('schemas_description').selectAll().execute(), { name: 'tickets' })
 */
export function fromDescriptions(
  rows: Iterable<DescriptionRow>,
  options: FromDescriptionsOptions,
): TableDefinition {
  checkOptionNames(where, options, [
    'name',
    'schema',
    'description',
    'primaryKey',
    'engine',
    'names',
  ])
  const { name, engine, names = 'strict' } = options
  if (typeof name !== 'string') invalidOption(where, 'name', name, "the table's name")
  if (names !== 'strict' && names !== 'any')
    invalidOption(where, 'names', names, "'strict' or 'any'")
  if (engine !== undefined && !Object.hasOwn(engineTraits, engine)) {
    invalidOption(where, 'engine', engine, Object.keys(engineTraits).join(', '))
  }
  const keys = options.primaryKey === undefined ? [] : [options.primaryKey].flat()
  const fields = Array.from(rows, (row, index) =>
    fieldOf(row, { table: name, index, engine, keys }),
  )
  const table = tableOfFields(
    { name, schema: options.schema, description: options.description },
    fields,
  )
  return checkedTable({ ...table, primaryKey: keys }, { strictNames: names === 'strict' })
}

interface Where {
  readonly table: string
  readonly index: number
  readonly engine: EngineName | undefined
  readonly keys: readonly string[]
}

function fieldOf(row: DescriptionRow, at: Where): Field {
  if (typeof row !== 'object' || row === null)
    refuse(at, undefined, `it is ${describeValue(row)}`, 'Pass rows as objects')
  const { name, type: typeName } = row
  if (typeof name !== 'string' || name === '') {
    refuse(at, undefined, `its \`name\` is ${describeValue(name)}`, 'Give it the name of a column')
  }
  const type = typeof typeName === 'string' ? typeOf(typeName) : undefined
  if (type === undefined) {
    refuse(
      at,
      name,
      `its \`type\` is ${describeValue(typeName)}`,
      `It takes ${Object.keys(types).join(', ')}`,
    )
  }
  const flag = (key: 'required' | 'is_indexed' | 'is_unique'): boolean =>
    flagOf(row[key], key, name, at)
  const given = defaultOf(row.default, type, name, at)
  if (given !== undefined) checkDefault(at.table, name, given, type, [])
  const override = overrideOf(row.db_type, name, at)
  const meta: ColumnMeta = {
    ...(flag('is_indexed') && { index: true }),
    ...(flag('is_unique') && { unique: true }),
    ...(override !== undefined && { type: override }),
  }
  return {
    name,
    type,
    nullable: !flag('required') && !at.keys.includes(name),
    ...(given !== undefined && { default: { kind: 'value', value: given } }),
    demands: [],
    notEnforced: [],
    ...(typeof row.description === 'string' &&
      row.description !== '' && { description: row.description }),
    meta: checkColumnMeta(meta, `Row ${at.index} (${name})`, at.table, name),
  }
}

const types: Readonly<
  Record<string, PortableType['kind'] & Exclude<PortableType['kind'], 'enum' | 'array' | 'decimal'>>
> = {
  string: 'string',
  text: 'string',
  int32: 'int32',
  integer: 'integer',
  int: 'integer',
  bigint: 'bigint',
  number: 'number',
  float: 'number',
  double: 'number',
  boolean: 'boolean',
  bool: 'boolean',
  date: 'date',
  datetime: 'datetime',
  timestamp: 'datetime',
  uuid: 'uuid',
  json: 'json',
  object: 'json',
  array: 'json',
  blob: 'blob',
  binary: 'blob',
}

function typeOf(name: string): PortableType | undefined {
  const key = name.trim().toLowerCase()
  if (Object.hasOwn(types, key)) return { kind: types[key]! }
  const decimal = /^decimal\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(key)
  if (decimal === null) return undefined
  const [precision, scale] = [Number(decimal[1]), Number(decimal[2])]
  if (precision < 1 || precision > 38 || scale > precision) return undefined
  return { kind: 'decimal', precision, scale }
}

function flagOf(value: unknown, key: string, name: string, at: Where): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === 0n)
    return false
  if (value === true || value === 1 || value === 1n) return true
  return refuse(at, name, `its \`${key}\` is ${describeValue(value)}`, 'It takes a boolean, 0 or 1')
}

function defaultOf(
  value: unknown,
  type: PortableType,
  name: string,
  at: Where,
): Literal | undefined {
  if (value === undefined || value === null) return undefined
  const wrong = (): never =>
    refuse(at, name, `its \`default\` is ${describeValue(value)}`, `The column holds ${type.kind}`)
  switch (type.kind) {
    case 'int32':
    case 'integer':
    case 'number': {
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
      const isNumber = typeof number === 'number' && Number.isFinite(number)
      return isNumber && (type.kind === 'number' || Number.isSafeInteger(number)) ? number : wrong()
    }
    case 'bigint':
      if (typeof value === 'bigint') return value
      if (Number.isSafeInteger(value)) return BigInt(value as number)
      return typeof value === 'string' && /^-?\d+$/.test(value) ? BigInt(value) : wrong()
    case 'boolean':
      if (value === true || value === 1 || value === 1n || value === 'true') return true
      if (value === false || value === 0 || value === 0n || value === 'false') return false
      return wrong()
    case 'string':
    case 'uuid':
    case 'date':
    case 'datetime':
    case 'decimal':
      return typeof value === 'string' ? value : wrong()
    case 'json':
      // As the driver hands it over: text, or what was parsed of it.
      return typeof value === 'string' ? value : JSON.stringify(value)
    default:
      return wrong()
  }
}

function overrideOf(value: unknown, name: string, at: Where): ColumnMeta['type'] {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'object') return value as ColumnMeta['type']
  if (typeof value !== 'string')
    refuse(at, name, `its \`db_type\` is ${describeValue(value)}`, 'It takes text')
  if (value.trimStart().startsWith('{')) {
    try {
      return JSON.parse(value)
    } catch (error) {
      refuse(
        at,
        name,
        `its \`db_type\` is ${describeValue(value)}`,
        'It takes a type, or JSON such as {"duckdb":"HUGEINT"}',
        error,
      )
    }
  }
  if (at.engine !== undefined) return { [at.engine]: value }
  return refuse(
    at,
    name,
    `its \`db_type\` ${describeValue(value)} does not say of which engine it is`,
    'Say it by { engine: \'duckdb\' }, or write {"duckdb":"HUGEINT"}',
  )
}

function refuse(
  { table, index }: Where,
  name: string | undefined,
  why: string,
  instead: string,
  cause?: unknown,
): never {
  const row = name === undefined ? `Row ${index}` : `Row ${index} (${name})`
  throw new SchemaError(
    'INVALID_ROW',
    table,
    name,
    `${row} of the descriptions of ${table} cannot be a column: ${why}. ${instead}.`,
    cause === undefined ? undefined : { cause },
  )
}
