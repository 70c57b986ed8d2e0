import { dropTableSql, fromJsonSchema, type TableDefinition } from '@keelson/indexes'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import { creating, liveEngines, openDatabase, run } from './fixture.ts'

function read(
  property: unknown,
  required = true,
): Pick<TableDefinition, 'columns' | 'checks' | 'notEnforced'> {
  return fromJsonSchema(
    {
      properties: { f: property },
      required: required ? ['f'] : [],
      $defs: {
        short: { type: 'string', maxLength: 3 },
        self: { $ref: '#/$defs/self' },
        'a/b~c': { type: 'integer' },
      },
    },
    { name: 't' },
  )
}

test.each<readonly [unknown, object, nullable?: boolean]>([
  [{ type: 'string' }, { kind: 'string' }],
  [
    { type: 'string', maxLength: 5 },
    { kind: 'string', maxLength: 5 },
  ],
  [{ type: 'string', format: 'uuid' }, { kind: 'uuid' }],
  [{ type: 'string', format: 'date' }, { kind: 'date' }],
  [{ type: 'string', format: 'date-time' }, { kind: 'datetime' }],
  [{ type: 'string', format: 'email' }, { kind: 'string' }],
  [{ type: 'integer' }, { kind: 'integer' }],
  [{ type: 'integer', format: 'int32' }, { kind: 'int32' }],
  [{ type: 'integer', format: 'int64' }, { kind: 'bigint' }],
  [{ type: 'number' }, { kind: 'number' }],
  [{ type: 'boolean' }, { kind: 'boolean' }],
  [{ type: 'object' }, { kind: 'json' }],
  [{ properties: {} }, { kind: 'json' }],
  [
    { type: 'array', items: { type: 'integer' } },
    { kind: 'array', of: { kind: 'integer' } },
  ],
  [{ type: 'array', items: { type: ['integer', 'null'] } }, { kind: 'json' }],
  [{ type: 'array' }, { kind: 'json' }],
  [{ enum: ['a', 'b'] }, { kind: 'enum', values: ['a', 'b'] }],
  [{ enum: ['a', null] }, { kind: 'enum', values: ['a'] }, true],
  [{ enum: [1, 2] }, { kind: 'integer' }],
  [{ const: true }, { kind: 'boolean' }],
  [{ enum: ['a', 1] }, { kind: 'json' }],
  [{ type: ['string', 'null'] }, { kind: 'string' }, true],
  [{ type: ['string', 'integer'] }, { kind: 'json' }],
  [{ type: 'string', nullable: true }, { kind: 'string' }, true],
  [{ anyOf: [{ type: 'integer' }, { type: 'null' }] }, { kind: 'integer' }, true],
  [{ oneOf: [{ type: 'integer' }, { type: 'number' }] }, { kind: 'number' }],
  [{ allOf: [{ type: 'string' }, { maxLength: 3 }] }, { kind: 'string', maxLength: 3 }],
  [{ $ref: '#/$defs/short' }, { kind: 'string', maxLength: 3 }],
  [{ $ref: '#/$defs/a~1b~0c' }, { kind: 'integer' }],
  [true, { kind: 'json' }, true],
  [{}, { kind: 'json' }, true],
])('%j', (property, type, nullable = false) => {
  expect(read(property).columns).toEqual([{ name: 'f', type, nullable }])
  expect(read(property, false).columns).toEqual([{ name: 'f', type, nullable: true }])
})

test('bounds and lengths become checks, the rest is listed', () => {
  const checks = (property: unknown): readonly unknown[] =>
    read(property).checks.map(({ predicate }) =>
      predicate.kind === 'compare'
        ? `${predicate.operator} ${String(predicate.value)}`
        : predicate.kind,
    )
  expect(checks({ type: 'number', minimum: 1, exclusiveMaximum: 2 })).toEqual(['>= 1', '< 2'])
  expect(checks({ type: 'number', minimum: 1, exclusiveMinimum: true })).toEqual(['> 1'])
  expect(checks({ type: 'integer', exclusiveMinimum: 1, maximum: 2.5 })).toEqual(['>= 2', '<= 2'])
  expect(checks({ type: 'string', minLength: 2 })).toEqual(['>= 2'])
  expect(checks({ enum: [1, 2] })).toEqual(['in'])
  const { notEnforced } = read({
    type: 'string',
    pattern: '^a',
    format: 'email',
    not: { const: 'a' },
  })
  expect(notEnforced!.map(({ what }) => what)).toEqual(['pattern ^a', 'email', 'not'])
})

test('a default that is a constant is one of the column, which is then never missing', () => {
  const { columns } = fromJsonSchema(
    {
      properties: {
        a: { type: 'string', default: 'x' },
        b: { type: 'integer', format: 'int64', default: 3 },
        c: { type: 'array', default: [] },
        d: { type: 'string', format: 'date-time', 'x-db': { default: 'now' } },
      },
      required: ['c', 'd'],
    },
    { name: 't' },
  )
  expect(columns.map((column) => [column.nullable, column.default])).toEqual([
    [false, { kind: 'value', value: 'x' }],
    [false, { kind: 'value', value: 3n }],
    [false, undefined],
    [false, { kind: 'now' }],
  ])
})

const schema = {
  type: 'object',
  description: 'What people ask',
  primaryKey: 'id',
  properties: {
    id: { type: 'string', format: 'uuid' },
    status: { enum: ['open', 'closed'], description: 'where it stands' },
    at: { type: 'string', format: 'date-time' },
    email: { type: 'string', 'x-db': { unique: true, name: 'mail' } },
    data: { type: 'object', properties: { price: { type: 'number' } } },
  },
  required: ['status', 'at'],
  indexes: ['at', ['status', 'at'], 'data.price'],
  'x-db': {
    unique: [
      { keys: ['status', { column: 'email', direction: 'desc' }], name: 'one', include: ['at'] },
    ],
  },
} as const

test("keys and indexes are declared as RxDB's, or in x-db", () => {
  const table = fromJsonSchema(schema, { name: 'tickets' })
  expect(table.primaryKey).toEqual(['id'])
  expect(table.description).toBe('What people ask')
  expect(table.columns[0]).toEqual({ name: 'id', type: { kind: 'uuid' }, nullable: false })
  const column = (name: string) => ({ expression: { kind: 'column', name } })
  expect(table.indexes).toEqual([
    { keys: [column('mail')], unique: true },
    { keys: [column('at')], unique: false },
    { keys: [column('status'), column('at')], unique: false },
    {
      keys: [{ expression: { kind: 'json', column: 'data', path: ['price'], as: 'number' } }],
      unique: false,
    },
    {
      name: 'one',
      keys: [column('status'), { ...column('mail'), direction: 'desc' }],
      unique: true,
      include: ['at'],
    },
  ])
})

test('what zod makes a JSON Schema of is the same table', () => {
  const object = z.object({
    a: z
      .string()
      .min(2)
      .max(5)
      .meta({ db: { unique: true } }),
    b: z.int().min(3).optional(),
    c: z.enum(['x', 'y']).nullable(),
  })
  const table = fromJsonSchema(z.toJSONSchema(object) as Record<string, unknown>, { name: 't' })
  expect(table).toMatchObject({
    columns: [
      { name: 'a', type: { kind: 'string', maxLength: 5 }, nullable: false },
      { name: 'b', type: { kind: 'integer' }, nullable: true },
      { name: 'c', type: { kind: 'enum', values: ['x', 'y'] }, nullable: true },
    ],
    indexes: [{ unique: true }],
  })
})

describe.each(liveEngines)('%s', (engine) => {
  let db: Kysely<any>
  beforeAll(async () => {
    db = await openDatabase(engine)
  })
  afterAll(() => db.destroy())

  test('the table of a JSON Schema is created and takes a row', async () => {
    // Indexes over JSON and over other columns besides their keys are not every engine's.
    const whole = fromJsonSchema(schema, { name: 'tickets' })
    const table = { ...whole, indexes: engine === 'postgresql' ? whole.indexes : [] }
    await run(db, ...creating(table, engine))
    const row = {
      id: '00000000-0000-4000-8000-000000000000',
      status: 'open',
      at: '2020-01-01T00:00:00.000Z',
      mail: 'a',
      data: '{"price":1}',
    }
    await db.insertInto('tickets').values(row).execute()
    await expect(
      db
        .insertInto('tickets')
        .values({ ...row, id: '00000000-0000-4000-8000-000000000001', mail: 'b', status: 'other' })
        .execute(),
    ).rejects.toThrow(/check/i)
    await run(db, ...dropTableSql(table, engine))
  })
})

test.each<readonly [string, Record<string, unknown>, string]>([
  [
    'a name that needs quotes',
    { properties: { 'a b': {} } },
    'strict names have only ASCII letters',
  ],
  [
    'SQL as a type',
    { properties: { a: { 'x-db': { type: { sqlite: 'text); drop table x' } } } } },
    'It takes types by engine',
  ],
  [
    'an unknown type',
    { properties: { a: { type: 'text' } } },
    't.a cannot be a column: JSON Schema has no type "text".',
  ],
  [
    'a reference to nothing',
    { properties: { a: { $ref: '#/$defs/x' } } },
    'there is no #/$defs/x in the schema',
  ],
  [
    'another document',
    { properties: { a: { $ref: 'https://example.com/x' } } },
    'there is no https://example.com/x',
  ],
  [
    'a reference without an end',
    { properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { $ref: '#/$defs/a' } } },
    'stands for itself, without end',
  ],
  [
    'parts that contradict each other',
    { properties: { a: { allOf: [{ type: 'string' }, { type: 'integer' }] } } },
    'parts of allOf say different things of `type`',
  ],
  ['nothing but null', { properties: { a: { type: 'null' } } }, 'it is nothing but null'],
  [
    'a default of another type',
    { properties: { a: { type: 'integer', default: 'x' } } },
    't.a has "x" as its default, and takes only what is a whole number.',
  ],
  [
    'a default that is no day',
    { properties: { a: { type: 'string', format: 'date', default: '2020-13-01' } } },
    'YYYY-MM-DD',
  ],
  [
    'an unknown column',
    { properties: { a: {} }, indexes: ['b'] },
    'An index of t names "b", which is none of its columns: a.',
  ],
  [
    'a path to what is not declared',
    { properties: { a: { type: 'object' } }, indexes: ['a.b'] },
    'An index of t is over "a.b", which is no string, number, integer or boolean',
  ],
  ['an index that is no list', { properties: { a: {} }, indexes: 'a' }, 'It takes an array'],
  [
    'a condition, which could be SQL',
    { properties: { a: {} }, indexes: [{ keys: ['a'], where: { kind: 'unsafeSql', sql: '1' } }] },
    'It takes the name of a property',
  ],
  [
    'unknown metadata',
    { properties: { a: {} }, 'x-db': { index: ['a'] } },
    '`x-db` of t has no "index".',
  ],
  ['no properties', { type: 'object' }, 'The schema of t has no `properties`'],
])('refuses %s', (_, given, message) => {
  expect(() => fromJsonSchema(given, { name: 't' })).toThrow(message)
})

test('a short schema that stands for an endless one ends in an error, soon', () => {
  const names = Array.from({ length: 40 }, (_, at) => `d${at}`)
  const $defs = Object.fromEntries(
    names.map((name, at) => [
      name,
      at === 39
        ? { type: 'integer' }
        : { anyOf: [{ $ref: `#/$defs/d${at + 1}` }, { $ref: `#/$defs/d${at + 1}` }] },
    ]),
  )
  expect(() =>
    fromJsonSchema({ properties: { a: { $ref: '#/$defs/d0' } }, $defs }, { name: 't' }),
  ).toThrow('it is made of more than 2000 schemas')
})

test('the name comes from the options or from the schema, and names may be any on request', () => {
  const properties = { 'a b': { type: 'integer' } }
  const table = fromJsonSchema({ properties, 'x-db': { name: 'x y' } }, { names: 'any' })
  expect([table.name, table.columns[0]!.name]).toEqual(['x y', 'a b'])
  expect(() => fromJsonSchema({ properties })).toThrow(
    "It takes the table's name, here or in the `x-db` of the schema.",
  )
})
