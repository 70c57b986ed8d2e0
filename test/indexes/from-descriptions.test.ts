import {
  dropTableSql,
  type DescriptionRow,
  fromDescriptions,
  type FromDescriptionsOptions,
} from '@keelson/indexes'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Kysely } from 'kysely'
import { creating, liveEngines, openDatabase, run } from './fixture.ts'

const rows: readonly DescriptionRow[] = [
  { name: 'id', type: 'uuid' },
  {
    name: 'title',
    type: 'text',
    required: 1,
    is_indexed: 1,
    default: 'none',
    description: 'what it says',
  },
  { name: 'email', type: 'String', is_unique: true },
  { name: 'votes', type: 'integer', required: true, default: '3' },
  { name: 'ratio', type: 'float', default: 1.5 },
  { name: 'done', type: 'boolean', required: 1, default: 'false' },
  { name: 'due', type: 'date' },
  { name: 'at', type: 'timestamp' },
  { name: 'data', type: 'object', default: { a: 1 } },
  { name: 'huge', type: 'bigint', default: '9007199254740993', db_type: '{"duckdb":"HUGEINT"}' },
  { name: 'price', type: 'decimal(10, 2)', default: '0.50' },
]

test('each row is a column', () => {
  const table = fromDescriptions(rows, { name: 'tickets', primaryKey: 'id', description: 'asked' })
  expect(table).toEqual({
    name: 'tickets',
    description: 'asked',
    columns: [
      { name: 'id', type: { kind: 'uuid' }, nullable: false },
      {
        name: 'title',
        type: { kind: 'string' },
        nullable: false,
        default: { kind: 'value', value: 'none' },
        description: 'what it says',
      },
      { name: 'email', type: { kind: 'string' }, nullable: true },
      {
        name: 'votes',
        type: { kind: 'integer' },
        nullable: false,
        default: { kind: 'value', value: 3 },
      },
      {
        name: 'ratio',
        type: { kind: 'number' },
        nullable: true,
        default: { kind: 'value', value: 1.5 },
      },
      {
        name: 'done',
        type: { kind: 'boolean' },
        nullable: false,
        default: { kind: 'value', value: false },
      },
      { name: 'due', type: { kind: 'date' }, nullable: true },
      { name: 'at', type: { kind: 'datetime' }, nullable: true },
      {
        name: 'data',
        type: { kind: 'json' },
        nullable: true,
        default: { kind: 'value', value: '{"a":1}' },
      },
      {
        name: 'huge',
        type: { kind: 'bigint' },
        nullable: true,
        default: { kind: 'value', value: 9_007_199_254_740_993n },
        override: { duckdb: 'HUGEINT' },
      },
      {
        name: 'price',
        type: { kind: 'decimal', precision: 10, scale: 2 },
        nullable: true,
        default: { kind: 'value', value: '0.50' },
      },
    ],
    primaryKey: ['id'],
    indexes: [
      { keys: [{ expression: { kind: 'column', name: 'title' } }], unique: false },
      { keys: [{ expression: { kind: 'column', name: 'email' } }], unique: true },
    ],
    foreignKeys: [],
    checks: [],
    queries: [],
  })
})

describe.each(liveEngines)('%s', (engine) => {
  let db: Kysely<any>
  beforeAll(async () => {
    db = await openDatabase(engine)
  })
  afterAll(() => db.destroy())

  test('the table of the rows is created, and fills in its defaults', async () => {
    const table = fromDescriptions(rows, { name: 'tickets', primaryKey: 'id' })
    await run(db, ...creating(table, engine))
    await db.insertInto('tickets').values({ id: '00000000-0000-4000-8000-000000000000' }).execute()
    const [row] = await db.selectFrom('tickets').select(['title', 'ratio', 'price']).execute()
    expect({ ...row, ratio: Number(row!['ratio']) }).toEqual({
      title: 'none',
      ratio: 1.5,
      price: '0.50',
    })
    await run(db, ...dropTableSql(table, engine))
  })
})

test('a type of the engine without its name is that of the engine in the options', () => {
  const row = { name: 'a', type: 'string', db_type: 'VARCHAR(20)' }
  const { columns } = fromDescriptions([row], { name: 't', engine: 'duckdb' })
  expect(columns[0]!.override).toEqual({ duckdb: 'VARCHAR(20)' })
})

test.each<readonly [string, unknown, string]>([
  ['no object', null, 'Row 1 of the descriptions of t cannot be a column: it is null.'],
  [
    'no name',
    { type: 'string' },
    'Row 1 of the descriptions of t cannot be a column: its `name` is undefined.',
  ],
  [
    'an unknown type',
    { name: 'a', type: 'strng' },
    'Row 1 (a) of the descriptions of t cannot be a column: its `type` is "strng". It takes string, text,',
  ],
  ['too many digits', { name: 'a', type: 'decimal(39,0)' }, 'its `type` is "decimal(39,0)"'],
  [
    'a flag that is none',
    { name: 'a', type: 'text', required: 'yes' },
    'its `required` is "yes". It takes a boolean, 0 or 1.',
  ],
  [
    'a default of another type',
    { name: 'a', type: 'int', default: '1.5' },
    'its `default` is "1.5". The column holds integer.',
  ],
  [
    'a default that is no UUID',
    { name: 'a', type: 'uuid', default: 'x' },
    'takes only what is a UUID',
  ],
  [
    'a type without an engine',
    { name: 'a', type: 'text', db_type: 'VARCHAR' },
    'does not say of which engine it is',
  ],
  [
    'JSON that is none',
    { name: 'a', type: 'text', db_type: '{duckdb' },
    'its `db_type` is "{duckdb"',
  ],
  [
    'SQL as a type',
    { name: 'a', type: 'text', db_type: { duckdb: 'TEXT); drop table x' } },
    'Row 1 (a) has {"duckdb":"TEXT); drop table x"} as `type`.',
  ],
  ['a name twice', { name: 'first', type: 'text' }, 't has the column "first" twice.'],
  [
    'a name that needs quotes',
    { name: 'a"b', type: 'text' },
    'strict names have only ASCII letters',
  ],
])('refuses a row with %s', (_, row, message) => {
  const all = [{ name: 'first', type: 'text' }, row as DescriptionRow]
  expect(() => fromDescriptions(all, { name: 't' })).toThrow(message)
})

test('refuses options that nobody reads', () => {
  expect(() =>
    fromDescriptions([], { name: 't', primarykey: 'a' } as FromDescriptionsOptions),
  ).toThrow('Did you mean `primaryKey`?')
  expect(() => fromDescriptions([], { name: 't' })).toThrow('t has no columns.')
})
