import { type ColumnDefinition, defineTable, type Predicate } from '@keelson/indexes'
import { expect, test } from 'vitest'
import { z } from 'zod'

function read(schema: z.ZodType, options?: { readonly io: 'input' | 'output' }) {
  const { columns, checks, notEnforced } = defineTable(
    't',
    z.object({ f: schema }),
    undefined,
    options,
  )
  const { name: _, ...column } = columns[0]!
  return {
    column,
    checks: checks.map(({ predicate }) => words(predicate)),
    notEnforced: (notEnforced ?? []).map(({ what }) => what),
  }
}

function words(predicate: Predicate): string {
  if (predicate.kind === 'in') return `in ${predicate.values.map(String).join(', ')}`
  if (predicate.kind !== 'compare') return predicate.kind
  const { expression, operator, value } = predicate
  return `${expression.kind === 'call' ? expression.function : expression.kind} ${operator} ${String(value)}`
}

const kind = (name: ColumnDefinition['type']['kind']) =>
  ({ kind: name }) as ColumnDefinition['type']

const types: readonly (readonly [
  string,
  z.ZodType,
  ColumnDefinition['type'],
  nullable?: boolean,
])[] = [
  ['string', z.string(), kind('string')],
  ['string.max', z.string().max(5).max(3), { kind: 'string', maxLength: 3 }],
  ['string.length', z.string().length(4), { kind: 'string', maxLength: 4 }],
  ['uuid', z.uuid(), kind('uuid')],
  ['uuidv7', z.uuidv7(), kind('uuid')],
  ['guid', z.guid(), kind('uuid')],
  ['uuid as a check', z.string().check(z.uuid()), kind('uuid')],
  ['uuid that a function changes', z.uuid().toLowerCase(), kind('string')],
  ['email', z.email(), kind('string')],
  ['iso.date', z.iso.date(), kind('date')],
  ['iso.time', z.iso.time(), kind('string')],
  ['iso.datetime', z.iso.datetime(), kind('datetime')],
  ['iso.datetime with an offset', z.iso.datetime({ offset: true }), kind('datetime')],
  ['iso.datetime without a zone', z.iso.datetime({ local: true }), kind('string')],
  ['iso.datetime with microseconds', z.iso.datetime({ precision: 6 }), kind('string')],
  ['int', z.int(), kind('integer')],
  ['number().int()', z.number().int(), kind('integer')],
  ['int that a function changes', z.int().overwrite(Math.sqrt), kind('number')],
  ['int32', z.int32(), kind('int32')],
  ['uint32', z.uint32(), kind('integer')],
  ['number', z.number(), kind('number')],
  ['float32', z.float32(), kind('number')],
  ['coerced number', z.coerce.number(), kind('number')],
  ['bigint', z.bigint(), kind('bigint')],
  ['int64', z.int64(), kind('bigint')],
  ['boolean', z.boolean(), kind('boolean')],
  ['date', z.date(), kind('datetime')],
  ['enum', z.enum(['a', 'b']), { kind: 'enum', values: ['a', 'b'] }],
  ['enum of numbers', z.enum({ A: 1, B: 2 }), kind('integer')],
  ['enum of TypeScript', z.enum({ A: 0, B: 1, 0: 'A', 1: 'B' } as never), kind('integer')],
  ['enum of both', z.enum({ A: 'x', B: 2 }), kind('json')],
  ['literal', z.literal('a'), { kind: 'enum', values: ['a'] }],
  ['literal number', z.literal(1.5), kind('number')],
  ['literal with null', z.literal(['a', null]), { kind: 'enum', values: ['a'] }, true],
  [
    'union of literals',
    z.union([z.literal('a'), z.literal('b')]),
    { kind: 'enum', values: ['a', 'b'] },
  ],
  ['union with null', z.union([z.int(), z.null()]), kind('integer'), true],
  ['union of texts', z.union([z.uuid(), z.string().max(3)]), kind('string')],
  ['union of numbers', z.union([z.int32(), z.number()]), kind('number')],
  ['union of types', z.union([z.int(), z.string()]), kind('json')],
  ['object', z.object({ a: z.int() }), kind('json')],
  ['record', z.record(z.string(), z.int()), kind('json')],
  ['tuple', z.tuple([z.int()]), kind('json')],
  ['discriminated union', z.discriminatedUnion('k', [z.object({ k: z.literal(1) })]), kind('json')],
  ['intersection of objects', z.intersection(z.object({}), z.object({})), kind('json')],
  ['intersection of texts', z.intersection(z.string(), z.string()), kind('string')],
  ['json', z.json(), kind('json'), true],
  ['array', z.array(z.string()), { kind: 'array', of: { kind: 'string' } }],
  ['array of enum', z.array(z.enum(['a'])), { kind: 'array', of: { kind: 'enum', values: ['a'] } }],
  ['array of objects', z.array(z.object({})), kind('json')],
  ['array of arrays', z.array(z.array(z.int())), kind('json')],
  ['array with holes', z.array(z.int().nullable()), kind('json')],
  ['unknown', z.unknown(), kind('json'), true],
  ['optional', z.int().optional(), kind('integer'), true],
  ['nullable', z.int().nullable(), kind('integer'), true],
  ['exactOptional', z.int().exactOptional(), kind('integer'), true],
  ['nonoptional', z.int().optional().nonoptional(), kind('integer')],
  ['nullish nonoptional', z.int().nullish().nonoptional(), kind('integer'), true],
  ['default of an optional', z.int().optional().default(3), kind('integer')],
  ['readonly', z.int().readonly(), kind('integer')],
  ['brand', z.int().brand('x'), kind('integer')],
  ['catch', z.int().catch(3), kind('integer')],
  ['lazy', z.lazy(() => z.int()), kind('integer')],
  ['stringbool', z.stringbool(), kind('boolean')],
  ['preprocess', z.preprocess(String, z.string()), kind('string')],
  ['template literal', z.templateLiteral(['a', z.int()]), kind('string')],
]

test.each(types.map(([name, ...rest]) => [name, rest] as const))(
  '%s',
  (_, [schema, type, nullable = false]) => {
    expect(read(schema).column).toMatchObject({ type, nullable })
  },
)

test('a recursive object is one JSON column', () => {
  const Node: z.ZodType = z.object({
    value: z.int(),
    get children() {
      return z.array(Node)
    },
  })
  expect(read(Node).column.type).toEqual(kind('json'))
})

test('the side of a pipe that is stored is the one that is asked for', () => {
  const codec = z.codec(z.iso.datetime(), z.int(), {
    decode: (iso) => Date.parse(iso),
    encode: (ms) => new Date(ms).toISOString(),
  })
  expect(read(codec).column.type).toEqual(kind('integer'))
  expect(read(codec, { io: 'input' }).column.type).toEqual(kind('datetime'))
  expect(read(z.string().transform(Number), { io: 'input' }).column.type).toEqual(kind('string'))
  expect(read(z.string().transform(Number).pipe(z.int())).column.type).toEqual(kind('integer'))
})

const demands: readonly (readonly [
  string,
  z.ZodType,
  checks: readonly string[],
  notEnforced?: readonly string[],
])[] = [
  ['inclusive bounds', z.number().min(1).max(2), ['column >= 1', 'column <= 2']],
  ['exclusive bounds', z.number().gt(1).lt(2), ['column > 1', 'column < 2']],
  ['bounds of whole numbers', z.int().gt(1).lt(2.5), ['column >= 2', 'column <= 2']],
  ['bounds of the type itself', z.int().min(Number.MIN_SAFE_INTEGER).max(Infinity), []],
  ['the same bound twice', z.int().min(3).gt(2), ['column >= 3']],
  ['bounds of a bigint', z.bigint().gt(3n), ['column >= 4']],
  ['uint32', z.uint32(), ['column >= 0', 'column <= 4294967295']],
  ['a moment', z.date().min(new Date(0)), ['column >= 1970-01-01T00:00:00.000Z']],
  ['a text that is not empty', z.string().min(1), ['column <> ']],
  ['a text of some length', z.string().min(3).max(5), ['length >= 3']],
  ['what a wrapper demands', z.optional(z.int().min(3)), ['column >= 3']],
  ['literals', z.literal([1, 2]), ['in 1, 2']],
  [
    'what a regular expression says',
    z.string().regex(/a/).startsWith('b'),
    [],
    ['regex /a/', 'starts_with "b"'],
  ],
  ['a format', z.email(), [], ['email']],
  ['refine', z.int().refine((n) => n > 3), [], ['refine()']],
  [
    'refine on a wrapper',
    z
      .int()
      .optional()
      .refine(() => true),
    [],
    ['refine()'],
  ],
  ['multipleOf', z.int().multipleOf(5), [], ['multiple of 5']],
  ['elements of an array', z.array(z.int()).min(1), [], ['length >= 1']],
  [
    'what stands before an overwrite',
    z.string().min(5).trim().min(2),
    ['length >= 2'],
    ['overwrite()'],
  ],
  [
    'what stands under a catch',
    z.string().min(5).max(7).catch('a'),
    [],
    ['length <= 7', 'length >= 5'],
  ],
  ['an option of a union', z.union([z.int().min(5), z.int().max(1)]), [], ['>= 5', '<= 1']],
]

test.each(demands.map(([name, ...rest]) => [name, rest] as const))(
  'checks: %s',
  (_, [schema, checks, notEnforced = []]) => {
    expect(read(schema)).toMatchObject({ checks, notEnforced })
  },
)

test('a refinement of the object is listed as what no column checks', () => {
  const object = z.object({ a: z.int() }).refine(() => true)
  expect(defineTable('t', object).notEnforced).toEqual([
    { column: '*', what: 'refine()', why: 'it is a function' },
  ])
})

let reads = 0
test.each<readonly [string, z.ZodType, unknown]>([
  ['text', z.string().default('a'), 'a'],
  ['a number', z.number().default(1.5), 1.5],
  ['a boolean', z.boolean().default(false), false],
  ['a bigint', z.bigint().default(3n), 3n],
  ['an enum', z.enum(['a', 'b']).default('b'), 'b'],
  ['under a wrapper', z.int().default(3).nullable(), 3],
  ['prefault, as it is parsed', z.string().trim().prefault(' a '), 'a'],
  ['before a pipe', z.string().default('3').transform(Number).pipe(z.int()), 3],
  ['a function', z.int().default(() => reads++), undefined],
  ['the clock', z.number().default(() => Date.now()), undefined],
  ['the clock in seconds', z.int().default(() => Math.floor(Date.now() / 1_000)), undefined],
  ['the clock as text', z.string().default(() => new Date().toISOString()), undefined],
  ['the day as text', z.string().default(() => new Date().toISOString().slice(0, 10)), undefined],
  ['a constant Date', z.date().default(new Date(0)), undefined],
  ['a day', z.iso.date().default('2020-01-01'), undefined],
  ['a random UUID', z.uuid().default(() => crypto.randomUUID()), undefined],
  ['an object', z.object({}).default({}), undefined],
  ['null', z.int().nullable().default(null), undefined],
  [
    'what metadata switches off',
    z
      .int()
      .default(3)
      .meta({ db: { default: false } }),
    undefined,
  ],
  [
    'what has to be awaited',
    z
      .int()
      .default(3)
      .refine(async () => true),
    undefined,
  ],
])('DEFAULT: %s', (_, schema, value) => {
  const { column } = read(schema)
  expect(column.default).toEqual(value === undefined ? undefined : { kind: 'value', value })
})
