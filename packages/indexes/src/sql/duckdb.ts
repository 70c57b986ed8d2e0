import { quoteIdentifier } from '@keelson/core'
import type { PortableKind, PortableType, ScalarType } from '../ir/portable-type.ts'
import { type SqlDialect, foldedAscii } from './dialect.ts'
import { arrowPath } from './json-path.ts'
import { keptWithArrays } from './kept-type.ts'
import { textsSql } from './literal.ts'
import { decimalOf, typeWords } from './type-words.ts'

/**
 * DuckDB. It forgets the names of constraints, so that the CHECKs of types are told by their spelling: `len()` and
 * `list_contains()`, which nothing else here prints.
 */
export const duckdbDialect: SqlDialect = {
  engine: 'duckdb',
  typeSql: (type) => (type.kind === 'array' ? `${scalarSql(type.of)}[]` : scalarSql(type)),
  typeCheck(column, type) {
    const name = quoteIdentifier(column, 'duckdb')
    if (type.kind === 'string' && type.maxLength !== undefined)
      return `len(${name}) <= ${type.maxLength}`
    if (type.kind === 'enum') return `list_contains(${listSql(type.values)}, ${name})`
    if (type.kind === 'array' && type.of.kind === 'enum')
      return `list_has_all(${listSql(type.of.values)}, ${name})`
    return undefined
  },
  typeCheckLabel: typeWords,
  kept: keptWithArrays,
  nearest,
  nativeSpelling,
  decimalsAsText: false,
  defaultInParentheses: () => false,
  booleans: { true: 'true', false: 'false' },
  jsonPath(path, as) {
    // The arrow binds more loosely than AND.
    const text = `(${arrowPath(path, 'duckdb')})`
    return as === 'string' ? text : `cast(${text} as ${casts[as]})`
  },
  // https://duckdb.org/docs/stable/data/json/json_functions: what begins so is a path.
  isJsonKey: (key) => key !== '' && key !== '*' && !/^[$/]|["\\]/.test(key),
  functions: { lower: 'lower', upper: 'upper', length: 'length' },
  now: {
    date: `cast(timezone('UTC', now()) as date)`,
    datetime: `date_trunc('millisecond', timezone('UTC', now()))`,
  },
  identity: '',
  identityFromSequence: true,
  identityIsPrimaryKey: false,
  generated: { stored: false, virtual: true, constrained: false },
  constraintNames: false,
  foreignKeyActions: false,
  tableSuffix: () => '',
  index: {
    partial: false,
    direction: false,
    collation: false,
    include: false,
    nullsNotDistinct: false,
    concurrently: false,
    method: 'art',
    methods: ['art'],
    json: false,
    expressionInParentheses: true,
    dropNamesTable: false,
  },
  foldedName: foldedAscii,
}

const casts = { number: 'double', integer: 'bigint', boolean: 'boolean' } as const

const types: Readonly<Record<Exclude<ScalarType['kind'], 'decimal'>, string>> = {
  string: 'varchar',
  int32: 'integer',
  integer: 'bigint',
  bigint: 'bigint',
  number: 'double',
  boolean: 'boolean',
  date: 'date',
  datetime: 'timestamp',
  uuid: 'uuid',
  enum: 'varchar',
  json: 'json',
  blob: 'blob',
}

function scalarSql(type: ScalarType): string {
  return type.kind === 'decimal' ? `decimal(${type.precision}, ${type.scale})` : types[type.kind]
}

function listSql(values: readonly string[]): string {
  return `[${textsSql(values, 'duckdb')}]`
}

function nearest(native: string): PortableType {
  const name = nativeSpelling(native)
  if (name.endsWith('[]')) {
    const of = nearest(name.slice(0, -2))
    return of.kind === 'array' ? { kind: 'json' } : { kind: 'array', of }
  }
  const decimal = /^DECIMAL(?:\((\d+),(\d+)\))?$/.exec(name)
  if (decimal) return decimalOf(decimal[1], decimal[2] ?? '3')
  return { kind: nearestTypes.get(name) ?? nearestByStart(name) } as PortableType
}

const nearestTypes: ReadonlyMap<string, PortableKind> = new Map(
  Object.entries({
    VARCHAR: 'string',
    TINYINT: 'int32',
    SMALLINT: 'int32',
    INTEGER: 'int32',
    UTINYINT: 'int32',
    USMALLINT: 'int32',
    UINTEGER: 'integer',
    BIGINT: 'integer',
    FLOAT: 'number',
    DOUBLE: 'number',
    BOOLEAN: 'boolean',
    DATE: 'date',
    UUID: 'uuid',
    JSON: 'json',
    BLOB: 'blob',
  } as const),
)

function nearestByStart(name: string): PortableKind {
  if (name.startsWith('TIMESTAMP')) return 'datetime'
  if (name.endsWith('HUGEINT') || name === 'UBIGINT') return 'integer'
  if (/^(?:STRUCT|MAP|UNION)\b/.test(name) || name.endsWith(']')) return 'json'
  return 'string'
}

/** https://duckdb.org/docs/stable/sql/data_types/overview */
const aliases: ReadonlyMap<string, string> = new Map(
  Object.entries({
    TEXT: 'VARCHAR',
    STRING: 'VARCHAR',
    CHAR: 'VARCHAR',
    BPCHAR: 'VARCHAR',
    INT1: 'TINYINT',
    INT2: 'SMALLINT',
    SHORT: 'SMALLINT',
    INT: 'INTEGER',
    INT4: 'INTEGER',
    SIGNED: 'INTEGER',
    INT8: 'BIGINT',
    LONG: 'BIGINT',
    REAL: 'FLOAT',
    FLOAT4: 'FLOAT',
    FLOAT8: 'DOUBLE',
    BOOL: 'BOOLEAN',
    LOGICAL: 'BOOLEAN',
    BYTEA: 'BLOB',
    BINARY: 'BLOB',
    VARBINARY: 'BLOB',
    DATETIME: 'TIMESTAMP',
    TIMESTAMPTZ: 'TIMESTAMP WITH TIME ZONE',
    NUMERIC: 'DECIMAL',
    DECIMAL: 'DECIMAL(18,3)',
  } as const),
)

function nativeSpelling(native: string): string {
  const quoted = /['"]/.test(native)
  const trimmed = native.trim().replaceAll(/\s*,\s*/g, quoted ? ', ' : ',')
  // What has quotes in it has names and texts, whose letters are their own.
  if (quoted) return trimmed
  const upper = trimmed
    .toUpperCase()
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?\( ?/g, '(')
  const [, name = upper, rest = ''] = /^([A-Z0-9]+)(.*)$/.exec(upper) ?? []
  if (name === 'VARCHAR' || aliases.get(name) === 'VARCHAR')
    return `VARCHAR${rest.replace(/^\(\d+\)/, '')}`
  if (name === 'NUMERIC' || name === 'DECIMAL')
    return rest.startsWith('(')
      ? `DECIMAL${rest.replace(/^\((\d+)\)/, '($1,0)')}`
      : `DECIMAL(18,3)${rest}`
  return (aliases.get(name) ?? name) + rest
}
