import { defineTable, type InferRow, type SchemaError } from '@keelson/indexes'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import * as mini from 'zod/mini'

const Ticket = z.object({
  id: z.uuid().meta({ db: { primaryKey: true } }),
  tenantId: z.uuid(),
  email: z.email().max(255).optional(),
  status: z.enum(['open', 'closed']).default('open'),
  votes: z.int(),
  big: z.bigint(),
  isDone: z.boolean(),
  createdAt: z.date(),
  data: z.object({
    price: z.number(),
    label: z.string().optional(),
    items: z.array(z.object({ sku: z.string() })),
  }),
  anything: z.unknown(),
})

const column = (name: string) => ({ kind: 'column', name }) as const

test('indexes, queries and checks are declared with the columns of the table', () => {
  const table = defineTable(
    'tickets',
    Ticket,
    (
      columns,
      {
        and,
        asc,
        collate,
        desc,
        eq,
        gt,
        gte,
        index,
        isNotNull,
        isNull,
        json,
        length,
        lower,
        lt,
        lte,
        ne,
        not,
        oneOf,
        or,
        query,
        unique,
        unsafeSql,
        upper,
      },
    ) => ({
      indexes: [
        index(columns.status, desc(columns.createdAt))
          .where(isNotNull(columns.email))
          .named('by_status'),
        unique(columns.tenantId, lower(columns.email)).nullsNotDistinct().including(columns.votes),
        index(json(columns.data, 'price', 'number')),
        index(json(columns.data, ['items', 0, 'sku'], 'string')),
        index(columns.data).using({ postgresql: 'gin' }),
        index(collate(asc(columns.email), 'NOCASE'), unsafeSql('random()')),
      ],
      queries: [
        query
          .where(columns.tenantId)
          .among(columns.status)
          .range(columns.createdAt)
          .sort(desc(columns.createdAt))
          .limit(),
      ],
      checks: [
        and(
          ne(columns.status, 'closed'),
          or(lt(columns.votes, 1), lte(columns.votes, 2), gt(columns.votes, 3)),
        ),
        not(oneOf(columns.big, [1n, 2])),
        gte(columns.createdAt, new Date(0)),
        isNull(upper(columns.email)),
        eq(length(columns.email), 3),
        unsafeSql('1 = 1'),
      ],
    }),
  )
  expect(table.indexes).toEqual([
    {
      name: 'by_status',
      keys: [
        { expression: column('status') },
        { expression: column('createdAt'), direction: 'desc' },
      ],
      unique: false,
      where: { kind: 'isNotNull', expression: column('email') },
    },
    {
      keys: [
        { expression: column('tenantId') },
        { expression: { kind: 'call', function: 'lower', argument: column('email') } },
      ],
      unique: true,
      nullsDistinct: false,
      include: ['votes'],
    },
    {
      keys: [{ expression: { kind: 'json', column: 'data', path: ['price'], as: 'number' } }],
      unique: false,
    },
    {
      keys: [
        { expression: { kind: 'json', column: 'data', path: ['items', 0, 'sku'], as: 'string' } },
      ],
      unique: false,
    },
    { keys: [{ expression: column('data') }], unique: false, method: { postgresql: 'gin' } },
    {
      keys: [
        { expression: column('email'), direction: 'asc', collation: 'NOCASE' },
        { expression: { kind: 'unsafeSql', sql: 'random()' } },
      ],
      unique: false,
    },
  ])
  expect(table.queries).toEqual([
    {
      equals: [column('tenantId')],
      among: [column('status')],
      ranges: [column('createdAt')],
      sort: [{ expression: column('createdAt'), direction: 'desc' }],
      limited: true,
    },
  ])
  expect(table.checks.map(({ predicate }) => predicate)).toEqual([
    {
      kind: 'and',
      operands: [
        { kind: 'compare', operator: '<>', expression: column('status'), value: 'closed' },
        {
          kind: 'or',
          operands: [
            { kind: 'compare', operator: '<', expression: column('votes'), value: 1 },
            { kind: 'compare', operator: '<=', expression: column('votes'), value: 2 },
            { kind: 'compare', operator: '>', expression: column('votes'), value: 3 },
          ],
        },
      ],
    },
    { kind: 'not', operand: { kind: 'in', expression: column('big'), values: [1n, 2] } },
    {
      kind: 'compare',
      operator: '>=',
      expression: column('createdAt'),
      value: '1970-01-01T00:00:00.000Z',
    },
    { kind: 'isNull', expression: { kind: 'call', function: 'upper', argument: column('email') } },
    {
      kind: 'compare',
      operator: '=',
      expression: { kind: 'call', function: 'length', argument: column('email') },
      value: 3,
    },
    { kind: 'unsafeSql', sql: '1 = 1' },
  ])
  expect(table.primaryKey).toEqual(['id'])
})

test('a builder that was extended stays as it was', () => {
  const patterns = defineTable('tickets', Ticket, (columns, { query }) => {
    const byTenant = query.where(columns.tenantId)
    return { queries: [byTenant, byTenant.sort(columns.votes), byTenant.limit()] }
  }).queries
  expect(patterns.map(({ sort, limited }) => [sort.length, limited])).toEqual([
    [0, false],
    [1, false],
    [0, true],
  ])
})

test('what is said of a column by its field becomes a key, an index, a foreign key', () => {
  const table = defineTable(
    'members',
    z.object({
      tenant: z.uuid().meta({
        db: {
          primaryKey: true,
          name: 'tenant_id',
          references: { table: 'tenants', column: 'id', onDelete: 'cascade' },
        },
      }),
      number: z.int().meta({ db: { primaryKey: true, identity: true } }),
      email: z
        .email()
        .meta({ db: { unique: true } })
        .optional()
        .describe('where to write to'),
      age: z.int32().meta({ db: { index: true } }),
      huge: z.bigint().meta({ db: { type: { duckdb: 'HUGEINT' } } }),
      amount: z.string().meta({ db: { decimal: [20, 4] } }),
      file: z.instanceof(Uint8Array).meta({ db: { kind: 'blob' } }),
      since: z.date().meta({ db: { default: 'now' } }),
    }),
  )
  expect(table.primaryKey).toEqual(['tenant_id', 'number'])
  expect(table.foreignKeys).toEqual([
    {
      columns: ['tenant_id'],
      referencedTable: 'tenants',
      referencedColumns: ['id'],
      onDelete: 'cascade',
    },
  ])
  expect(table.indexes).toEqual([
    { keys: [{ expression: column('email') }], unique: true },
    { keys: [{ expression: column('age') }], unique: false },
  ])
  expect(table.columns).toEqual([
    { name: 'tenant_id', type: { kind: 'uuid' }, nullable: false },
    { name: 'number', type: { kind: 'integer' }, nullable: false, identity: true },
    { name: 'email', type: { kind: 'string' }, nullable: true, description: 'where to write to' },
    { name: 'age', type: { kind: 'int32' }, nullable: false },
    { name: 'huge', type: { kind: 'bigint' }, nullable: false, override: { duckdb: 'HUGEINT' } },
    { name: 'amount', type: { kind: 'decimal', precision: 20, scale: 4 }, nullable: false },
    { name: 'file', type: { kind: 'blob' }, nullable: false },
    { name: 'since', type: { kind: 'datetime' }, nullable: false, default: { kind: 'now' } },
  ])
})

test('metadata on the outside wins over metadata further in, key by key', () => {
  const table = defineTable(
    't',
    z.object({
      a: z
        .string()
        .meta({ db: { unique: true, name: 'inner' } })
        .optional()
        .meta({ db: { name: 'outer' } }),
    }),
  )
  expect(table.columns[0]).toMatchObject({ name: 'outer' })
  expect(table.indexes).toEqual([{ keys: [{ expression: column('outer') }], unique: true }])
})

test('a field is no primary key by its name', () => {
  expect(defineTable('t', z.object({ id: z.uuid() })).primaryKey).toEqual([])
})

test('the parts of a table say the primary key in an order of their own', () => {
  const table = defineTable('t', z.object({ a: z.int(), b: z.int() }), ({ a, b }) => ({
    primaryKey: [b, a],
  }))
  expect(table.primaryKey).toEqual(['b', 'a'])
})

test('zod/mini is read alike', () => {
  const table = defineTable(
    't',
    mini.object({
      a: mini.optional(mini.string().check(mini.maxLength(3), mini.minLength(2))),
      b: mini._default(mini.int().check(mini.gt(3)), 5),
      c: mini.string().register(mini.globalRegistry, { db: { unique: true } }),
    }),
  )
  expect(table.columns).toEqual([
    { name: 'a', type: { kind: 'string', maxLength: 3 }, nullable: true },
    { name: 'b', type: { kind: 'integer' }, nullable: false, default: { kind: 'value', value: 5 } },
    { name: 'c', type: { kind: 'string' }, nullable: false },
  ])
  expect(table.indexes).toHaveLength(1)
})

test('the table is plain data', () => {
  const table = defineTable('t', z.object({ a: z.int().min(3).optional() }))
  expect(JSON.parse(JSON.stringify(table))).toEqual(table)
})

test('types: rows are those of the zod object', () => {
  const tickets = defineTable('tickets', Ticket)
  expectTypeOf<InferRow<typeof tickets>>().toEqualTypeOf<z.output<typeof Ticket>>()
  const given = defineTable('tickets', Ticket, undefined, { io: 'input' })
  expectTypeOf<InferRow<typeof given>>().toEqualTypeOf<z.input<typeof Ticket>>()
})

test('types: columns, values and paths are those of the zod object', () => {
  const never = (): unknown =>
    defineTable('tickets', Ticket, (columns, { desc, eq, gt, index, json, oneOf, query }) => ({
      indexes: [
        // @ts-expect-error there is no such column
        index(columns.sttus),
        // @ts-expect-error there is no such column
        index(desc(columns.createdat)),
        // @ts-expect-error an index has a key
        index(),
        // @ts-expect-error there is no such path
        index(json(columns.data, 'prize', 'number')),
        // @ts-expect-error price is a number
        index(json(columns.data, 'price', 'string')),
        // @ts-expect-error an array has positions
        index(json(columns.data, ['items', 'sku'], 'string')),
        // @ts-expect-error there is no such engine
        index(columns.data).using({ postgres: 'gin' }),
        index(json(columns.data, ['label'], 'string')),
        // What is in there is not known.
        index(json(columns.anything, ['a', 3, 'b'], 'boolean')),
      ],
      // @ts-expect-error there is no such column
      queries: [query.where(columns.tenant)],
      checks: [
        // @ts-expect-error there is no such status
        eq(columns.status, 'opened'),
        // @ts-expect-error votes is a number
        gt(columns.votes, '1'),
        // @ts-expect-error NULL is compared by isNull()
        eq(columns.email, null),
        // @ts-expect-error one of them is no status
        oneOf(columns.status, ['open', 'x']),
        // @ts-expect-error price is a number
        eq(json(columns.data, 'price', 'number'), '1'),
        // @ts-expect-error isDone is a boolean
        eq(columns.isDone, 1),
        eq(columns.big, 1),
        eq(columns.createdAt, '2020-01-01T00:00:00.000Z'),
      ],
    }))
  expectTypeOf(never).toBeFunction()
  const meta = (): unknown => [
    z.string().meta({ db: { unique: true } }),
    // @ts-expect-error a misspelled key
    z.string().meta({ db: { uniq: true } }),
    // @ts-expect-error no kind of column
    z.string().meta({ db: { kind: 'text' } }),
  ]
  expectTypeOf(meta).toBeFunction()
})

test('without a compiler a misspelled column is an error that says so', () => {
  expect(() =>
    defineTable('t', z.object({ a: z.int() }), (columns: any, { index }) => ({
      indexes: [index(columns.b)],
    })),
  ).toThrow(
    'index() cannot use undefined. It takes a column of the table, or what another of the operators returns.',
  )
  expect(() =>
    defineTable('t', z.object({ a: z.int() }), (columns, { eq }) => ({
      checks: [eq(columns.a, null as never)],
    })),
  ).toThrow(
    'eq() cannot use null. It takes text, a finite number, a boolean or a Date; for NULL use isNull().',
  )
  expect(() => defineTable('t', z.object({ a: z.int() }), () => ({ index: [] }) as never)).toThrow(
    'has no option `index`. Did you mean `indexes`?',
  )
  expect(() =>
    defineTable('t', z.object({ a: z.int() }), undefined, { shema: 'x' } as never),
  ).toThrow('Did you mean `schema`?')
})

test.each<readonly [string, z.ZodType, SchemaError['code'], string]>([
  [
    'an unknown key',
    z.string().meta({ db: { uniqe: true } as never }),
    'UNKNOWN_META',
    '`db` of t.f has no option `uniqe`. Did you mean `unique`?',
  ],
  [
    'a wrong value',
    z.string().meta({ db: { unique: 'yes' as never } }),
    'INVALID_META',
    '`db` of t.f has "yes" as `unique`. It takes true or false.',
  ],
  [
    'SQL as a type',
    z.string().meta({ db: { type: { sqlite: "TEXT DEFAULT 'a'" } } }),
    'INVALID_META',
    "It takes types by engine, such as { duckdb: 'HUGEINT' }.",
  ],
  [
    'another statement as a type',
    z.string().meta({ db: { type: { sqlite: 'TEXT); drop table x; --' } } }),
    'INVALID_META',
    'It takes types by engine',
  ],
  [
    'more digits than there are',
    z.string().meta({ db: { decimal: [39, 0] } }),
    'INVALID_META',
    'It takes [precision, scale]',
  ],
  [
    'a key that may be missing',
    z
      .string()
      .optional()
      .meta({ db: { primaryKey: true } }),
    'INVALID_KEY',
    't.f is in the primary key and may be missing. Make it required.',
  ],
  [
    'metadata inside of JSON',
    z.object({ a: z.string().meta({ db: { index: true } }) }),
    'INVALID_META',
    '`db` of t.f.a has nothing to be about: t.f is one JSON column. For an index over the value use index(json(columns.f, ...)) in defineTable().',
  ],
  [
    'a bigint inside of JSON',
    z.object({ a: z.array(z.bigint()) }),
    'UNSUPPORTED_TYPE',
    't.f.a.* is a bigint, which JSON cannot hold.',
  ],
  [
    'a function at the end',
    z.string().transform((text) => text.length),
    'UNSUPPORTED_TYPE',
    't.f cannot be a column: what a function makes of it is not known before it is called.',
  ],
  [
    'a class',
    z.instanceof(Uint8Array),
    'UNSUPPORTED_TYPE',
    "Say it with `db: { kind: 'blob' }`, or another kind.",
  ],
  ['a Map', z.map(z.string(), z.string()), 'UNSUPPORTED_TYPE', 'Use z.record().'],
  ['a Set', z.set(z.string()), 'UNSUPPORTED_TYPE', 'Use z.array().'],
  ['a File', z.file(), 'UNSUPPORTED_TYPE', 'a File is not bytes yet.'],
  ['64 bits without a sign', z.uint64(), 'UNSUPPORTED_TYPE', 'z.uint64() goes up to 2^64-1'],
  ['a symbol', z.symbol(), 'UNSUPPORTED_TYPE', 'no column holds a symbol'],
  ['nothing but null', z.null(), 'UNSUPPORTED_TYPE', 'Leave it out.'],
  [
    'a default that the schema refuses',
    z.string().min(3).default('a'),
    'INVALID_DEFAULT',
    't.f has "a" as its default, and takes only what is length >= 3. Change one of them.',
  ],
  [
    'a default that is too long',
    z.string().max(3).default('abcd'),
    'INVALID_DEFAULT',
    'at most 3 characters long',
  ],
  [
    'a default beyond 32 bits',
    z.int32().default(2 ** 31),
    'INVALID_DEFAULT',
    'takes only what is a whole number of 32 bits',
  ],
])('refuses %s', (_, schema, code, message) => {
  const define = (): unknown => defineTable('t', z.object({ f: schema }))
  expect(define).toThrow(expect.objectContaining({ code, table: 't', field: 'f' }))
  expect(define).toThrow(message)
})

test('refuses a schema without an end, an object without fields, and what is no object', () => {
  const endless: z.ZodType = z.lazy(() => endless)
  expect(() => defineTable('t', z.object({ f: endless }))).toThrow(
    'it stands for itself, without end',
  )
  expect(() => defineTable('t', z.object({}))).toThrow(
    't has no columns. A table has at least one.',
  )
  expect(() => defineTable('t', z.string() as never)).toThrow(
    'The schema of t is a string, and a table is made of an object.',
  )
  expect(() => defineTable('t', { shape: {} } as never)).toThrow(
    'The schema of t is not a schema of zod 4.',
  )
  expect(() => defineTable('', z.object({ a: z.int() }))).toThrow('it is empty')
  expect(() => defineTable('t', z.object({ 'a\0': z.int() }))).toThrow(
    'it contains a NUL character',
  )
})

test('metadata of a column on the object is refused', () => {
  const object = z.object({ a: z.int() }).meta({ db: { index: true } })
  expect(() => defineTable('t', object)).toThrow(
    '`db` of t stands on the object, and is about a column.',
  )
})

test('a foreign key, a check or an index over a column that is not there is refused', () => {
  const Row = z.object({ a: z.int() })
  expect(() =>
    defineTable('t', Row, () => ({
      foreignKeys: [{ columns: ['b'], referencedTable: 'x', referencedColumns: ['id'] }],
    })),
  ).toThrow('A foreign key of t names "b", which is none of its columns: a.')
  const strange = { kind: 'column', name: 'b' } as const
  expect(() => defineTable('t', Row, (_, { isNull }) => ({ checks: [isNull(strange)] }))).toThrow(
    'A check of t',
  )
  expect(() => defineTable('t', Row, (_, { index }) => ({ indexes: [index(strange)] }))).toThrow(
    'An index of t',
  )
  expect(() =>
    defineTable('t', Row, (_, { query }) => ({ queries: [query.where(strange)] })),
  ).toThrow('A query of t')
})
