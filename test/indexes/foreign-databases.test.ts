import {
  canonicalTable,
  createTableSql,
  dropIndexSql,
  indexName,
  type Predicate,
} from '@keelson/indexes'
import { introspect } from '@keelson/indexes/kysely'
import type { Kysely } from 'kysely'
import { afterEach, describe, expect, it } from 'vitest'
import { creating, openDatabase, rowsOf, run, tableOf } from './fixture.ts'

let db: Kysely<any>
afterEach(() => db.destroy())

describe('tables that others have created on SQLite', () => {
  it('are read with the nearest type, and the type that they have', async () => {
    db = await openDatabase('sqlite')
    await run(
      db,
      `create table Album (
        AlbumId INTEGER PRIMARY KEY,
        Title NVARCHAR(160) NOT NULL COLLATE NOCASE,
        Price NUMERIC(10,2) DEFAULT 0.99,
        Active BOOLEAN DEFAULT TRUE,
        Released DATETIME DEFAULT CURRENT_TIMESTAMP,
        Cover BLOB,
        Anything,
        Plain TEXT DEFAULT 'x'
      )`,
    )
    const [album] = await introspect(db)
    expect(album?.columns).toEqual([
      { name: 'AlbumId', type: { kind: 'integer' }, nullable: false },
      {
        name: 'Title',
        type: { kind: 'string' },
        nullable: false,
        override: { sqlite: 'NVARCHAR(160) COLLATE NOCASE' },
      },
      {
        name: 'Price',
        type: { kind: 'decimal', precision: 10, scale: 2 },
        nullable: true,
        default: { kind: 'value', value: '0.99' },
        override: { sqlite: 'NUMERIC(10,2)' },
      },
      {
        name: 'Active',
        type: { kind: 'boolean' },
        nullable: true,
        default: { kind: 'value', value: true },
        override: { sqlite: 'BOOLEAN' },
      },
      {
        name: 'Released',
        type: { kind: 'datetime' },
        nullable: true,
        default: { kind: 'unsafeSql', sql: 'current_timestamp' },
        override: { sqlite: 'DATETIME' },
      },
      { name: 'Cover', type: { kind: 'blob' }, nullable: true },
      { name: 'Anything', type: { kind: 'blob' }, nullable: true, override: { sqlite: '' } },
      {
        name: 'Plain',
        type: { kind: 'string' },
        nullable: true,
        default: { kind: 'value', value: 'x' },
      },
    ])
    await run(db, 'drop table Album', ...creating(album!, 'sqlite'))
    expect(await introspect(db)).toEqual([album])
  })

  it('are read without views, virtual tables and the tables of those', async () => {
    db = await openDatabase('sqlite')
    await run(
      db,
      'create table plain (a)',
      'create view seen as select a from plain',
      'create view broken as select b from missing',
      'create virtual table found using fts5(body)',
    )
    expect((await introspect(db)).map(({ name }) => name)).toEqual(['plain'])
  })

  it('keep their UNIQUE constraints, which keys of other tables may refer to', async () => {
    db = await openDatabase('sqlite')
    await run(
      db,
      `create table parent (a text, b text, constraint pair unique (a, b), unique (b))`,
      `create table child (b text references parent (b) on delete cascade)`,
    )
    const [parent, child] = await introspect(db)
    expect(parent?.indexes.map(({ keys, constraint }) => [keys.length, constraint])).toEqual([
      [2, true],
      [1, true],
    ])
    expect(child?.foreignKeys).toEqual([
      {
        name: expect.stringMatching(/^fk_child_b_/),
        columns: ['b'],
        referencedTable: 'parent',
        referencedColumns: ['b'],
        onDelete: 'cascade',
      },
    ])
    await run(db, 'drop table child', 'drop table parent')
    await run(db, ...createTableSql(parent!, 'sqlite'), ...createTableSql(child!, 'sqlite'))
    await run(db, `insert into parent values ('a', 'b')`, `insert into child values ('b')`)
    expect(await introspect(db)).toEqual([parent, child])
  })

  it('say what they have and no definition says', async () => {
    db = await openDatabase('sqlite')
    await run(
      db,
      'create table parent (id text primary key) strict, without rowid',
      `create table child (
        a text references parent (id) deferrable initially deferred,
        b text references parent (id) not deferrable initially immediate,
        c text references parent (id) deferrable
      ) strict`,
    )
    const [parent, child] = await introspect(db)
    expect(parent?.notEnforced).toEqual([
      { column: '*', what: 'without rowid', why: expect.any(String) },
    ])
    expect(child?.notEnforced?.map(({ column, what }) => [column, what])).toEqual([
      ['a', 'deferrable initially deferred'],
      ['c', 'deferrable'],
    ])
  })

  it('are read from an attached database', async () => {
    db = await openDatabase('sqlite')
    await run(
      db,
      `attach ':memory:' as other`,
      'create table other.t (a text)',
      'create table t (b text)',
    )
    const [table] = await introspect(db, { schema: 'other' })
    expect(table).toMatchObject({ name: 't', schema: 'other', columns: [{ name: 'a' }] })
  })

  it('get their indexes in an attached database, and lose them there', async () => {
    db = await openDatabase('sqlite')
    await run(db, `attach ':memory:' as other`, 'create table t (a text)')
    const index = { keys: [{ expression: { kind: 'column', name: 'a' } as const }], unique: false }
    const table = { ...tableOf('t', { a: { kind: 'string' } }), schema: 'other', indexes: [index] }
    await run(db, ...creating(table, 'sqlite'))
    const where = `select name from other.sqlite_schema where type = 'index'`
    expect(await rowsOf(db, where)).toEqual([{ name: indexName(table, index, 'sqlite') }])
    await run(db, dropIndexSql(table, index, 'sqlite'))
    expect(await rowsOf(db, where)).toEqual([])
  })
})

const price = { kind: 'column', name: 'price' } as const
const title = { kind: 'column', name: 'title' } as const

/** What each condition means; none is a condition that no predicate says. */
const conditions: readonly (readonly [string, Predicate | undefined])[] = [
  ['price > 5', { kind: 'compare', operator: '>', expression: price, value: 5 }],
  ['5 < price', { kind: 'compare', operator: '>', expression: price, value: 5 }],
  ['PRICE != -5', { kind: 'compare', operator: '<>', expression: price, value: -5 }],
  ['"price" is not null', { kind: 'isNotNull', expression: price }],
  [
    'price between 1 and 3',
    {
      kind: 'and',
      operands: [
        { kind: 'compare', operator: '>=', expression: price, value: 1 },
        { kind: 'compare', operator: '<=', expression: price, value: 3 },
      ],
    },
  ],
  [
    `not (title = 'a' or price is null)`,
    {
      kind: 'and',
      operands: [
        { kind: 'compare', operator: '<>', expression: title, value: 'a' },
        { kind: 'isNotNull', expression: price },
      ],
    },
  ],
  [
    `title = 'a' or title = 'b' and price = 1`,
    {
      kind: 'or',
      operands: [
        { kind: 'compare', operator: '=', expression: title, value: 'a' },
        {
          kind: 'and',
          operands: [
            { kind: 'compare', operator: '=', expression: title, value: 'b' },
            { kind: 'compare', operator: '=', expression: price, value: 1 },
          ],
        },
      ],
    },
  ],
  [
    `title not in ('a', 'b')`,
    { kind: 'not', operand: { kind: 'in', expression: title, values: ['a', 'b'] } },
  ],
  ['price = other', undefined],
  ['price + 1 > 5', undefined],
  [`title like 'a%'`, undefined],
  [`(title || 'x') = 'ax'`, undefined],
  ['(price > 5) = (other > 5)', undefined],
  ['case when price > 5 then title is null else true end', undefined],
  ['coalesce(price, 0) > 5', undefined],
]

describe.each(['sqlite', 'duckdb', 'postgresql'] as const)('a condition on %s', (engine) => {
  it.each(conditions)('%s is never read as another', async (sql, expected) => {
    db = await openDatabase(engine)
    await run(db, `create table t (title text, price integer, other integer, check (${sql}))`)
    const [table] = await introspect(db)
    const [check] = table?.checks ?? []
    if (expected === undefined) expect(check?.predicate.kind).toBe('unsafeSql')
    else expect(check?.predicate).toEqual(expected)
    // What was read can be created again, and is read as the same.
    await run(db, 'drop table t', ...createTableSql(table!, engine))
    expect(await introspect(db)).toEqual([table])
  })
})

describe('conditions that look like another on SQLite', () => {
  it.each([
    ['a number that JavaScript cannot hold', 'n > 0.12345678901234567890'],
    ['bytes', `n = x'00'`],
    ['another operator of the same strength', 'n = m = 1'],
    ['a path in the place of a key', `data->>'$.a.b' = 'x'`],
    ['a cast', `cast(n as text) = '1'`],
    ['a collation', `data = 'x' collate nocase`],
    ['a text in the quotes of names', `(n = 1) is true`],
    ['IS with a constant', 'n is 1'],
    ['a hexadecimal number', 'n = 0x10'],
  ])('%s is kept as SQL', async (_, sql) => {
    db = await openDatabase('sqlite')
    await run(db, `create table t (n integer, m integer, data text, check (${sql}))`)
    const [table] = await introspect(db)
    expect(table?.checks[0]?.predicate).toEqual({ kind: 'unsafeSql', sql })
  })
})

describe('tables that others have created on PostgreSQL', () => {
  it('are read with all that their indexes are', async () => {
    db = await openDatabase('postgresql')
    await run(
      db,
      `create type mood as enum ('happy', 'sad')`,
      `create table t (
        id serial primary key, name varchar(20) not null, code text collate "C", m mood default 'happy',
        small smallint, data jsonb default '{"b": 1, "a": []}', at timestamptz default now(), tags text[] default '{}',
        price numeric, unique nulls not distinct (code)
      )`,
      `create index pattern on t (name text_pattern_ops, small desc nulls last)`,
      `create index path on t using gin (data jsonb_path_ops)`,
      `create index lowered on t (lower(name), (data->'a'->>0) collate "C")`,
      `create index partial on t (code collate "POSIX" desc) include (name) where m = 'sad' and name <> 'x'`,
      `create index computed on t ((small + 1), (coalesce(name, code)))`,
      `create view seen as select * from t`,
      `create table parts (id int) partition by range (id)`,
      `create table parts_1 partition of parts for values from (1) to (10)`,
    )
    const [table, parts, ...others] = await introspect(db)
    expect([parts?.name, others]).toEqual(['parts', []])
    expect(
      table?.columns.map(({ name, type, override }) => [name, type.kind, override?.postgresql]),
    ).toEqual([
      ['id', 'int32', undefined],
      ['name', 'string', 'character varying(20)'],
      ['code', 'string', 'text collate "C"'],
      ['m', 'string', 'mood'],
      ['small', 'int32', 'smallint'],
      ['data', 'json', undefined],
      ['at', 'datetime', 'timestamp with time zone'],
      ['tags', 'array', undefined],
      ['price', 'decimal', 'numeric'],
    ])
    expect(table?.columns.map(({ default: given }) => given)).toEqual([
      { kind: 'unsafeSql', sql: expect.stringContaining('nextval') },
      undefined,
      undefined,
      { kind: 'value', value: 'happy' },
      undefined,
      { kind: 'value', value: '{"a":[],"b":1}' },
      { kind: 'now' },
      { kind: 'unsafeSql', sql: expect.stringContaining(`'{}'`) },
      undefined,
    ])
    const definitions = `select indexdef from pg_indexes where tablename = 't' order by indexname`
    const before = await rowsOf(db, definitions)
    await run(db, 'alter sequence t_id_seq owned by none', 'drop view seen', 'drop table t')
    await run(db, ...creating(table!, 'postgresql'))
    expect(await rowsOf(db, definitions)).toEqual(before)
    expect(canonicalTable(table!, 'postgresql')).toEqual(table)
  })

  it('say what they have and no definition says', async () => {
    db = await openDatabase('postgresql')
    await run(
      db,
      `create table t (
        id int generated always as identity primary key, n int generated by default as identity,
        code text unique deferrable, parent int references t (id) deferrable initially deferred,
        span int4range, exclude using gist (span with &&)
      )`,
    )
    const [table] = await introspect(db)
    expect(table?.notEnforced?.map(({ column, what }) => [column, what])).toEqual([
      ['id', 'generated always as identity'],
      ['code', 'deferrable'],
      ['span', 'EXCLUDE USING gist (span WITH &&)'],
      ['parent', 'deferrable initially deferred'],
    ])
  })
})
