/**
 * One field of a zod object as a field of a table: unwraps what is around its type, and says what it means for the column.
 * One subject, longer than most: every kind of schema that zod has is named here once.
 */
import { SchemaError } from '../../errors.ts'
import type { Literal } from '../../ir/expression.ts'
import type { PortableType } from '../../ir/portable-type.ts'
import { checkColumnMeta, type ColumnMeta } from '../column-meta.ts'
import type { Demand, Field, Unenforced } from '../field.ts'
import { wordsOf } from '../table-of-fields.ts'
import { union } from '../union-of-types.ts'
import { checkJson } from './zod-json.ts'
import { type Checks, numberOf, readChecks } from './zod-checks.ts'
import { constantDefault } from './zod-default.ts'
import {
  metadataOf,
  type Side,
  type Where,
  type ZodDef,
  type ZodNode,
  zodNode,
} from './zod-node.ts'

/** @throws {SchemaError} for a type that no column can have, naming the field and what to do */
export function zodField(table: string, name: string, schema: unknown, side: Side): Field {
  const where: Where = { table, field: name, side }
  const read = readNode(zodNode(schema, table, name), where, new Set())
  const { kind, decimal } = read.meta
  if (read.type === undefined && kind === undefined && decimal === undefined) throw read.refusal!
  // What `kind` stands for is what the schema could not tell, so that there is nothing to check.
  const type = read.type ?? { kind: kind ?? 'string' }
  const hasDefault = read.hasDefault && read.meta.default === undefined
  const value = hasDefault ? constantDefault(schema as ZodNode, read, type, where) : undefined
  return {
    name,
    type,
    nullable: read.nullable || read.optional,
    ...(value !== undefined && { default: { kind: 'value', value } }),
    demands: read.demands,
    notEnforced: read.notEnforced,
    ...(read.description !== undefined && { description: read.description }),
    meta: read.meta,
  }
}

/** What is known of a schema so far, from the inside out. */
interface Reading {
  /** Absent where the schema cannot tell; `refusal` says why. */
  readonly type?: PortableType
  readonly refusal?: SchemaError
  /** `undefined` may come out. */
  readonly optional: boolean
  readonly nullable: boolean
  readonly hasDefault: boolean
  readonly demands: readonly Demand[]
  readonly notEnforced: readonly Unenforced[]
  readonly description?: string
  readonly meta: ColumnMeta
}

function readNode(node: ZodNode, where: Where, seen: Set<ZodNode>): Reading {
  if (seen.has(node)) {
    return refused(
      where,
      'it stands for itself, without end',
      'Let it go through an object or an array',
    )
  }
  seen.add(node)
  const read = withMetadata(readDef(node._zod.def, node, where, seen), node, where)
  seen.delete(node)
  return read
}

function withMetadata(read: Reading, node: ZodNode, { table, field }: Where): Reading {
  const metadata = metadataOf(node)
  if (metadata === undefined) return read
  const { db, description } = metadata
  return {
    ...read,
    ...(typeof description === 'string' && { description }),
    // What was said last, on the outside, wins.
    ...(db !== undefined && {
      meta: { ...read.meta, ...checkColumnMeta(db, `\`db\` of ${table}.${field}`, table, field) },
    }),
  }
}

function readDef(def: ZodDef, node: ZodNode, where: Where, seen: Set<ZodNode>): Reading {
  const inner = (): Reading =>
    readNode(zodNode(def.innerType, where.table, where.field), where, seen)
  const checked = (type: PortableType, plain: PortableType = type): Reading =>
    ofChecks(readChecks(def, type, plain))
  switch (def.type) {
    case 'string':
      return string(def, checked)
    case 'number':
      return checked(numberOf(def.format ?? '', { kind: 'number' }), { kind: 'number' })
    case 'bigint':
      if (usesFormat(def, 'uint64')) {
        return refused(
          where,
          'z.uint64() goes up to 2^64-1, and a column of whole numbers to 2^63-1',
          'Use z.int64(), or a text with `db: { decimal: [20, 0] }`',
        )
      }
      return checked({ kind: 'bigint' })
    case 'boolean':
    case 'success':
      return checked({ kind: 'boolean' })
    case 'date':
      return checked({ kind: 'datetime' })
    case 'enum':
      return ofValues(enumValues(def.entries!), def)
    case 'literal':
      return ofValues(def.values!, def)
    case 'template_literal':
      return withNote(ofType({ kind: 'string' }), 'template literal', 'it is a regular expression')
    case 'object':
    case 'record':
    case 'tuple':
      checkJson(node, where)
      return checked({ kind: 'json' })
    case 'array':
      return checked(arrayOf(def, where, seen) ?? json(node, where))
    case 'any':
    case 'unknown':
      return { ...checked({ kind: 'json' }), nullable: true }
    case 'union':
      return unionOf(def, node, where, seen)
    case 'intersection':
      return intersectionOf(def, node, where, seen)
    case 'null':
      return { ...nothing, nullable: true, refusal: unsupported(where, 'null', 'Leave it out') }
    case 'undefined':
    case 'void':
      return { ...nothing, optional: true, refusal: unsupported(where, def.type, 'Leave it out') }
    case 'optional':
      return { ...withChecks(inner(), def), optional: true }
    case 'nullable':
      return { ...withChecks(inner(), def), nullable: true }
    case 'nonoptional':
      return { ...withChecks(inner(), def), optional: false }
    case 'readonly':
      return withChecks(inner(), def)
    case 'default':
    case 'prefault':
      return { ...withChecks(inner(), def), optional: false, hasDefault: true }
    case 'catch':
      return caught(withChecks(inner(), def))
    case 'lazy':
      return withChecks(
        readNode(zodNode(def.getter!(), where.table, where.field), where, seen),
        def,
      )
    case 'pipe':
      return pipe(def, where, seen)
    case 'transform':
      return refused(
        where,
        'what a function makes of it is not known before it is called',
        "Put the schema of what it makes behind it, .pipe(z.string()), store what goes in by { io: 'input' }, or say it with `db: { kind: 'string' }`",
      )
    case 'map':
      return refused(where, 'a Map is no JSON', 'Use z.record()')
    case 'set':
      return refused(where, 'a Set is no JSON', 'Use z.array()')
    case 'custom':
      return refused(
        where,
        'z.custom() and z.instanceof() do not say what the value is',
        "Say it with `db: { kind: 'blob' }`, or another kind",
      )
    case 'file':
      return refused(
        where,
        'a File is not bytes yet',
        "Store what its arrayBuffer() gives: z.instanceof(Uint8Array) with `db: { kind: 'blob' }`",
      )
    default:
      return refused(
        where,
        `no column holds a ${def.type}`,
        'Leave it out of the object, or store it as something else',
      )
  }
}

type Checked = (type: PortableType, plain?: PortableType) => Reading

function string(def: ZodDef, checked: Checked): Reading {
  const text: PortableType = { kind: 'string' }
  switch (def.format) {
    case undefined:
      return checked(text)
    case 'uuid':
    case 'guid':
      return checked({ kind: 'uuid' }, text)
    case 'date':
      return checked({ kind: 'date' }, text)
    case 'datetime':
      // A column of moments has milliseconds, and without a zone it is no moment.
      if (def.local !== true && (def.precision ?? 0) <= 3)
        return checked({ kind: 'datetime' }, text)
  }
  return withNote(
    checked(text),
    def.format,
    'engines differ in their regular expressions, and SQLite has none',
  )
}

function usesFormat(def: ZodDef, format: string): boolean {
  const formats = [def.format, ...(def.checks ?? []).map(({ _zod }) => _zod.def.format)]
  return formats.includes(format)
}

/** TypeScript's numeric enums hold their names as values, too. */
function enumValues(entries: Readonly<Record<string, string | number>>): readonly unknown[] {
  const numbers = Object.values(entries).filter((value) => typeof value === 'number')
  return Object.entries(entries)
    .filter(([key]) => !numbers.includes(Number(key)))
    .map(([, value]) => value)
}

function ofValues(values: readonly unknown[], def: ZodDef): Reading {
  const some = [...new Set(values.filter((value) => value !== null && value !== undefined))]
  const read = ofChecks(readChecks(def, ...valuesType(some)))
  // An enum says by its type what its values are.
  const isOneOf = read.type!.kind !== 'json' && read.type!.kind !== 'enum' && !isOverwritten(def)
  return {
    ...read,
    ...(isOneOf && {
      demands: [...read.demands, { of: 'value', values: some as unknown as readonly Literal[] }],
    }),
    ...(read.type!.kind === 'json' && {
      notEnforced: [
        ...read.notEnforced,
        { what: `one of ${some.map(String).join(', ')}`, why: 'they are of several types' },
      ],
    }),
    nullable: values.includes(null),
    optional: values.includes(undefined),
  }
}

function isOverwritten(def: ZodDef): boolean {
  return (def.checks ?? []).some(({ _zod }) => _zod.def.check === 'overwrite')
}

/** The type of the values, and of what an overwrite may make of them. */
function valuesType(values: readonly unknown[]): [PortableType, PortableType] {
  if (values.every((value) => typeof value === 'string')) {
    return [{ kind: 'enum', values }, { kind: 'string' }]
  }
  if (values.every((value) => typeof value === 'number')) {
    const isWhole = values.every(Number.isSafeInteger)
    return [{ kind: isWhole ? 'integer' : 'number' }, { kind: 'number' }]
  }
  const kinds = new Set(values.map((value) => typeof value))
  const [only] = kinds
  if (kinds.size === 1 && (only === 'boolean' || only === 'bigint')) {
    return [{ kind: only }, { kind: only }]
  }
  return [{ kind: 'json' }, { kind: 'json' }]
}

function arrayOf(def: ZodDef, where: Where, seen: Set<ZodNode>): PortableType | undefined {
  const element = readNode(zodNode(def.element, where.table, where.field), where, seen)
  const { type } = element
  if (type === undefined || type.kind === 'json' || type.kind === 'array') return undefined
  // A list of one type has no holes.
  if (element.optional || element.nullable || type.kind === 'blob') return undefined
  return { kind: 'array', of: type }
}

function json(node: ZodNode, where: Where): PortableType {
  checkJson(node, where)
  return { kind: 'json' }
}

function unionOf(def: ZodDef, node: ZodNode, where: Where, seen: Set<ZodNode>): Reading {
  const options = def.options!.map((option) =>
    readNode(zodNode(option, where.table, where.field), where, seen),
  )
  const optional = options.some((option) => option.optional)
  const nullable = options.some((option) => option.nullable)
  const some = options.filter(
    ({ type, optional, nullable }) => type !== undefined || !(optional || nullable),
  )
  const unknown = some.find(({ type }) => type === undefined)
  if (some.length === 0 || unknown !== undefined) {
    return { ...nothing, optional, nullable, refusal: (unknown ?? options[0])!.refusal! }
  }
  const only = some.length === 1 ? some[0] : undefined
  const type = only?.type ?? union(some.map((option) => option.type!))
  if (type.kind === 'json') checkJson(node, where)
  const demands = only?.demands ?? sharedDemands(some)
  const read: Reading = {
    ...nothing,
    type,
    optional,
    nullable,
    hasDefault: options.some((option) => option.hasDefault),
    demands,
    notEnforced: some.flatMap((option) => [
      ...option.notEnforced,
      ...option.demands
        .filter((demand) => !demands.includes(demand) && only === undefined)
        .map((demand) => ({ what: wordsOf(demand), why: 'it is of one option of a union' })),
    ]),
    ...(only !== undefined && { meta: only.meta }),
  }
  return withChecks(read, def)
}

/** Lists of values can be joined where every option is one. */
function sharedDemands(options: readonly Reading[]): readonly Demand[] {
  const lists = options.map(({ demands }) =>
    demands.length === 1 && 'values' in demands[0]! ? demands[0].values : undefined,
  )
  if (lists.includes(undefined)) return []
  const kinds = new Set(options.map(({ type }) => type!.kind))
  if (kinds.size > 1 && !(kinds.size === 2 && kinds.has('integer') && kinds.has('number')))
    return []
  return [{ of: 'value', values: [...new Set(lists.flatMap((values) => values!))] }]
}

function intersectionOf(def: ZodDef, node: ZodNode, where: Where, seen: Set<ZodNode>): Reading {
  const [left, right] = [def.left, def.right].map((side) =>
    readNode(zodNode(side, where.table, where.field), where, seen),
  ) as [Reading, Reading]
  const kind = left.type?.kind
  if (kind === undefined || kind !== right.type?.kind) {
    return refused(where, 'it is an intersection of two types', 'Use one schema with both checks')
  }
  if (kind === 'json') checkJson(node, where)
  return withChecks(
    {
      ...left,
      optional: left.optional && right.optional,
      nullable: left.nullable && right.nullable,
      demands: [...left.demands, ...right.demands],
      notEnforced: [...left.notEnforced, ...right.notEnforced],
    },
    def,
  )
}

/** `.catch()` gives its value without checking it. */
function caught(read: Reading): Reading {
  const { type, demands } = read
  const lengths: readonly Demand[] =
    type?.kind === 'string' && type.maxLength !== undefined
      ? [{ of: 'length', operator: '<=', value: type.maxLength }]
      : []
  return {
    ...read,
    ...(lengths.length > 0 && { type: { kind: 'string' } }),
    demands: [],
    notEnforced: [
      ...read.notEnforced,
      ...[...lengths, ...demands].map((demand) => ({
        what: wordsOf(demand),
        why: '.catch() gives its value without checking it',
      })),
    ],
  }
}

function pipe(def: ZodDef, where: Where, seen: Set<ZodNode>): Reading {
  const read = (node: ZodNode | undefined): Reading =>
    readNode(zodNode(node, where.table, where.field), where, seen)
  const [stored, other] = where.side === 'output' ? [def.out, def.in] : [def.in, def.out]
  const inside = read(stored)
  // What the other side says of the column stands, too: z.string().meta({ db: ... }).transform(...).
  const { meta, hasDefault } = read(other)
  return withChecks(
    { ...inside, meta: { ...meta, ...inside.meta }, hasDefault: hasDefault || inside.hasDefault },
    def,
  )
}

/** Checks on a wrapper: a refinement of an optional, for example. */
function withChecks(read: Reading, def: ZodDef): Reading {
  if (def.checks === undefined || def.checks.length === 0) return read
  if (read.type === undefined) return read
  const checks = readChecks({ ...def, format: undefined as never }, read.type, read.type)
  const overwritten = isOverwritten(def)
  return {
    ...read,
    type: checks.type,
    demands: overwritten ? checks.demands : [...read.demands, ...checks.demands],
    notEnforced: [...read.notEnforced, ...checks.notEnforced],
  }
}

function withNote(read: Reading, what: string, why: string): Reading {
  return { ...read, notEnforced: [{ what, why }, ...read.notEnforced] }
}

const nothing: Omit<Reading, 'type'> = {
  optional: false,
  nullable: false,
  hasDefault: false,
  demands: [],
  notEnforced: [],
  meta: {},
}

function ofType(type: PortableType): Reading {
  return { ...nothing, type }
}

function ofChecks(checks: Checks): Reading {
  return { ...nothing, ...checks }
}

function refused(where: Where, why: string, instead: string): Reading {
  return { ...nothing, refusal: unsupported(where, why, instead) }
}

function unsupported({ table, field }: Where, why: string, instead: string): SchemaError {
  return new SchemaError(
    'UNSUPPORTED_TYPE',
    table,
    field,
    `${table}.${field} cannot be a column: ${why}. ${instead}.`,
  )
}
