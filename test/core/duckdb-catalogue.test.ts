import {
  type CatalogueQuery,
  type CatalogueTable,
  type DuckDBCatalogueOptions,
  quoteIdentifier,
  readDuckDBCatalogue,
} from '@keelson/core'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFile } from '../support/temporary-directory.ts'

interface Opened {
  readonly connection: DuckDBConnection
  readonly query: CatalogueQuery
  close(): void
}

async function open(schema: string, path = ':memory:'): Promise<Opened> {
  const instance = await DuckDBInstance.create(path)
  const connection = await instance.connect()
  const close = (): void => {
    connection.closeSync()
    instance.closeSync()
  }
  onTestFinished(close)
  await connection.run(schema)
  return {
    connection,
    close,
    query: async (sql, parameters) => {
      const result = await connection.runAndReadAll(sql, parameters as string[])
      return result.getRowObjectsJS()
    },
  }
}

async function read(
  schema: string,
  options?: DuckDBCatalogueOptions,
): Promise<readonly CatalogueTable[]> {
  return (await readDuckDBCatalogue((await open(schema)).query, options)).tables
}

async function readOne(schema: string): Promise<CatalogueTable> {
  const table = (await read(schema)).at(-1)
  if (table === undefined) throw new Error('There is no table.')
  return table
}

test('reads a plain table whole', async () => {
  expect(
    await read(`create sequence account_id; create table account (
      id bigint default nextval('account_id') primary key,
      email varchar(100) not null constraint one_mail unique,
      age integer default 18 constraint grown check (age > 17),
      name varchar collate nocase,
      born date
    )`),
  ).toEqual([
    {
      name: 'account',
      schema: 'main',
      kind: 'table',
      columns: [
        {
          name: 'id',
          type: 'BIGINT',
          nullable: false,
          default: "nextval('account_id')",
          autoIncrement: true,
        },
        { name: 'email', type: 'VARCHAR', nullable: false, autoIncrement: false },
        { name: 'age', type: 'INTEGER', nullable: true, default: '18', autoIncrement: false },
        {
          name: 'name',
          type: 'VARCHAR',
          nullable: true,
          autoIncrement: false,
          collation: 'nocase',
        },
        { name: 'born', type: 'DATE', nullable: true, autoIncrement: false },
      ],
      primaryKey: { columns: ['id'] },
      foreignKeys: [],
      uniques: [{ columns: ['email'] }],
      indexes: [
        {
          name: 'account_id_pkey',
          unique: true,
          partial: undefined,
          columns: [{ name: 'id', descending: false, collation: 'binary' }],
          origin: 'primaryKey',
        },
        {
          name: 'account_email_key',
          unique: true,
          partial: undefined,
          columns: [{ name: 'email', descending: false, collation: 'binary' }],
          origin: 'unique',
        },
      ],
      checks: [{ expression: 'age > 17' }],
    },
  ])
})

test('lists a table after those that it refers to, also when the file was opened again', async () => {
  const path = temporaryFile()
  const opened = await open(
    `create table z (id int primary key); create table a (z_id int references z);
     create view m as select * from a; create table b (id int)`,
    path,
  )
  const names = async (query: CatalogueQuery) =>
    (await readDuckDBCatalogue(query)).tables.map(({ name }) => name)
  expect(await names(opened.query)).toEqual(['z', 'a', 'm', 'b'])
  opened.close()
  const again = await names((await open('select 1', path)).query)
  expect(again.toSorted()).toEqual(['a', 'b', 'm', 'z'])
  expect(again.indexOf('z')).toBeLessThan(again.indexOf('a'))
})

test('reads composite keys in the order of the key', async () => {
  const table = await readOne(`create table t (
    a int, b varchar, c int, primary key (b, a), constraint "odd" unique (c, b), unique (c)
  )`)
  expect(table.primaryKey).toEqual({ columns: ['b', 'a'] })
  expect(table.uniques).toEqual([{ columns: ['c', 'b'] }, { columns: ['c'] }])
  // A key makes its columns NOT NULL, also without a word.
  expect(table.columns.map(({ nullable }) => nullable)).toEqual([false, false, true])
})

test('reads foreign keys, to another table and to itself', async () => {
  const tables = await read(`
    create table parent (x int, y int, z int unique, primary key (y, x));
    create table child (
      id int primary key, a int references parent (z), b int, c int, up int references child (id),
      foreign key (b, c) references parent
    )`)
  const rest = {
    onDelete: 'no action',
    onUpdate: 'no action',
    deferrable: 'no',
  }
  expect(tables[0]?.foreignKeys).toEqual([])
  expect(tables[1]?.foreignKeys).toEqual(
    expect.arrayContaining([
      { columns: ['a'], referencedTable: 'parent', referencedColumns: ['z'], ...rest },
      { columns: ['up'], referencedTable: 'child', referencedColumns: ['id'], ...rest },
      { columns: ['b', 'c'], referencedTable: 'parent', referencedColumns: ['y', 'x'], ...rest },
    ]),
  )
  expect(tables[1]?.foreignKeys).toHaveLength(3)
})

test('tells generated columns from those with a default, and shows both as SQL', async () => {
  const { columns } = await readOne(`create table t (
    a int default (1 + 2), b varchar default 'it''s ), generated always as (1)', c int[] default [1, 2],
    d varchar[] default ['a]b', '(c'], e blob default '\\x00'::blob, n int default null,
    "generated" int, f as (a * 2), "g, (" varchar generated always as (b || ')' || "generated") virtual
  )`)
  expect(columns.slice(0, 6).map((column) => column.default)).toEqual([
    '(1 + 2)',
    "'it''s ), generated always as (1)'",
    'main.list_value(1, 2)',
    "main.list_value('a]b', '(c')",
    `CAST('\\x00' AS "BLOB")`,
    'NULL',
  ])
  expect(columns.map(({ generated }) => generated)).toEqual([
    ...Array.from({ length: 7 }, () => undefined),
    { expression: 'a * 2', stored: false },
    { expression: `(b || ')') || "generated"`, stored: false },
  ])
  expect(columns.slice(7).map((column) => column.default)).toEqual([undefined, undefined])
})

test('reads types as DuckDB names them', async () => {
  const { columns } = await readOne(`create type mood as enum ('a, (', 'b''"]'); create table t (
    a struct("x y" int, "z)" varchar), b map(varchar, int), c decimal(10, 2), d mood, e int[3], f timestamptz,
    g union(n int, s varchar), h varchar collate nocase.noaccent not null, i int generated always as (1)
  )`)
  expect(columns.map(({ type }) => type)).toEqual([
    'STRUCT("x y" INTEGER, "z)" VARCHAR)',
    'MAP(VARCHAR, INTEGER)',
    'DECIMAL(10,2)',
    `ENUM('a, (', 'b''"]')`,
    'INTEGER[3]',
    'TIMESTAMP WITH TIME ZONE',
    'UNION(n INTEGER, s VARCHAR)',
    'VARCHAR',
    'INTEGER',
  ])
  expect(columns.map(({ generated }) => generated !== undefined).lastIndexOf(false)).toBe(7)
})

test('reads indexes over columns and expressions, and the collation of a column', async () => {
  const { indexes } = await readOne(`
    create table t (a int, b varchar collate nocase, "c, d" int);
    create index plain on t (a, b);
    create unique index "part ""ial" on t ("c, d");
    create index computed on t (lower(b), (a + 1), a desc, (concat(b, '), (', "c, d")))`)
  const column = (key: object) => ({ descending: false, collation: 'binary', ...key })
  expect(indexes).toEqual([
    {
      name: 'plain',
      unique: false,
      partial: undefined,
      columns: [column({ name: 'a' }), column({ name: 'b', collation: 'nocase' })],
      origin: 'index',
    },
    {
      name: 'part "ial',
      unique: true,
      partial: undefined,
      columns: [column({ name: 'c, d' })],
      origin: 'index',
    },
    {
      name: 'computed',
      unique: false,
      partial: undefined,
      columns: [
        column({ expression: 'lower(b)' }),
        column({ expression: 'a + 1' }),
        column({ name: 'a' }),
        column({ expression: `concat(b, '), (', "c, d")` }),
      ],
      origin: 'index',
    },
  ])
})

test('reads checks of columns and of the table, without the parentheses around them', async () => {
  const { checks } = await readOne(`create table t (
    a varchar check (a <> 'x)'), b varchar, constraint named check ((a = b) or (b = ')(')), check ((a || b) <> 'q')
  )`)
  expect(checks).toEqual([
    { expression: `a != 'x)'` },
    { expression: `(a = b) OR (b = ')(')` },
    { expression: `(a || b) != 'q'` },
  ])
})

test('reads what ALTER TABLE added and renamed', async () => {
  const table = await readOne(`
    create table t (a int, b int); alter table t add column c varchar default 'x';
    alter table t rename column b to "b b"; alter table t alter a set not null; alter table t rename to "t t";
    alter table "t t" add primary key ("b b")`)
  expect(table).toMatchObject({
    name: 't t',
    columns: [
      { name: 'a', nullable: false },
      { name: 'b b', nullable: false },
      { name: 'c', default: "'x'" },
    ],
    primaryKey: { columns: ['b b'] },
  })
})

test('reads views with their columns, and leaves out what is DuckDB’s own', async () => {
  const tables = await read(`
    create table t (a int primary key, b varchar); create view v ("a a", b) as select a, b from t;
    create temp table elsewhere (a int); create macro plus(x) as x + 1; create sequence s`)
  expect(tables.map(({ name, kind }) => [name, kind])).toEqual([
    ['t', 'table'],
    ['v', 'view'],
  ])
  expect(tables[1]).toEqual({
    name: 'v',
    schema: 'main',
    kind: 'view',
    columns: [
      { name: 'a a', type: 'INTEGER', nullable: true, autoIncrement: false },
      { name: 'b', type: 'VARCHAR', nullable: true, autoIncrement: false },
    ],
    uniques: [],
    indexes: [],
    foreignKeys: [],
  })
})

test('a view whose table is gone hides nothing and keeps the columns it had', async () => {
  const tables = await read(
    'create table gone (a int); create view broken as select a from gone; drop table gone; create view fine as select 1 as n',
  )
  expect(tables.map(({ name, columns }) => [name, columns[0]?.name])).toEqual([
    ['broken', 'a'],
    ['fine', 'n'],
  ])
})

test('reads one schema of one database, of the tables that are asked for', async () => {
  const { connection, query } = await open(`
    create table a (x int primary key); create table "B" (x int references a); create table c (x int);
    create schema "Ä 1"; create schema "ä 1"; create table "Ä 1".a (upper int); create table "ä 1".a (lower int);
    attach ':memory:' as "Other ""db"; create table "Other ""db".a (y int unique); create temp table a (z int)`)
  const names = async (options?: object) =>
    (await readDuckDBCatalogue(query, options)).tables.map(({ schema, name, columns }) => [
      schema,
      name,
      columns.map((column) => column.name).join(),
    ])

  expect(await names({ tables: ['b', 'A', 'missing'] })).toEqual([
    ['main', 'a', 'x'],
    ['main', 'B', 'x'],
  ])
  expect(await names({ tables: [] })).toEqual([])
  expect(await names({ schema: 'Ä 1' })).toEqual([['Ä 1', 'a', 'upper']])
  expect(await names({ database: 'temp' })).toEqual([['main', 'a', 'z']])
  expect(await names({ database: 'OTHER "DB', schema: 'MAIN' })).toEqual([['main', 'a', 'y']])

  await connection.run('use "oTHER ""db"')
  expect(await names()).toEqual([['main', 'a', 'y']])
  expect(await names({ database: 'memory', tables: ['c'] })).toEqual([['main', 'c', 'x']])
  await connection.run('use memory."ä 1"')
  expect(await names()).toEqual([['ä 1', 'a', 'lower']])
})

test('fetches nothing of tables that are not asked for', async () => {
  const { query } = await open(
    'create table a (x int primary key); create index i on a (x); create table b (x int primary key); create index j on b (x)',
  )
  const fetched: (readonly Record<string, unknown>[])[] = []
  const noting: CatalogueQuery = async (sql, parameters) => {
    const rows = await query(sql, parameters)
    fetched.push(rows)
    return rows
  }
  await readDuckDBCatalogue(noting, { tables: ['B'] })
  expect(fetched.map((rows) => rows.map(({ name, tbl }) => tbl ?? name))).toEqual([
    ['b'],
    ['b'],
    ['b', 'b'],
    ['b'],
  ])
})

test('refuses a schema or database that is not there, and options it does not know', async () => {
  const { query } = await open('create schema empty')
  expect(await readDuckDBCatalogue(query, { schema: 'empty' })).toEqual({ tables: [] })
  const refusal = (options: object) =>
    readDuckDBCatalogue(query, options).then(
      () => 'accepted',
      (error: Error) => error.message,
    )
  expect(await refusal({ schema: 'mian' })).toBe(
    'readDuckDBCatalogue() cannot use "mian" as `schema`. It takes a schema of the current database.',
  )
  expect(await refusal({ database: 'memroy' })).toBe(
    'readDuckDBCatalogue() cannot use "memroy" as `database`. It takes a database that is attached.',
  )
  expect(await refusal({ database: 'temp', schema: 'x' })).toMatch(/`schema`.*database "temp"/)
  expect(await refusal({ scheme: 'main' })).toMatch('Did you mean `schema`?')
})

test('sends the same four statements for two hundred tables as for one, and passes errors on', async () => {
  const { connection, query } = await open('create view v as select 1 as n')
  for (let i = 0; i < 200; i++) {
    await connection.run(
      `create table t${i} (a int primary key, b int unique); create index i${i} on t${i} (b)`,
    )
  }
  const sent: string[] = []
  const { tables } = await readDuckDBCatalogue((sql, parameters) => {
    sent.push(sql)
    return query(sql, parameters)
  })
  expect(tables).toHaveLength(201)
  expect(tables.at(-1)?.indexes).toHaveLength(3)
  expect(sent).toHaveLength(4)
  const mine = new Error('mine')
  await expect(readDuckDBCatalogue(() => Promise.reject(mine))).rejects.toBe(mine)
})

test('reads any name as it is', async () => {
  const { connection, query } = await open('select 1')
  let round = 0
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((text) => !text.includes('\0'))
  const special = fc.constantFrom(
    '"',
    "it's",
    'a, b',
    '[x]',
    '(y',
    'z)',
    '\\',
    '\n',
    'generated',
    'collate',
    'null',
    "'a', 'b'",
    '{}',
    '$1',
  )
  const folded = (text: string) => text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
  const names = fc.uniqueArray(fc.oneof(name, special), {
    minLength: 4,
    maxLength: 4,
    selector: folded,
  })
  await fc.assert(
    fc.asyncProperty(names, async ([table, a, b, c]) => {
      const schema = `s${++round}`
      const quoted = [table, a, b, c].map((each) => quoteIdentifier(each!, 'duckdb'))
      const [t, qa, qb, qc] = quoted
      await connection.run(`create schema ${schema}; create table ${schema}.${t} (
        ${qa} int, ${qb} varchar collate nocase, ${qc} varchar generated always as (${qb} || ', (' || ${qa}),
        unique (${qb}, ${qa}), check (${qa} > 0))`)
      await connection.run(`create index ${qa} on ${schema}.${t} (${qb}, (${qa} + 1), ${qa})`)
      const { tables } = await readDuckDBCatalogue(query, { schema })
      expect(tables).toMatchObject([
        {
          name: table,
          columns: [{ name: a }, { name: b }, { name: c, generated: { stored: false } }],
          uniques: [{ columns: [b, a] }],
          indexes: [
            { origin: 'unique', columns: [{ name: b, collation: 'nocase' }, { name: a }] },
            { name: a, columns: [{ name: b, collation: 'nocase' }, {}, { name: a }] },
          ],
        },
      ])
      expect(tables[0]?.columns.slice(0, 2).map(({ generated }) => generated)).toEqual([
        undefined,
        undefined,
      ])
      const expression = tables[0]?.indexes[1]?.columns[1]?.expression
      await connection.run(`select ${expression} from ${schema}.${t}`)
    }),
    { numRuns: 150 },
  )
})
