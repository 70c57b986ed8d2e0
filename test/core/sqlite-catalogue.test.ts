import {
  type CatalogueQuery,
  type CatalogueTable,
  quoteIdentifier,
  readSqliteCatalogue,
} from '@keelson/core'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { CamelCasePlugin, CompiledQuery, Kysely, SqliteDialect } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'

function open(schema: string): { database: Database.Database; query: CatalogueQuery } {
  const database = new Database(':memory:')
  onTestFinished(() => void database.close())
  database.exec(schema)
  return {
    database,
    query: async (sql, parameters) =>
      database.prepare<unknown[], Record<string, unknown>>(sql).all(...parameters),
  }
}

async function read(schema: string): Promise<readonly CatalogueTable[]> {
  return (await readSqliteCatalogue(open(schema).query)).tables
}

async function readOne(schema: string): Promise<CatalogueTable> {
  const table = (await read(schema)).at(-1)
  if (table === undefined) throw new Error('There is no table.')
  return table
}

test('reads a plain table whole', async () => {
  expect(
    await read(`create table account (
      id integer primary key autoincrement,
      email text not null constraint one_mail unique,
      age integer default 18 constraint grown check (age > 17),
      born text
    )`),
  ).toEqual([
    {
      name: 'account',
      schema: 'main',
      kind: 'table',
      columns: [
        { name: 'id', type: 'INTEGER', nullable: false, autoIncrement: true, rowidAlias: true },
        { name: 'email', type: 'TEXT', nullable: false, autoIncrement: false },
        { name: 'age', type: 'INTEGER', nullable: true, default: '18', autoIncrement: false },
        { name: 'born', type: 'TEXT', nullable: true, autoIncrement: false },
      ],
      primaryKey: { columns: ['id'] },
      foreignKeys: [],
      uniques: [{ name: 'one_mail', columns: ['email'] }],
      indexes: [
        {
          name: 'sqlite_autoindex_account_1',
          unique: true,
          partial: undefined,
          columns: [{ name: 'email', descending: false, collation: 'BINARY' }],
          origin: 'unique',
        },
      ],
      checks: [{ name: 'grown', expression: 'age > 17' }],
      strict: false,
      withoutRowid: false,
    },
  ])
})

test('keeps the order in which the tables were created', async () => {
  const tables = await read(
    'create table z (a); create table a (a); create view m as select 1 as n',
  )
  expect(tables.map((table) => table.name)).toEqual(['z', 'a', 'm'])
})

test('reads composite keys in the order of the key', async () => {
  const table = await readOne(`create table t (
    a int, b text, c int,
    constraint the_key primary key (b, a), constraint "odd ""one""" unique (c, b), unique (c)
  )`)
  expect(table.primaryKey).toEqual({ name: 'the_key', columns: ['b', 'a'] })
  expect(table.uniques).toEqual([{ name: 'odd "one"', columns: ['c', 'b'] }, { columns: ['c'] }])
  expect(table.indexes.map((index) => index.origin)).toEqual(['primaryKey', 'unique', 'unique'])
})

test.for([
  ['integer primary key', true],
  ['INTEGER, primary key (a)', true],
  ['integer, primary key (a desc)', true],
  ['integer primary key desc', false],
  ['int primary key', false],
  ['text primary key', false],
])('a %s is another name for the rowid: %s', async ([declared, alias]) => {
  const { columns } = await readOne(`create table t (a ${declared})`)
  expect(columns[0]?.rowidAlias ?? false).toBe(alias)
  expect(columns[0]?.nullable).toBe(!alias)
})

test('tells AUTOINCREMENT, also inside a key, from a column that merely has that name', async () => {
  const inside = await readOne('create table t (a integer, primary key (a autoincrement))')
  expect(inside.columns[0]?.autoIncrement).toBe(true)
  const quoted = await readOne('create table t (a integer primary key, "autoincrement" int)')
  expect(quoted.columns.map((column) => column.autoIncrement)).toEqual([false, false])
})

test('reads STRICT and WITHOUT ROWID', async () => {
  const tables = await read(`
    create table s (a any) strict;
    create table w (a integer primary key, b) without rowid;
    create table sw (a text, b int, primary key (b, a)) strict, without rowid`)
  expect(tables.map(({ strict, withoutRowid }) => [strict, withoutRowid])).toEqual([
    [true, false],
    [false, true],
    [true, true],
  ])
  expect(tables[1]?.columns[0]).toEqual({
    name: 'a',
    type: 'INTEGER',
    nullable: false,
    autoIncrement: false,
  })
  expect(tables[2]?.indexes).toMatchObject([
    { origin: 'primaryKey', columns: [{ name: 'b' }, { name: 'a' }] },
  ])
})

test('reads generated columns with their expressions, and defaults as SQL', async () => {
  const { columns } = await readOne(`create table t (
    a int default (1 + 2), b text default 'it''s', c default current_timestamp, d default -1.5e3, e default x'00',
    f as (a * 2), g int generated always as (coalesce(a, (1), ')')) stored
  )`)
  expect(columns.slice(0, 5).map((column) => column.default)).toEqual([
    '1 + 2',
    "'it''s'",
    'current_timestamp',
    '-1.5e3',
    "x'00'",
  ])
  expect(columns[5]?.generated).toEqual({ expression: 'a * 2', stored: false })
  expect(columns[6]?.generated).toEqual({ expression: "coalesce(a, (1), ')')", stored: true })
})

test('reads indexes that are partial, descending, collated, or over expressions', async () => {
  const { indexes } = await readOne(`
    create table t (a int, b text, "where" text, c text collate rtrim);
    create index plain on t (a, b desc);
    create unique index "part""ial" on t ("where") where "where" <> 'where (' and a > 1 ;
    create index collated on t (b collate nocase desc, c, b collate rtrim asc);
    create index computed on t (lower(b) collate nocase desc, b || 'x' collate nocase, (a + 1) asc, a, c ->> '$.k' desc)
      WHERE(a) is not null -- on top`)
  expect(indexes).toEqual([
    {
      name: 'plain',
      unique: false,
      partial: undefined,
      columns: [
        { name: 'a', descending: false, collation: 'BINARY' },
        { name: 'b', descending: true, collation: 'BINARY' },
      ],
      origin: 'index',
    },
    {
      name: 'part"ial',
      unique: true,
      partial: `"where" <> 'where (' and a > 1`,
      columns: [{ name: 'where', descending: false, collation: 'BINARY' }],
      origin: 'index',
    },
    {
      name: 'collated',
      unique: false,
      partial: undefined,
      columns: [
        { name: 'b', descending: true, collation: 'nocase' },
        { name: 'c', descending: false, collation: 'rtrim' },
        { name: 'b', descending: false, collation: 'rtrim' },
      ],
      origin: 'index',
    },
    {
      name: 'computed',
      unique: false,
      partial: '(a) is not null',
      columns: [
        { expression: 'lower(b)', descending: true, collation: 'nocase' },
        { expression: `b || 'x' collate nocase`, descending: false, collation: 'BINARY' },
        { expression: '(a + 1)', descending: false, collation: 'BINARY' },
        { name: 'a', descending: false, collation: 'BINARY' },
        { expression: `c ->> '$.k'`, descending: true, collation: 'BINARY' },
      ],
      origin: 'index',
    },
  ])
})

test('reads foreign keys with names, actions, and when they are checked', async () => {
  const { foreignKeys } = await readOne(`
    create table parent (x int, y int, z int unique, primary key (y, x));
    create table child (
      a int references parent (z) on delete cascade on update set null deferrable initially deferred,
      b int constraint to_gone references gone on delete set default not deferrable initially deferred,
      c int, d int references child (a) on delete restrict deferrable,
      constraint "both" foreign key (c, d) references parent constraint again foreign key (c) references parent (z)
        deferrable initially immediate
    )`)
  expect(foreignKeys).toEqual([
    {
      columns: ['a'],
      referencedTable: 'parent',
      referencedColumns: ['z'],
      onDelete: 'cascade',
      onUpdate: 'set null',
      deferrable: 'deferred',
    },
    {
      name: 'to_gone',
      columns: ['b'],
      referencedTable: 'gone',
      referencedColumns: undefined,
      onDelete: 'set default',
      onUpdate: 'no action',
      deferrable: 'no',
    },
    {
      columns: ['d'],
      referencedTable: 'child',
      referencedColumns: ['a'],
      onDelete: 'restrict',
      onUpdate: 'no action',
      deferrable: 'immediate',
    },
    {
      name: 'both',
      columns: ['c', 'd'],
      referencedTable: 'parent',
      referencedColumns: ['y', 'x'],
      onDelete: 'no action',
      onUpdate: 'no action',
      deferrable: 'no',
    },
    {
      name: 'again',
      columns: ['c'],
      referencedTable: 'parent',
      referencedColumns: ['z'],
      onDelete: 'no action',
      onUpdate: 'no action',
      deferrable: 'immediate',
    },
  ])
})

test('SQLite defers those foreign keys, and only those, that are read as deferred', () => {
  const deferrals = [
    '',
    'deferrable',
    'deferrable initially immediate',
    'not deferrable initially deferred',
    'deferrable initially deferred',
  ]
  return Promise.all(
    deferrals.map(async (deferral) => {
      const { database, query } = open(`
        pragma foreign_keys = on; create table p (a primary key); create table c (a references p ${deferral}); begin`)
      const { tables } = await readSqliteCatalogue(query)
      const insert = () => database.exec('insert into c values (1)')
      if (tables[1]?.foreignKeys[0]?.deferrable === 'deferred') expect(insert).not.toThrow()
      else expect(insert).toThrow('FOREIGN KEY')
    }),
  )
})

test('gives a name to the constraint that follows it and to no other', async () => {
  const table = await readOne(`create table t (
    a int constraint nn not null unique, b int constraint d default 1 check (b > 0),
    c text constraint first constraint second check (c <> ')') check (c <> ','), constraint lonely, check (a <> b)
    constraint last check (a /* ), check (1) */ > 0)
  )`)
  expect(table.uniques).toEqual([{ columns: ['a'] }])
  expect(table.checks).toEqual([
    { expression: 'b > 0' },
    { name: 'second', expression: "c <> ')'" },
    { expression: "c <> ','" },
    { expression: 'a <> b' },
    { name: 'last', expression: 'a /* ), check (1) */ > 0' },
  ])
})

test('reads what ALTER TABLE added and renamed', async () => {
  const table = await readOne(`
    create table p (id integer primary key);
    create table t (a int, b int check (b > 0));
    create index i on t (b) where a > 0;
    alter table t add column c text default 'x' check (c <> '') references p deferrable initially deferred;
    alter table t rename column b to "b b";
    alter table t rename to "t t"`)
  expect(table).toMatchObject({
    name: 't t',
    columns: [{ name: 'a' }, { name: 'b b' }, { name: 'c', default: "'x'" }],
    checks: [{ expression: '"b b" > 0' }, { expression: "c <> ''" }],
    foreignKeys: [{ columns: ['c'], referencedColumns: ['id'], deferrable: 'deferred' }],
    indexes: [{ name: 'i', partial: 'a > 0', columns: [{ name: 'b b' }] }],
  })
})

test('reads views and virtual tables, and leaves out what is hidden or SQLite’s own', async () => {
  const tables = await read(`
    create table t (a integer primary key autoincrement, b text); insert into t (b) values ('x'); analyze;
    create view v as select a, b as "b b" from t;
    create virtual table f using fts5 (title, body);
    create virtual table r using rtree (id, x0, x1);
    create temp table elsewhere (a)`)
  expect(tables.map(({ name, kind }) => [name, kind])).toEqual([
    ['t', 'table'],
    ['v', 'view'],
    ['f', 'virtual'],
    ['r', 'virtual'],
  ])
  expect(tables.map(({ columns }) => columns.map((column) => column.name))).toEqual([
    ['a', 'b'],
    ['a', 'b b'],
    ['title', 'body'],
    ['id', 'x0', 'x1'],
  ])
  expect(tables[1]).not.toHaveProperty('checks')
})

test('finds the constraint of a key in any case, and tells apart what SQLite does', async () => {
  const table = await readOne(`create table t (
    Ä int, ä int, b int, constraint upper unique (Ä), constraint lower unique (ä), constraint b unique (B)
  )`)
  expect(table.uniques).toEqual([
    { name: 'upper', columns: ['Ä'] },
    { name: 'lower', columns: ['ä'] },
    { name: 'b', columns: ['b'] },
  ])
})

test('finds the key of the parent in its own schema, and none where the parent is a view', async () => {
  const { query } = open(`
    create table p (wrong int primary key);
    create temp table p (a int primary key); create temp table gone (a);
    create temp view v as select a from gone;
    create temp table c (a int references p, b int references v); drop table gone`)
  const { tables } = await readSqliteCatalogue(query, { schema: 'temp', tables: ['c'] })
  expect(tables[0]?.foreignKeys.map((key) => key.referencedColumns)).toEqual([['a'], undefined])
})

test('a view that no longer compiles hides no other view', async () => {
  const tables = await read(`
    create table gone (a); create view broken as select a from gone; create view fine as select 1 as n; drop table gone`)
  expect(tables).toEqual([
    expect.objectContaining({ name: 'broken', columns: [], broken: 'no such table: main.gone' }),
    expect.objectContaining({ name: 'fine', columns: [expect.objectContaining({ name: 'n' })] }),
  ])
  expect(tables[1]).not.toHaveProperty('broken')
})

test('an error that is not about a view reaches the caller as it is', async () => {
  const { database, query } = open('create table t (a); create view v as select a from t')
  const failAt =
    (part: string): CatalogueQuery =>
    async (sql, parameters) => {
      if (sql.includes(part)) database.close()
      return query(sql, parameters)
    }
  let failed = false
  const interrupted: CatalogueQuery = async (sql, parameters) => {
    if (!failed && sql.includes("l.type = 'view'")) {
      failed = true
      throw new Error('interrupted')
    }
    return query(sql, parameters)
  }
  await expect(readSqliteCatalogue(interrupted)).rejects.toThrow('interrupted')
  await expect(readSqliteCatalogue(failAt("l.type = 'view'"))).rejects.toThrow(
    'The database connection is not open',
  )
})

test('reads one schema, of the tables that are asked for', async () => {
  const { database, query } = open(
    'create table a (x); create table B (x references a); create table c (x)',
  )
  database.exec(
    `attach ':memory:' as "other ""db"""; create table "other ""db""".a (y unique); create temp table a (z)`,
  )
  const names = async (options: object) =>
    (await readSqliteCatalogue(query, options)).tables.map(({ schema, name, columns }) => [
      schema,
      name,
      columns[0]?.name,
    ])

  expect(await names({ tables: ['b', 'A', 'missing'] })).toEqual([
    ['main', 'a', 'x'],
    ['main', 'B', 'x'],
  ])
  expect(await names({ tables: [] })).toEqual([])
  expect(await names({ schema: 'temp' })).toEqual([['temp', 'a', 'z']])
  expect(await names({ schema: 'other "db"' })).toEqual([['other "db"', 'a', 'y']])
  await expect(names({ schema: 'missing' })).rejects.toThrow('no such table: missing.sqlite_schema')
  await expect(names({ scheme: 'main' })).rejects.toThrow('Did you mean `schema`?')
})

test('sends the same five statements for two hundred tables as for one', async () => {
  const { database, query } = open('create view v as select 1 as n')
  for (let i = 0; i < 200; i++) {
    database.exec(
      `create table t${i} (a int primary key, b int references t0 unique); create index i${i} on t${i} (b desc)`,
    )
  }
  const sent: string[] = []
  const { tables } = await readSqliteCatalogue((sql, parameters) => {
    sent.push(sql)
    return query(sql, parameters)
  })
  expect(tables).toHaveLength(201)
  expect(sent).toHaveLength(5)
})

test('reads the same from drivers that give integers as bigints', async () => {
  const { database, query } = open(`
    create table p (a int, b int, primary key (b, a)) strict, without rowid;
    create table t (id integer primary key autoincrement, b text not null unique, c as (id) stored, references_p int,
      foreign key (references_p, b) references p);
    create index i on t (b desc, id) where b > '';
    create view v as select * from t`)
  const numbers = await readSqliteCatalogue(query)
  database.defaultSafeIntegers(true)
  expect(await readSqliteCatalogue(query)).toEqual(numbers)
})

test('reads names in every way of quoting that SQLite accepts', async () => {
  const table = await readOne(`create table [the table] (
    [a ] int, [a[[b] int, \`b\`\`\` int, 'c''' int, "d""" int, e$ int, constraint [k[[ ] unique ([a ], \`b\`\`\`),
    constraint 'l' check ([c'] > 0 or [d"] <> \`b\`\`\`), foreign key ("d""") references 'p q'
  )`)
  expect(table.columns.map((column) => column.name)).toEqual(['a ', 'a[[b', 'b`', "c'", 'd"', 'e$'])
  expect(table).toMatchObject({
    name: 'the table',
    uniques: [{ name: 'k[[ ', columns: ['a ', 'b`'] }],
    checks: [{ name: 'l', expression: '[c\'] > 0 or [d"] <> `b```' }],
    foreignKeys: [{ columns: ['d"'], referencedTable: 'p q', deferrable: 'no' }],
  })
})

test('is not disturbed by a plugin that renames the columns of results', async () => {
  const { database, query } = open(
    'create table the_table (the_id integer primary key, other_id int references the_table)',
  )
  const kysely = new Kysely({
    dialect: new SqliteDialect({ database }),
    plugins: [new CamelCasePlugin()],
  })
  const renamed = await readSqliteCatalogue(async (sql, parameters) => {
    const raw = CompiledQuery.raw(sql, [...parameters])
    return (await kysely.executeQuery<Record<string, unknown>>(raw)).rows
  })
  expect(renamed).toEqual(await readSqliteCatalogue(query))
})

test('reads hostile names of everything that has a name', async () => {
  const name = fc
    .oneof(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
      fc.string({
        unit: fc.constantFrom(...Array.from('"`\'][(),;-*/ a\\')),
        minLength: 1,
        maxLength: 8,
      }),
      fc.constantFrom(
        'check',
        'unique',
        'primary',
        'order',
        '--',
        '/*',
        'ß☃😀',
        '__proto__',
        'constraint x',
        ' ',
      ),
    )
    .filter((text) => !/\0|^sqlite_/i.test(text))
  // Names that differ only in ASCII case are one name to SQLite.
  const folded = (text: string) => text.toLowerCase()
  const names = fc.uniqueArray(name, { minLength: 9, maxLength: 9, selector: folded })

  await fc.assert(
    fc.asyncProperty(names, async (all) => {
      const [table, parent, a, b, c, index, unique, check, foreign] = all.map((text) =>
        quoteIdentifier(text, 'sqlite'),
      )
      const database = new Database(':memory:')
      database.exec(`
        create table ${parent} (${a} int primary key);
        create table ${table} (
          ${a} int constraint ${check} check (${a} <> ''''), ${b} text default (''')'), ${c} as (${a} || ${b}),
          constraint ${unique} unique (${b}, ${a}),
          constraint ${foreign} foreign key (${a}) references ${parent} (${a}) deferrable initially deferred
        );
        create index ${index} on ${table} (${b} desc, ${a} || ${c}) where ${a} = ')'`)
      const { tables } = await readSqliteCatalogue(async (sql, parameters) =>
        database.prepare<unknown[], Record<string, unknown>>(sql).all(...parameters),
      )
      database.close()
      expect(tables[1]).toMatchObject({
        name: all[0],
        columns: [
          { name: all[2] },
          { name: all[3], default: "''')'" },
          { name: all[4], generated: { expression: `${a} || ${b}`, stored: false } },
        ],
        checks: [{ name: all[7], expression: `${a} <> ''''` }],
        uniques: [{ name: all[6], columns: [all[3], all[2]] }],
        foreignKeys: [
          {
            name: all[8],
            columns: [all[2]],
            referencedTable: all[1],
            referencedColumns: [all[2]],
            deferrable: 'deferred',
          },
        ],
      })
      expect(tables[1]?.indexes).toContainEqual({
        name: all[5],
        unique: false,
        partial: `${a} = ')'`,
        columns: [
          { name: all[3], descending: true, collation: 'BINARY' },
          { expression: `${a} || ${c}`, descending: false, collation: 'BINARY' },
        ],
        origin: 'index',
      })
    }),
  )
})
