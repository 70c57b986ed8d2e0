/**
 * One property of a JSON Schema as a field of a table. One subject, longer than most: every keyword that says something of a
 * column is named here once.
 */
import { SchemaError } from '../../errors.ts'
import type { ColumnDefault } from '../../ir/column.ts'
import type { Literal } from '../../ir/expression.ts'
import type { PortableType } from '../../ir/portable-type.ts'
import { checkColumnMeta, type ColumnMeta } from '../column-meta.ts'
import { checkDefault } from '../check-default.ts'
import type { Demand, Field, Unenforced } from '../field.ts'
import { minimumLength } from '../minimum-length.ts'
import { wordsOf } from '../table-of-fields.ts'
import { union } from '../union-of-types.ts'
import { wholeBound } from '../whole-bound.ts'
import { isJsonSchema, type JsonSchema, pointedAt } from './json-schema.ts'

/** @throws {SchemaError} for a property that no column can hold, naming it and what to do */
export function jsonField(
  table: string,
  name: string,
  schema: unknown,
  root: JsonSchema,
  required: boolean,
): Field {
  const where: Where = { table, field: name, root, visits: { count: 0 } }
  const read = readSchema(schema, where, new Set())
  if (read.isNull === true) refuse(where, 'it is nothing but null', 'Leave it out')
  const given = read.meta.default === undefined ? defaultOf(read, where) : undefined
  const { identity } = read.meta
  return {
    name,
    type: read.type,
    nullable: read.nullable || (!required && given === undefined && identity !== true),
    ...(given !== undefined && { default: given }),
    demands: read.demands,
    notEnforced: read.notEnforced,
    ...(read.description !== undefined && { description: read.description }),
    meta: read.meta,
  }
}

interface Where {
  readonly table: string
  readonly field: string
  readonly root: JsonSchema
  /** How many schemas were read for this field. */
  readonly visits: { count: number }
}

/** References let a short document stand for one without an end. */
const maxVisits = 2_000

interface Reading {
  readonly type: PortableType
  readonly nullable: boolean
  /** It is NULL and nothing else. */
  readonly isNull?: boolean
  readonly default?: unknown
  readonly demands: readonly Demand[]
  readonly notEnforced: readonly Unenforced[]
  readonly description?: string
  readonly meta: ColumnMeta
}

function readSchema(given: unknown, where: Where, seen: ReadonlySet<string>): Reading {
  if (++where.visits.count > maxVisits) {
    refuse(where, `it is made of more than ${maxVisits} schemas`, 'Store it as an object')
  }
  if (given === true) return anything
  if (!isJsonSchema(given)) refuse(where, 'it is neither an object nor true', 'Give it a schema')
  const schema = withAllOf(given, where)
  if (schema.$ref !== undefined) return reference(schema, where, seen)
  const read = readKeywords(schema, where, seen)
  return { ...read, ...annotations(schema, read.meta, where) }
}

function reference(schema: JsonSchema, where: Where, seen: ReadonlySet<string>): Reading {
  const { $ref, ...beside } = schema
  const to = String($ref)
  if (seen.has(to))
    refuse(where, `${to} stands for itself, without end`, 'Let it go through an object')
  const target = pointedAt(where.root, to)
  if (target === undefined) {
    refuse(where, `there is no ${to} in the schema`, 'Put what it refers to into its $defs')
  }
  const read = readSchema(target, where, new Set([...seen, to]))
  const { meta, ...more } = annotations(beside, read.meta, where)
  return { ...read, ...more, meta, nullable: read.nullable || beside.nullable === true }
}

/** What says nothing of the values. */
function annotations(
  schema: JsonSchema,
  inner: ColumnMeta,
  { table, field }: Where,
): Pick<Reading, 'default' | 'description' | 'meta'> {
  // z.toJSONSchema() writes what .meta({ db }) says as `db`.
  const key = schema['x-db'] === undefined ? 'db' : 'x-db'
  const meta = schema[key]
  return {
    ...(schema.default !== undefined && { default: schema.default }),
    ...(typeof schema.description === 'string' && { description: schema.description }),
    meta:
      meta === undefined
        ? inner
        : { ...inner, ...checkColumnMeta(meta, `\`${key}\` of ${table}.${field}`, table, field) },
  }
}

/** Schemas that all have to fit are one schema, as long as they say different things. */
function withAllOf(schema: JsonSchema, where: Where): JsonSchema {
  const { allOf, ...beside } = schema
  if (allOf === undefined) return schema
  let merged: JsonSchema = beside
  for (const part of allOf) {
    if (part === true) continue
    if (!isJsonSchema(part)) refuse(where, 'a part of allOf is no object', 'Give it a schema')
    const flat = withAllOf(part, where)
    for (const [keyword, value] of Object.entries(flat)) {
      if (
        Object.hasOwn(merged, keyword) &&
        JSON.stringify(merged[keyword]) !== JSON.stringify(value)
      ) {
        refuse(where, `parts of allOf say different things of \`${keyword}\``, 'Use one schema')
      }
    }
    merged = { ...merged, ...flat }
  }
  return merged
}

function readKeywords(schema: JsonSchema, where: Where, seen: ReadonlySet<string>): Reading {
  const options = schema.anyOf ?? schema.oneOf
  const notes = unread
    .filter((keyword) => schema[keyword] !== undefined)
    .map((keyword) => ({ what: keyword, why: 'no CHECK is made of it' }))
  const read = ((): Reading => {
    if (options !== undefined) {
      return unionOf(options.map((option) => readSchema(withTypeOf(schema, option), where, seen)))
    }
    if (schema.enum !== undefined) return ofValues(schema.enum, where)
    if (Object.hasOwn(schema, 'const')) return ofValues([schema.const], where)
    const types = schema.type === undefined ? [] : [schema.type].flat()
    if (types.length === 0)
      return schema.properties === undefined ? anything : ofType({ kind: 'json' })
    return unionOf(types.map((type) => ofNamedType(type, schema, where, seen)))
  })()
  return {
    ...read,
    nullable: read.nullable || schema.nullable === true,
    notEnforced: [...read.notEnforced, ...notes],
  }
}

/** `{ type: 'string', anyOf: [{ format: 'email' }, ...] }`: the type stands once for all. */
function withTypeOf({ type }: JsonSchema, option: unknown): unknown {
  return type === undefined || !isJsonSchema(option) || option.$ref !== undefined
    ? option
    : { type, ...option }
}

const unread: readonly string[] = ['not', 'if', 'then', 'else']

function ofNamedType(
  type: unknown,
  schema: JsonSchema,
  where: Where,
  seen: ReadonlySet<string>,
): Reading {
  switch (type) {
    case 'null':
      return { ...ofType({ kind: 'json' }), nullable: true, isNull: true }
    case 'boolean':
      return ofType({ kind: 'boolean' })
    case 'object':
      return ofType({ kind: 'json' })
    case 'array':
      return arrayOf(schema, where, seen)
    case 'string':
      return stringOf(schema)
    case 'integer':
      return numberOf(schema, { kind: wholeKinds[schema.format ?? ''] ?? 'integer' })
    case 'number':
      return numberOf(schema, { kind: 'number' })
    default:
      return refuse(
        where,
        `JSON Schema has no type ${JSON.stringify(type)}`,
        'It has string, integer, number, boolean, object, array and null',
      )
  }
}

const wholeKinds: Readonly<Record<string, 'int32' | 'bigint'>> = { int32: 'int32', int64: 'bigint' }

const expressions = 'engines differ in their regular expressions, and SQLite has none'

function stringOf(schema: JsonSchema): Reading {
  const { format, minLength, maxLength, pattern } = schema
  const notEnforced: Unenforced[] = []
  if (pattern !== undefined) notEnforced.push({ what: `pattern ${pattern}`, why: expressions })
  const kind = textKinds[format ?? '']
  if (kind !== undefined) return { ...ofType({ kind }), notEnforced }
  if (format !== undefined) notEnforced.push({ what: format, why: expressions })
  return {
    ...ofType({
      kind: 'string',
      ...(typeof maxLength === 'number' && { maxLength: Math.max(0, Math.floor(maxLength)) }),
    }),
    demands: typeof minLength === 'number' ? minimumLength(minLength) : [],
    notEnforced,
  }
}

const textKinds: Readonly<Record<string, 'uuid' | 'date' | 'datetime'>> = {
  uuid: 'uuid',
  date: 'date',
  'date-time': 'datetime',
}

function numberOf(
  schema: JsonSchema,
  type: { readonly kind: 'int32' | 'integer' | 'bigint' | 'number' },
): Reading {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema
  const demands: Demand[] = []
  const add = (operator: '>=' | '>' | '<=' | '<', value: unknown): void => {
    if (typeof value !== 'number' || !Number.isFinite(value)) return
    if (type.kind === 'number') demands.push({ of: 'value', operator, value })
    else demands.push(...wholeBound(operator, value, type.kind))
  }
  add(exclusiveMinimum === true ? '>' : '>=', minimum)
  add('>', exclusiveMinimum)
  add(exclusiveMaximum === true ? '<' : '<=', maximum)
  add('<', exclusiveMaximum)
  const why = 'the terms of predicates have no remainder'
  return {
    ...ofType(type),
    demands,
    notEnforced: multipleOf === undefined ? [] : [{ what: `multiple of ${multipleOf}`, why }],
  }
}

function arrayOf(schema: JsonSchema, where: Where, seen: ReadonlySet<string>): Reading {
  const why = 'the terms of predicates do not count elements'
  const notEnforced = ['minItems', 'maxItems', 'uniqueItems', 'contains']
    .filter((keyword) => schema[keyword] !== undefined)
    .map((keyword) => ({ what: `${keyword} ${JSON.stringify(schema[keyword])}`, why }))
  const { items } = schema
  if (!isJsonSchema(items) || schema['prefixItems'] !== undefined) {
    return { ...ofType({ kind: 'json' }), notEnforced }
  }
  const element = readSchema(items, where, seen)
  const { type } = element
  const isList = type.kind !== 'json' && type.kind !== 'array' && !element.nullable
  return { ...ofType(isList ? { kind: 'array', of: type } : { kind: 'json' }), notEnforced }
}

function ofValues(values: readonly unknown[], where: Where): Reading {
  const some = values.filter((value) => value !== null)
  const nullable = some.length < values.length
  if (some.length === 0) {
    return { ...ofType({ kind: 'json' }), nullable, isNull: nullable }
  }
  const demands: readonly Demand[] = [
    { of: 'value', values: some as unknown as readonly Literal[] },
  ]
  if (some.every((value) => typeof value === 'string')) {
    return { ...ofType({ kind: 'enum', values: [...new Set(some)] }), nullable }
  }
  if (some.every((value) => typeof value === 'number')) {
    const kind = some.every(Number.isSafeInteger) ? 'integer' : 'number'
    return { ...ofType({ kind }), nullable, demands }
  }
  if (some.every((value) => typeof value === 'boolean')) {
    return { ...ofType({ kind: 'boolean' }), nullable, demands }
  }
  if (values.length === 0) refuse(where, 'its enum has no values', 'Give it at least one')
  const what = `one of ${some.map((value) => JSON.stringify(value)).join(', ')}`
  return {
    ...ofType({ kind: 'json' }),
    nullable,
    notEnforced: [{ what, why: 'they are of several types' }],
  }
}

function unionOf(options: readonly Reading[]): Reading {
  const nullable = options.some((option) => option.nullable)
  const some = options.filter(({ isNull }) => isNull !== true)
  const [first] = some
  if (first === undefined) return { ...ofType({ kind: 'json' }), nullable, isNull: true }
  if (some.length === 1) return { ...first, nullable }
  return {
    ...ofType(union(some.map(({ type }) => type))),
    nullable,
    notEnforced: some.flatMap((option) => [
      ...option.notEnforced,
      ...option.demands.map((demand) => ({
        what: wordsOf(demand),
        why: 'it is of one option of several',
      })),
    ]),
  }
}

function ofType(type: PortableType): Reading {
  return { type, nullable: false, demands: [], notEnforced: [], meta: {} }
}

const anything: Reading = { ...ofType({ kind: 'json' }), nullable: true }

function defaultOf(
  { type, demands, default: value }: Reading,
  where: Where,
): ColumnDefault | undefined {
  if (value === undefined || value === null) return undefined
  // A list or an object is the application's to fill in.
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    return undefined
  }
  if (type.kind === 'json' || type.kind === 'array') return undefined
  const literal = type.kind === 'bigint' && Number.isSafeInteger(value) ? BigInt(value) : value
  checkDefault(where.table, where.field, literal, type, demands)
  return { kind: 'value', value: literal }
}

function refuse({ table, field }: Where, why: string, instead: string): never {
  throw new SchemaError(
    'UNSUPPORTED_TYPE',
    table,
    field,
    `${table}.${field} cannot be a column: ${why}. ${instead}.`,
  )
}
