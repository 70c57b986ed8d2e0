import { quoteIdentifier } from '@keelson/core'
import type { PortableKind, PortableType } from '../ir/portable-type.ts'
import { type SqlDialect, foldedAscii } from './dialect.ts'
import { arrowPath } from './json-path.ts'
import { keptScalar } from './kept-type.ts'
import { textsSql } from './literal.ts'
import { decimalOf, typeWords } from './type-words.ts'

/**
 * SQLite. Tables are STRICT, which knows five types; what they do not say is a CHECK with the type in its name. All of
 * them take what ORMs bind: booleans are 0 and 1, moments are texts like `2026-01-31T12:00:00.000Z`, decimals are texts,
 * JSON is a text.
 */
export const sqliteDialect: SqlDialect = {
  engine: 'sqlite',
  typeSql: (type) => types[type.kind],
  typeCheck(column, type) {
    const name = quoteIdentifier(column, 'sqlite')
    switch (type.kind) {
      case 'string':
        return type.maxLength === undefined ? undefined : `length(${name}) <= ${type.maxLength}`
      case 'int32':
        return `${name} between -2147483648 and 2147483647`
      case 'boolean':
        return `${name} in (0, 1)`
      case 'date':
        // IS, since the right side is NULL for what is no date, and a CHECK lets NULL pass.
        return `${name} is strftime('%Y-%m-%d', ${name})`
      case 'datetime':
        return `${name} is strftime('%Y-%m-%dT%H:%M:%fZ', ${name})`
      case 'uuid':
        return (
          `${name} like '________-____-____-____-____________' ` +
          `and length(replace(${name}, '-', '')) = 32 and ${name} not glob '*[^0-9A-Fa-f-]*'`
        )
      case 'enum':
        return `${name} in (${textsSql(type.values, 'sqlite')})`
      case 'json':
        return `json_valid(${name})`
      case 'array':
        // Whether the text is JSON is asked first: json_type() fails with an error of its own otherwise.
        return `case when json_valid(${name}) then json_type(${name}) = 'array' else ${name} is null end`
      case 'decimal':
        return decimalCheck(name, type.precision, type.scale)
      default:
        return undefined
    }
  },
  typeCheckLabel: typeWords,
  kept: keptScalar,
  nearest(native) {
    const name = native.toUpperCase()
    const decimal = /^(?:DECIMAL|NUMERIC)(?:\s*\((\d+)\s*(?:,\s*(\d+)\s*)?\))?$/.exec(name)
    if (decimal?.[1] !== undefined) return decimalOf(decimal[1], decimal[2])
    const known = nearestTypes.find(([pattern]) => pattern.test(name))
    return { kind: known?.[1] ?? 'number' } as PortableType
  },
  nativeSpelling: (native) => native.toUpperCase().replaceAll(/\s+/g, ' ').trim(),
  decimalsAsText: true,
  defaultInParentheses: () => false,
  booleans: { true: '1', false: '0' },
  jsonPath: (path) => arrowPath(path, 'sqlite'),
  // https://www.sqlite.org/json1.html#jptr: what begins so is a path, and a quote ends the label.
  isJsonKey: (key) => key !== '' && !/^[$[]|["\\]/.test(key),
  functions: { lower: 'lower', upper: 'upper', length: 'length' },
  now: {
    date: `(strftime('%Y-%m-%d', 'now'))`,
    datetime: `(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))`,
  },
  identity: 'autoincrement',
  identityFromSequence: false,
  identityIsPrimaryKey: true,
  generated: { stored: true, virtual: true, constrained: true },
  constraintNames: true,
  foreignKeyActions: true,
  tableSuffix: (columns) =>
    columns.every(({ override }) => isStrictType(override?.sqlite)) ? ' strict' : '',
  index: {
    partial: true,
    direction: true,
    collation: true,
    include: false,
    nullsNotDistinct: false,
    concurrently: false,
    method: 'btree',
    methods: ['btree'],
    json: true,
    expressionInParentheses: false,
    dropNamesTable: false,
  },
  foldedName: foldedAscii,
}

const types: Readonly<Record<PortableKind, string>> = {
  string: 'text',
  int32: 'integer',
  integer: 'integer',
  bigint: 'integer',
  number: 'real',
  decimal: 'text',
  boolean: 'integer',
  date: 'text',
  datetime: 'text',
  uuid: 'text',
  enum: 'text',
  json: 'text',
  array: 'text',
  blob: 'blob',
}

/** https://www.sqlite.org/stricttables.html */
function isStrictType(native: string | undefined): boolean {
  return (
    native === undefined || /^(?:int|integer|real|text|blob|any)(?:\s+collate\b.*)?$/i.test(native)
  )
}

/** What names of types mean to people; SQLite itself takes any. In the order in which they are looked for. */
const nearestTypes: readonly (readonly [RegExp, PortableKind])[] = [
  [/^BOOL/, 'boolean'],
  [/^(?:TIMESTAMP|DATETIME)/, 'datetime'],
  [/^DATE/, 'date'],
  [/^JSON/, 'json'],
  [/^UUID/, 'uuid'],
  [/INT/, 'integer'],
  [/CHAR|CLOB|TEXT|STRING/, 'string'],
  [/BLOB|BINARY|^$/, 'blob'],
]

function decimalCheck(name: string, precision: number, scale: number): string {
  const digits = `ltrim(${name}, '-')`
  const point = `instr(${digits} || '.', '.')`
  // A zero before the point is no digit of the precision.
  const before = Math.max(precision - scale, 1)
  return [
    `length(${name}) - length(${digits}) <= 1`,
    `${digits} glob '[0-9]*'`,
    `${digits} glob '*[0-9]'`,
    `${digits} not glob '*[^0-9.]*'`,
    `${digits} not glob '*.*.*'`,
    `${point} <= ${before + 1}`,
    `length(${digits}) - ${point} <= ${scale}`,
  ].join(' and ')
}
