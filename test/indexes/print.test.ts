import type { EngineName } from '@keelson/core'
import {
  createIndexSql,
  createTableSql,
  dropIndexSql,
  dropTableSql,
  type IndexDefinition,
  type TableDefinition,
} from '@keelson/indexes'
import { describe, expect, it } from 'vitest'
import { tableOf } from './fixture.ts'

const column = (name: string): { kind: 'column'; name: string } => ({ kind: 'column', name })

const order: TableDefinition = {
  name: 'order',
  columns: [
    { name: 'id', type: { kind: 'integer' }, nullable: false, identity: true },
    { name: 'code', type: { kind: 'string', maxLength: 20 }, nullable: false },
    {
      name: 'state',
      type: { kind: 'enum', values: ['open', "it's"] },
      nullable: false,
      default: { kind: 'value', value: 'open' },
    },
    {
      name: 'note',
      type: { kind: 'string' },
      nullable: true,
      default: { kind: 'value', value: 'a\\b' },
    },
    { name: 'small', type: { kind: 'int32' }, nullable: true },
    { name: 'big', type: { kind: 'bigint' }, nullable: true },
    {
      name: 'ratio',
      type: { kind: 'number' },
      nullable: true,
      default: { kind: 'value', value: -1.5 },
    },
    { name: 'price', type: { kind: 'decimal', precision: 10, scale: 2 }, nullable: true },
    {
      name: 'paid',
      type: { kind: 'boolean' },
      nullable: false,
      default: { kind: 'value', value: false },
    },
    { name: 'day', type: { kind: 'date' }, nullable: true, default: { kind: 'now' } },
    { name: 'at', type: { kind: 'datetime' }, nullable: false, default: { kind: 'now' } },
    { name: 'key', type: { kind: 'uuid' }, nullable: true },
    {
      name: 'data',
      type: { kind: 'json' },
      nullable: true,
      default: { kind: 'value', value: '{}' },
    },
    { name: 'tags', type: { kind: 'array', of: { kind: 'string' } }, nullable: true },
    { name: 'bytes', type: { kind: 'blob' }, nullable: true },
    {
      name: 'next',
      type: { kind: 'integer' },
      nullable: true,
      generated: { sql: 'small + 1', stored: false },
    },
    { name: 'parent', type: { kind: 'integer' }, nullable: true },
  ],
  primaryKey: ['id'],
  indexes: [],
  foreignKeys: [
    {
      name: 'order_parent',
      columns: ['parent'],
      referencedTable: 'order',
      referencedColumns: ['id'],
    },
  ],
  checks: [
    {
      name: 'order_ratio',
      predicate: {
        kind: 'or',
        operands: [
          { kind: 'compare', operator: '>', expression: column('ratio'), value: 0 },
          { kind: 'compare', operator: '=', expression: column('paid'), value: false },
        ],
      },
    },
  ],
  queries: [],
}

const byState: IndexDefinition = {
  name: 'by_state',
  keys: [{ expression: column('state') }, { expression: column('at'), direction: 'desc' }],
  unique: false,
}

const byCity: IndexDefinition = {
  name: 'by_city',
  keys: [
    { expression: { kind: 'json', column: 'data', path: ['address', 0, "city's"], as: 'string' } },
    { expression: { kind: 'json', column: 'data', path: ['size'], as: 'number' } },
    { expression: { kind: 'call', function: 'length', argument: column('code') } },
  ],
  unique: true,
}

const open: IndexDefinition = {
  name: 'open',
  keys: [{ expression: column('at') }],
  unique: false,
  where: { kind: 'compare', operator: '=', expression: column('paid'), value: false },
}

function printed(engine: EngineName, indexes: readonly IndexDefinition[]): string {
  return [
    ...createTableSql(order, engine),
    ...indexes.map((index) => createIndexSql(order, index, engine)),
    ...indexes.slice(0, 1).map((index) => dropIndexSql(order, index, engine)),
    ...dropTableSql(order, engine),
    '',
  ].join(';\n')
}

describe('a table and its indexes as SQL', () => {
  it('of SQLite', () => {
    expect(printed('sqlite', [byState, byCity, open])).toMatchInlineSnapshot(`
      "create table "order" (
        "id" integer primary key autoincrement not null,
        "code" text not null constraint "code: at most 20 characters" check (length("code") <= 20),
        "state" text default 'open' not null constraint "state: enum" check ("state" in ('open', 'it''s')),
        "note" text default 'a\\b',
        "small" integer constraint "small: int32" check ("small" between -2147483648 and 2147483647),
        "big" integer,
        "ratio" real default -1.5,
        "price" text constraint "price: decimal(10,2)" check (length("price") - length(ltrim("price", '-')) <= 1 and ltrim("price", '-') glob '[0-9]*' and ltrim("price", '-') glob '*[0-9]' and ltrim("price", '-') not glob '*[^0-9.]*' and ltrim("price", '-') not glob '*.*.*' and instr(ltrim("price", '-') || '.', '.') <= 9 and length(ltrim("price", '-')) - instr(ltrim("price", '-') || '.', '.') <= 2),
        "paid" integer default 0 not null constraint "paid: boolean" check ("paid" in (0, 1)),
        "day" text default (strftime('%Y-%m-%d', 'now')) constraint "day: date" check ("day" is strftime('%Y-%m-%d', "day")),
        "at" text default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) not null constraint "at: datetime" check ("at" is strftime('%Y-%m-%dT%H:%M:%fZ', "at")),
        "key" text constraint "key: uuid" check ("key" like '________-____-____-____-____________' and length(replace("key", '-', '')) = 32 and "key" not glob '*[^0-9A-Fa-f-]*'),
        "data" text default '{}' constraint "data: json" check (json_valid("data")),
        "tags" text constraint "tags: array of string" check (case when json_valid("tags") then json_type("tags") = 'array' else "tags" is null end),
        "bytes" blob,
        "next" integer generated always as (small + 1) virtual,
        "parent" integer,
        constraint "order_parent" foreign key ("parent") references "order" ("id"),
        constraint "order_ratio" check ("ratio" > 0 or "paid" = 0)
      ) strict;
      create index "by_state" on "order" ("state", "at" desc);
      create unique index "by_city" on "order" ("data"->'address'->0->>'city''s', "data"->>'size', length("code"));
      create index "open" on "order" ("at") where "paid" = 0;
      drop index "by_state";
      drop table "order";
      "
    `)
  })

  it('of DuckDB', () => {
    expect(printed('duckdb', [byState])).toMatchInlineSnapshot(`
      "create sequence "sq_order_id_5cd4513aef";
      create table "order" (
        "id" bigint default nextval('"sq_order_id_5cd4513aef"') not null,
        "code" varchar not null check (len("code") <= 20),
        "state" varchar default 'open' not null check (list_contains(['open', 'it''s'], "state")),
        "note" varchar default 'a\\b',
        "small" integer,
        "big" bigint,
        "ratio" double default -1.5e+0,
        "price" decimal(10, 2),
        "paid" boolean default false not null,
        "day" date default cast(timezone('UTC', now()) as date),
        "at" timestamp default date_trunc('millisecond', timezone('UTC', now())) not null,
        "key" uuid,
        "data" json default '{}',
        "tags" varchar[],
        "bytes" blob,
        "next" bigint generated always as (small + 1) virtual,
        "parent" bigint,
        primary key ("id"),
        foreign key ("parent") references "order" ("id"),
        check ("ratio" > 0 or "paid" = false)
      );
      create index "by_state" on "order" ("state", "at");
      drop index "by_state";
      drop table "order";
      drop sequence "sq_order_id_5cd4513aef";
      "
    `)
  })

  it('of PostgreSQL', () => {
    expect(printed('postgresql', [byState, byCity, open])).toMatchInlineSnapshot(`
      "create table "order" (
        "id" bigint generated by default as identity not null,
        "code" text not null constraint "code: at most 20 characters" check (length("code") <= 20),
        "state" text default 'open' not null constraint "state: enum" check ("state" in ('open', 'it''s')),
        "note" text default 'a\\b',
        "small" integer,
        "big" bigint,
        "ratio" double precision default -1.5,
        "price" numeric(10,2),
        "paid" boolean default false not null,
        "day" date default cast(timezone('UTC', now()) as date),
        "at" timestamp(3) with time zone default now() not null,
        "key" uuid,
        "data" jsonb default '{}',
        "tags" text[],
        "bytes" bytea,
        "next" bigint generated always as (small + 1) virtual,
        "parent" bigint,
        primary key ("id"),
        constraint "order_parent" foreign key ("parent") references "order" ("id"),
        constraint "order_ratio" check ("ratio" > 0 or "paid" = false)
      );
      create index "by_state" on "order" ("state", "at" desc);
      create unique index "by_city" on "order" ((("data"->'address'->0->>'city''s')), (cast(("data"->>'size') as double precision)), (length("code")));
      create index "open" on "order" ("at") where "paid" = false;
      drop index "by_state";
      drop table "order";
      "
    `)
  })

  // No server of MySQL stands behind this one: MariaDB knows neither the collation nor keys that are expressions.
  it('of MySQL', () => {
    expect(printed('mysql', [byState, byCity])).toMatchInlineSnapshot(`
      "create table \`order\` (
        \`id\` bigint auto_increment not null,
        \`code\` varchar(20) character set utf8mb4 collate utf8mb4_0900_bin not null,
        \`state\` varchar(4) character set utf8mb4 collate utf8mb4_0900_bin default 'open' not null constraint \`state: enum\` check (\`state\` in ('open', 'it''s')),
        \`note\` text character set utf8mb4 collate utf8mb4_0900_bin default ('a\\\\b'),
        \`small\` int,
        \`big\` bigint,
        \`ratio\` double default -1.5,
        \`price\` decimal(10,2),
        \`paid\` boolean default false not null,
        \`day\` date default (utc_date()),
        \`at\` datetime(3) default (utc_timestamp(3)) not null,
        \`key\` char(36) character set ascii collate ascii_bin,
        \`data\` json default ('{}'),
        \`tags\` json constraint \`tags: array of string\` check (json_type(\`tags\`) = 'ARRAY'),
        \`bytes\` longblob,
        \`next\` bigint generated always as (small + 1) virtual,
        \`parent\` bigint,
        primary key (\`id\`),
        constraint \`order_parent\` foreign key (\`parent\`) references \`order\` (\`id\`),
        constraint \`order_ratio\` check (\`ratio\` > 0 or \`paid\` = false)
      );
      create index \`by_state\` on \`order\` (\`state\`, \`at\` desc);
      create unique index \`by_city\` on \`order\` ((cast(\`data\`->>'$."address"[0]."city''s"' as char(255) character set utf8mb4) collate utf8mb4_0900_bin), (cast(\`data\`->>'$."size"' as double)), (char_length(\`code\`)));
      drop index \`by_state\` on \`order\`;
      drop table \`order\`;
      "
    `)
  })
})

describe('what an engine does not have', () => {
  const table = tableOf('t', {
    a: { kind: 'integer' },
    b: { kind: 'string' },
    data: { kind: 'json' },
  })
  const index: IndexDefinition = { keys: [{ expression: column('a') }], unique: false }
  const path = { kind: 'json', column: 'data', path: ['k'], as: 'string' } as const

  it.each<[EngineName, string, IndexDefinition]>([
    [
      'duckdb',
      'indexes over some rows alone',
      { ...open, where: { kind: 'isNull', expression: column('a') } },
    ],
    [
      'mysql',
      'indexes over some rows alone',
      { ...index, where: { kind: 'isNull', expression: column('a') } },
    ],
    ['duckdb', 'indexes over values inside JSON', { ...index, keys: [{ expression: path }] }],
    [
      'duckdb',
      'keys with a collation',
      { ...index, keys: [{ expression: column('b'), collation: 'nocase' }] },
    ],
    ['sqlite', 'columns that an index only holds', { ...index, include: ['b'] }],
    ['sqlite', 'in which two NULLs are the same', { ...index, unique: true, nullsDistinct: false }],
    ['sqlite', 'the method "gin"', { ...index, method: { sqlite: 'gin' } }],
  ])('is refused in an index on %s: %s', (engine, what, wrong) => {
    expect(() => createIndexSql(table, wrong, engine)).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED_BY_ENGINE',
        message: expect.stringContaining(what),
      }),
    )
  })

  it.each(['sqlite', 'duckdb', 'mysql'] as const)(
    'is refused on %s: indexes that come and go while others write',
    (engine) => {
      const options = { concurrently: true }
      const unsupported = expect.objectContaining({ code: 'UNSUPPORTED_BY_ENGINE' })
      expect(() => createIndexSql(table, index, engine, options)).toThrow(unsupported)
      expect(() => dropIndexSql(table, index, engine, options)).toThrow(unsupported)
    },
  )

  it('is refused in a table: actions of foreign keys, stored columns, numbers for any column', () => {
    const unsupported = expect.objectContaining({ code: 'UNSUPPORTED_BY_ENGINE' })
    const cascading: TableDefinition = {
      ...table,
      foreignKeys: [
        { columns: ['a'], referencedTable: 't', referencedColumns: ['a'], onDelete: 'cascade' },
      ],
    }
    expect(() => createTableSql(cascading, 'duckdb')).toThrow(unsupported)
    const generated = { sql: 'a + 1', stored: true }
    const [a, ...others] = table.columns
    const storing = {
      ...table,
      columns: [
        ...table.columns,
        { name: 'c', type: { kind: 'integer' }, nullable: true, generated },
      ],
    } satisfies TableDefinition
    expect(() => createTableSql(storing, 'duckdb')).toThrow(unsupported)
    const numbering = { ...table, columns: [{ ...a!, identity: true }, ...others] }
    expect(() => createTableSql(numbering, 'sqlite')).toThrow(unsupported)
    expect(() => createTableSql(numbering, 'postgresql')).not.toThrow()
  })

  it.each([
    ['sqlite', ''],
    ['sqlite', '$.a'],
    ['sqlite', '[0]'],
    ['sqlite', 'a"b'],
    ['duckdb', '/a'],
    ['duckdb', '$'],
  ] as const)(
    'is refused as a key of JSON on %s, where it would mean another one: %j',
    (engine, key) => {
      const check = { predicate: { kind: 'isNull', expression: { ...path, path: [key] } } } as const
      expect(() => createTableSql({ ...table, checks: [check] }, engine)).toThrow(
        expect.objectContaining({ code: 'UNSUPPORTED_BY_ENGINE' }),
      )
      expect(() => createTableSql({ ...table, checks: [check] }, 'postgresql')).not.toThrow()
    },
  )
})

describe('decimals on SQLite, which are texts there', () => {
  const table = tableOf('t', { price: { kind: 'decimal', precision: 5, scale: 2 } })
  const isGreater = {
    predicate: { kind: 'compare', operator: '>', expression: column('price'), value: '10' },
  } as const

  it('are not compared by which is the greater one', () => {
    expect(() => createTableSql({ ...table, checks: [isGreater] }, 'sqlite')).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_BY_ENGINE' }),
    )
    const index = { keys: [{ expression: column('price') }], unique: false }
    expect(() => createIndexSql(table, { ...index, where: isGreater.predicate }, 'sqlite')).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_BY_ENGINE' }),
    )
    expect(() => createTableSql({ ...table, checks: [isGreater] }, 'duckdb')).not.toThrow()
  })
})

describe('what means nothing', () => {
  const table = tableOf('t', { a: { kind: 'integer' } })
  const meaningless = expect.objectContaining({ code: 'INVALID_DEFINITION' })

  it.each([
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['a text with NUL', 'a\0b'],
    ['half of a surrogate pair', '\ud800'],
  ])('is refused as a constant: %s', (_, value) => {
    const predicate = { kind: 'compare', operator: '=', expression: column('a'), value } as const
    expect(() => createTableSql({ ...table, checks: [{ predicate }] }, 'sqlite')).toThrow(
      meaningless,
    )
  })

  it('is refused: no columns, no keys, empty lists, the moment as a number', () => {
    expect(() => createTableSql(tableOf('t', {}), 'sqlite')).toThrow(meaningless)
    expect(() => createIndexSql(table, { keys: [], unique: false }, 'sqlite')).toThrow(meaningless)
    for (const predicate of [
      { kind: 'in', expression: column('a'), values: [] },
      { kind: 'and', operands: [] },
    ] as const)
      expect(() => createTableSql({ ...table, checks: [{ predicate }] }, 'sqlite')).toThrow(
        meaningless,
      )
    const columns = [{ ...table.columns[0]!, default: { kind: 'now' } }] as const
    expect(() => createTableSql({ ...table, columns }, 'sqlite')).toThrow(meaningless)
  })
})
