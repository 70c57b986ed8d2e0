import { quoteIdentifier } from '@keelson/core'
import type { PortableKind, PortableType } from '../ir/portable-type.ts'
import { type SqlDialect } from './dialect.ts'
import { dollarPath } from './json-path.ts'
import { textsSql } from './literal.ts'
import { decimalOf, shortTypeWords } from './type-words.ts'

/** MySQL, from version 8.4. Texts are compared as bytes are, as on the other engines: `utf8mb4_0900_bin`. */
export const mysqlDialect: SqlDialect = {
  engine: 'mysql',
  typeSql(type) {
    if (type.kind === 'decimal') return `decimal(${type.precision},${type.scale})`
    // 16,383 characters of four bytes are what a row can hold.
    if (type.kind === 'string' && type.maxLength !== undefined && type.maxLength <= 16_383)
      return `varchar(${type.maxLength}) character set utf8mb4 collate utf8mb4_0900_bin`
    if (type.kind === 'enum') {
      const longest = Math.max(1, ...type.values.map((value) => Array.from(value).length))
      return `varchar(${longest}) character set utf8mb4 collate utf8mb4_0900_bin`
    }
    return types[type.kind]
  },
  typeCheck(column, type) {
    const name = quoteIdentifier(column, 'mysql')
    if (type.kind === 'string' && type.maxLength !== undefined && type.maxLength > 16_383)
      return `char_length(${name}) <= ${type.maxLength}`
    if (type.kind === 'enum') return `${name} in (${textsSql(type.values, 'mysql')})`
    if (type.kind === 'array') return `json_type(${name}) = 'ARRAY'`
    return undefined
  },
  typeCheckLabel: shortTypeWords,
  kept: (type) => type,
  nearest(native) {
    const name = native.toLowerCase()
    const decimal = /^(?:decimal|numeric)(?:\((\d+)(?:,(\d+))?\))?/.exec(name)
    if (decimal) return decimalOf(decimal[1] ?? '10', decimal[2])
    const known = nearestTypes.find(([pattern]) => pattern.test(name))
    return { kind: known?.[1] ?? 'string' } as PortableType
  },
  nativeSpelling: (native) => native.toLowerCase().replaceAll(/\s+/g, ' ').trim(),
  decimalsAsText: false,
  // https://dev.mysql.com/doc/refman/8.4/en/data-type-defaults.html
  defaultInParentheses: (type) => /^(?:text|json|longblob)/.test(mysqlDialect.typeSql(type)),
  booleans: { true: 'true', false: 'false' },
  jsonPath(path, as) {
    const text = dollarPath(path, 'mysql')
    // A functional key part takes no LONGTEXT, which is what the arrow gives.
    return as === 'string'
      ? `cast(${text} as char(255) character set utf8mb4) collate utf8mb4_0900_bin`
      : `cast(${text} as ${casts[as]})`
  },
  isJsonKey: () => true,
  functions: { lower: 'lower', upper: 'upper', length: 'char_length' },
  now: { date: '(utc_date())', datetime: '(utc_timestamp(3))' },
  identity: 'auto_increment',
  identityFromSequence: false,
  identityIsPrimaryKey: false,
  generated: { stored: true, virtual: true, constrained: true },
  constraintNames: true,
  foreignKeyActions: true,
  tableSuffix: () => '',
  index: {
    partial: false,
    direction: true,
    collation: false,
    include: false,
    nullsNotDistinct: false,
    concurrently: false,
    method: 'btree',
    methods: ['btree', 'hash', 'fulltext', 'spatial'],
    json: true,
    expressionInParentheses: true,
    dropNamesTable: true,
  },
  foldedName: (name) => name.toLowerCase(),
}

const casts = { number: 'double', integer: 'signed', boolean: 'unsigned' } as const

const types: Readonly<Record<Exclude<PortableKind, 'decimal'>, string>> = {
  string: 'text character set utf8mb4 collate utf8mb4_0900_bin',
  int32: 'int',
  integer: 'bigint',
  bigint: 'bigint',
  number: 'double',
  boolean: 'boolean',
  date: 'date',
  datetime: 'datetime(3)',
  uuid: 'char(36) character set ascii collate ascii_bin',
  enum: 'text character set utf8mb4 collate utf8mb4_0900_bin',
  json: 'json',
  array: 'json',
  blob: 'longblob',
}

const nearestTypes: readonly (readonly [RegExp, PortableKind])[] = [
  [/^(?:bool|tinyint\(1\))/, 'boolean'],
  [/^(?:bigint|int unsigned)/, 'integer'],
  [/int/, 'int32'],
  [/^(?:double|float|real)/, 'number'],
  [/^(?:datetime|timestamp)/, 'datetime'],
  [/^date/, 'date'],
  [/^json/, 'json'],
  [/blob|binary/, 'blob'],
]
