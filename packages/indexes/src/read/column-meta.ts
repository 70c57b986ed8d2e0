import {
  checkOptionNames,
  type EngineName,
  engineTraits,
  OptionError,
  type ReferentialAction,
} from '@keelson/core'
import { SchemaError } from '../errors.ts'
import type { PortableKind } from '../ir/portable-type.ts'
import { isDecimalSize } from '../sql/check-type.ts'

/**
 * What a field says of its column besides its type: `.meta({ db: { ... } })` of a zod schema, `x-db` of a JSON Schema.
 *
 * @example
 * z.email().meta({ db: { unique: true } })
 * z.uuid().meta({ db: { references: { table: 'tenants', column: 'id', onDelete: 'cascade' } } })
 */
export interface ColumnMeta {
  /** The column's name. @default the field's */
  readonly name?: string
  /** Several fields with it make one key, in the order of the fields. A field named `id` is not one by its name. */
  readonly primaryKey?: boolean
  readonly unique?: boolean
  /** An index over this column alone. Where an engine does better without, the generator says so. */
  readonly index?: boolean
  readonly references?: ColumnReferences
  /** The engine's own type in place of the portable one, by engine: `{ duckdb: 'HUGEINT' }`. */
  readonly type?: Readonly<Partial<Record<EngineName, string>>>
  /** What the column holds, where the schema cannot tell (`z.instanceof(Uint8Array)`: `'blob'`) or means it otherwise. */
  readonly kind?: Exclude<PortableKind, 'decimal' | 'enum' | 'array'>
  /** The text is an exact number with so many digits in all, and after the point. */
  readonly decimal?: readonly [precision: number, scale: number]
  /** The engine numbers the rows. */
  readonly identity?: boolean
  /** `'now'`: the moment of the insert; `false`: none, also where the schema has one. @default the schema's, if it is constant */
  readonly default?: 'now' | false
}

/** The row of another table that a column refers to. */
export interface ColumnReferences {
  readonly table: string
  readonly column: string
  /** @default 'no action' */
  readonly onDelete?: ReferentialAction
  /** @default 'no action' */
  readonly onUpdate?: ReferentialAction
}

/** Lets the compiler check what `.meta({ db })` says. */
declare module 'zod/v4/core' {
  interface GlobalMeta {
    db?: ColumnMeta | undefined
  }
}

const kinds: Readonly<Record<NonNullable<ColumnMeta['kind']>, true>> = {
  string: true,
  int32: true,
  integer: true,
  bigint: true,
  number: true,
  boolean: true,
  date: true,
  datetime: true,
  uuid: true,
  json: true,
  blob: true,
}

const isBoolean = (value: unknown): boolean => typeof value === 'boolean'
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

const rules: Readonly<
  Record<keyof ColumnMeta, readonly [fits: (value: unknown) => boolean, expected: string]>
> = {
  name: [isText, 'the name of the column'],
  primaryKey: [isBoolean, 'true or false'],
  unique: [isBoolean, 'true or false'],
  index: [isBoolean, 'true or false; declare any other index in defineTable()'],
  references: [isReferences, '{ table, column, onDelete?, onUpdate? }'],
  type: [isTypes, "types by engine, such as { duckdb: 'HUGEINT' }"],
  kind: [(value) => isText(value) && Object.hasOwn(kinds, value), Object.keys(kinds).join(', ')],
  decimal: [
    isDecimal,
    '[precision, scale], of 1 to 38 digits of which 0 to all are after the point',
  ],
  identity: [isBoolean, 'true or false'],
  default: [(value) => value === 'now' || value === false, "'now' or false"],
}

/**
 * Refuses what nobody reads.
 *
 * @param where what it belongs to, as the user wrote it: `` `db` of users.email ``
 * @throws {SchemaError} `UNKNOWN_META` or `INVALID_META`
 */
export function checkColumnMeta(
  meta: unknown,
  where: string,
  table: string,
  field: string,
): ColumnMeta {
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) {
    throw new SchemaError(
      'INVALID_META',
      table,
      field,
      `${where} is not an object. It takes { ${Object.keys(rules).join(', ')} }.`,
    )
  }
  try {
    checkOptionNames(where, meta, Object.keys(rules))
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new SchemaError('UNKNOWN_META', table, field, error.message)
  }
  for (const [key, value] of Object.entries(meta)) {
    const [fits, expected] = rules[key as keyof ColumnMeta]
    if (value === undefined || fits(value)) continue
    throw new SchemaError(
      'INVALID_META',
      table,
      field,
      `${where} has ${JSON.stringify(value) ?? String(value)} as \`${key}\`. It takes ${expected}.`,
    )
  }
  return meta
}

const actions: readonly unknown[] = [
  undefined,
  'no action',
  'restrict',
  'cascade',
  'set null',
  'set default',
] satisfies readonly (ReferentialAction | undefined)[]

function isReferences(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { table, column, onDelete, onUpdate, ...more } = value as Partial<ColumnReferences>
  return (
    isText(table) &&
    isText(column) &&
    actions.includes(onDelete) &&
    actions.includes(onUpdate) &&
    Object.keys(more).length === 0
  )
}

function isTypes(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).every(
      ([engine, type]) => Object.hasOwn(engineTraits, engine) && isType(type),
    )
  )
}

/**
 * A type is printed as it is, and schemas may come from people who should not write SQL: words, numbers, commas between
 * parentheses, and brackets, without a word that begins a constraint.
 */
function isType(value: unknown): boolean {
  if (typeof value !== 'string' || !/^[A-Za-z][\w ,()[\]]*$/.test(value)) return false
  if (
    /\b(?:as|check|collate|constraint|default|generated|identity|key|not|null|on|primary|references|unique)\b/i.test(
      value,
    )
  ) {
    return false
  }
  let depth = 0
  for (const character of value) {
    if (character === '(') depth++
    else if (character === ')') depth--
    if (depth < 0 || (character === ',' && depth === 0)) return false
  }
  return depth === 0
}

function isDecimal(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && isDecimalSize(value[0], value[1])
}
