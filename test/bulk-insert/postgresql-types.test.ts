import { bulkInsert as bulkOnDrizzle } from '@keelson/bulk-insert/drizzle'
import { bulkInsert as bulkOnKysely } from '@keelson/bulk-insert/kysely'
import * as pg from 'drizzle-orm/pg-core'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { describeOn, pairs } from './engines.ts'

const moment = new Date('2026-03-29T01:30:15.123Z')
const old = new Date(-62_000_000_000_000)

/** What Kysely's user gives for a type, as the driver's own documentation has it. */
const kyselyValues: Readonly<Record<string, readonly unknown[]>> = {
  int2: [0, -32_768, 32_767, '5', null],
  int4: [-2_147_483_648, 2_147_483_647, '7'],
  int8: [9_007_199_254_740_993n, '-9223372036854775808', 5],
  numeric: ['123456789012345678901234567890.123456789', 1.5, '-0.1', 'NaN', 12n],
  'numeric(5,2)': ['1.005', 999.99],
  float4: [1.5, '0.1', 'Infinity'],
  float8: [0.1, -0, 1e300, Number.MIN_VALUE, Infinity, -Infinity, Number.NaN],
  text: ['', 'a"b', "it's", 'a\\b', 'line\nbreak\r\t', 'ünï 🚢', 'NULL', '{a,b}', ' x ', 5, true],
  'varchar(3)': ['abc', '', 'a  ', null],
  'char(3)': ['abc', 'a', ''],
  bool: [true, false, 't', 'no', null],
  date: ['2026-02-28', moment, 'infinity', '0044-03-15 BC'],
  timestamp: [moment, '2026-01-01 12:34:56.123456', old, 'infinity'],
  timestamptz: [moment, '2026-01-01 12:34:56.123456+02', old, '-infinity'],
  time: ['12:34:56.789', '24:00'],
  timetz: ['12:34:56+05:30'],
  interval: ['1 year 2 days 03:04:05.6', '-1 mon'],
  uuid: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A12'],
  bytea: [Buffer.from([0, 1, 255, 92, 34]), new Uint8Array([1, 2, 3]).subarray(1), Buffer.alloc(0)],
  json: ['{"a": [1, "x\\"y"]}', { a: [1, { b: null }] }, '"text"', 'null'],
  jsonb: ['[1, "2", null]', { a: 'ü"\\', n: 1.5 }, '"text"', '5'],
  'int4[]': [
    [1, null, -3],
    [],
    [
      [1, 2],
      [3, 4],
    ],
    '{5,6}',
  ],
  'text[]': [
    ['a', null, '', 'NULL', 'x,y', 'q"\\', ' '],
    [],
    [
      ['a', 'b'],
      ['c', null],
    ],
  ],
  'timestamptz[]': [[moment, null]],
  'jsonb[]': [['{"a": 1}', null]],
  mood: ['happy', 'it\'s "odd"', null],
  posint: [1, 5],
  'mood[]': ['{happy,NULL}', '{}'],
  inet: ['192.168.0.1/24', '::1'],
  macaddr: ['08:00:2b:01:02:03'],
  point: ['(1,2)'],
  int4range: ['[1,5)', 'empty'],
  'bit(3)': ['101'],
  varbit: ['10110'],
  money: ['12.34'],
  tsvector: ["'a' 'b'"],
  xml: ['<a>x</a>'],
  '"char"': ['x'],
  pair: ['(1,"a b")'],
  oid: [4_294_967_295],
  regclass: ['pg_class'],
}

const setup = [
  'drop table if exists own, bulk',
  'drop type if exists mood cascade',
  'drop domain if exists posint cascade',
  'drop type if exists pair cascade',
  `create type mood as enum ('happy', 'it''s "odd"')`,
  'create domain posint as integer check (value > 0)',
  'create type pair as (n integer, name text)',
]

const onPostgresql = pairs.filter(({ kind }) => kind === 'postgresql')

describeOn(
  onPostgresql.filter(({ orm }) => orm === 'kysely'),
  'a value of PostgreSQL by Kysely',
  (db) => {
    test.each(['copy', 'unnest'])(
      'is stored by %s as an insert of Kysely stores it, of every type',
      async (method) => {
        for (const text of setup) await db().exec(text)
        for (const [type, values] of Object.entries(kyselyValues)) {
          await db().exec('drop table if exists own, bulk')
          for (const table of ['own', 'bulk'])
            await db().exec(`create table ${table} (id integer, v ${type})`)
          const rows = values.map((v, id) => ({ id, v }))
          for (const row of rows) await db().db.insertInto('own').values(row).execute()
          const onConflict = method === 'copy' ? 'error' : 'skip'
          const report = await bulkOnKysely(db().kysely, 'bulk', rows, { onConflict })
          const used = db().pair.name.includes('PGlite') ? 'unnest' : method
          expect(report, type).toMatchObject({ inserted: rows.length, method: used })
          const stored = (table: string): Promise<unknown> =>
            db().rows(`select id, v::text as v, v is null as is_null from ${table} order by id`)
          expect(await stored('bulk'), type).toEqual(await stored('own'))
        }
      },
    )

    test.each([
      ['varchar(3)', 'abcd'],
      ['char(3)', 'abcd'],
      ['int2', 40_000],
      ['int4', '1.5'],
      ['int8', '9223372036854775808'],
      ['numeric(5,2)', '1000'],
      ['bool', 'maybe'],
      ['date', '2026-02-30'],
      ['timestamp', 'soon'],
      ['uuid', 'no'],
      ['mood', 'sad'],
      ['posint', -1],
      ['json', '{'],
      ['int4[]', [1, 'x']],
      ['text', 'a\u0000b'],
      ['inet', '300.1.1.1'],
      ['timestamptz', new Date(Number.NaN)],
    ])('is refused, not cut or changed: %s of %o', async (type, value) => {
      for (const text of setup) await db().exec(text)
      await db().exec(`create table bulk (id integer, v ${type})`)
      const rows = [
        { id: 0, v: null },
        { id: 1, v: value },
        { id: 2, v: null },
      ]
      const error = await rejection(bulkOnKysely(db().kysely, 'bulk', rows))
      expect(error).toMatchObject({ name: 'BulkInsertError', rowIndex: 1 })
      expect(await db().count('bulk')).toBe(0)
      const report = await bulkOnKysely(db().kysely, 'bulk', rows, { onRejected: 'collect' })
      expect(report).toMatchObject({ inserted: 2, rejected: 1, rejections: [{ rowIndex: 1 }] })
    })
  },
)

describeOn(
  onPostgresql.filter(({ orm }) => orm === 'drizzle'),
  'a value of PostgreSQL by Drizzle',
  (db) => {
    const mood = pg.pgEnum('mood', ['happy', 'it\'s "odd"'])
    const columns = {
      id: pg.integer(),
      i2: pg.smallint(),
      i8: pg.bigint({ mode: 'bigint' }),
      i8n: pg.bigint({ mode: 'number' }),
      num: pg.numeric(),
      real: pg.real(),
      text: pg.text(),
      vc: pg.varchar({ length: 5 }),
      bool: pg.boolean(),
      date: pg.date(),
      dated: pg.date({ mode: 'date' }),
      ts: pg.timestamp(),
      tsz: pg.timestamp({ withTimezone: true }),
      tss: pg.timestamp({ mode: 'string' }),
      time: pg.time(),
      interval: pg.interval(),
      uuid: pg.uuid(),
      json: pg.json(),
      jsonb: pg.jsonb(),
      ints: pg.integer().array(),
      texts: pg.text().array(),
      nested: pg.text().array().array(),
      stamps: pg.timestamp({ withTimezone: true }).array(),
      objects: pg.jsonb().array(),
      mood: mood(),
      inet: pg.inet(),
      point: pg.point(),
      bytes: pg.customType<{ data: Uint8Array; driverData: Uint8Array }>({
        dataType: () => 'bytea',
      })(),
    }
    const own = pg.pgTable('own', columns)
    const bulk = pg.pgTable('bulk', columns)
    const ddl = `id integer, i2 smallint, i8 bigint, i8n bigint, num numeric, "real" real, text text, vc varchar(5), bool boolean,
    date date, dated date, ts timestamp, tsz timestamptz, tss timestamp, time time, interval interval, uuid uuid, json json,
    jsonb jsonb, ints integer[], texts text[], nested text[][], stamps timestamptz[], objects jsonb[], mood mood, inet inet,
    point point, bytes bytea`
    const full = {
      i2: -5,
      i8: 9_007_199_254_740_993n,
      i8n: 5e10,
      num: '12345678901234567890.123',
      real: 1.5,
      text: 'a"b\\c\n{}',
      vc: '',
      bool: true,
      date: '2026-02-28',
      dated: new Date('2026-02-28T00:00:00Z'),
      ts: moment,
      tsz: moment,
      tss: '2026-01-01 12:34:56.123456',
      time: '12:34:56',
      interval: '1 day',
      uuid: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      json: { a: [1, 'x"y\\'] },
      jsonb: ['a', { b: null }, 5],
      ints: [1, 2, -3],
      texts: ['a', '', 'x,y', 'q"\\', 'NULL', '{}'],
      nested: [
        ['a', 'b c'],
        ['"', '\\'],
      ],
      stamps: [moment],
      mood: 'it\'s "odd"' as const,
      inet: '10.0.0.1',
      point: [1, 2.5] as [number, number],
      bytes: Buffer.from([0, 255, 92, 34]),
    }
    const rows = [
      { id: 0, ...full },
      { id: 1, jsonb: 'text', json: 'text', ints: [], texts: [], bool: false, i8: 0n },
      { id: 2, jsonb: 5, json: true },
      { id: 3, jsonb: null, json: null, text: null },
      { id: 4, jsonb: { 'ü"': '\\' }, json: [[]], mood: 'happy' as const },
    ]

    test('is stored as an insert of Drizzle stores it, of every type', async () => {
      for (const text of setup) await db().exec(text)
      for (const table of ['own', 'bulk']) await db().exec(`create table ${table} (${ddl})`)
      for (const row of rows) await db().db.insert(own).values(row)
      expect(await bulkOnDrizzle(db().db, bulk, rows)).toMatchObject({ inserted: rows.length })
      expect(await db().db.select().from(bulk).orderBy(bulk.id)).toEqual(
        await db().db.select().from(own).orderBy(own.id),
      )
      const texts = (table: string): Promise<unknown> =>
        db().rows(`select ${table}::text as t from ${table} order by id`)
      expect(await texts('bulk')).toEqual(await texts('own'))
    })

    test('comes back from RETURNING as from a select', async () => {
      for (const text of setup) await db().exec(text)
      await db().exec(`create table bulk (${ddl})`)
      const got: unknown[] = []
      await bulkOnDrizzle(db().db, bulk, rows.slice(0, 1), {
        returning: ['id', 'i8', 'ts', 'tsz', 'jsonb', 'texts', 'dated', 'num', 'point'],
        onReturned: (returned) => void got.push(...returned),
      })
      const [stored] = await db().db.select().from(bulk)
      const { id, i8, ts, tsz, jsonb, texts, dated, num, point } = stored
      expect(got).toEqual([{ id, i8, ts, tsz, jsonb, texts, dated, num, point }])
    })
  },
)

describeOn(onPostgresql, 'on PostgreSQL', (db) => {
  const columns = { id: 'int primary key', name: 'text', n: 'int' }
  const rows = (from: number, to: number): { id: number; name: string; n: number }[] =>
    Array.from({ length: to - from }, (_, at) => ({
      id: from + at,
      name: `name ${from + at}`,
      n: from + at,
    }))
  const upsert = { onConflict: { target: 'id', update: ['n'] } }

  async function trigger(when: string, body: string): Promise<void> {
    await db().exec(
      `create or replace function act() returns trigger language plpgsql as $$ begin ${body} end $$`,
    )
    await db().exec(`create trigger act ${when} on t for each row execute function act()`)
  }

  test('counts the rows of the table, not those that its triggers write', async () => {
    const table = await db().create('t', { columns })
    await db().create('log', { columns: { text: 'text' } })
    await trigger(
      'after insert or update',
      `insert into log values (new.id), (new.id); if new.id < 1000 then insert into t values (new.id + 1000, null, 0) on conflict do nothing; end if; return null;`,
    )
    expect(await db().bulk(table, rows(0, 10))).toMatchObject({
      inserted: 10,
      updated: 0,
      skipped: 0,
    })
    expect(await db().bulk(table, rows(5, 15), upsert)).toMatchObject({
      inserted: 5,
      updated: 5,
      skipped: 0,
    })
    expect(await db().bulk(table, rows(10, 20), { onConflict: 'skip' })).toMatchObject({
      inserted: 5,
      skipped: 5,
    })
    expect(await db().count('t')).toBe(40)
  })

  test('takes a row that a trigger keeps out for skipped', async () => {
    const table = await db().create('t', { columns })
    await db().bulk(table, rows(0, 10))
    await trigger(
      'before insert or update',
      `if new.id % 2 = 1 then return null; end if; return new;`,
    )
    const report = await db().bulk(table, rows(5, 15), upsert)
    expect(report).toMatchObject({ attempted: 10, inserted: 3, updated: 2, skipped: 5 })
  })

  test('rejects the rows that a trigger refuses', async () => {
    const table = await db().create('t', { columns })
    await trigger(
      'before insert',
      `if new.id % 20 = 1 then raise exception 'odd' using errcode = '23514'; end if; return new;`,
    )
    const report = await db().bulk(table, rows(0, 100), { onRejected: 'collect' })
    expect(report.rejections.map(({ rowIndex }) => rowIndex)).toEqual([1, 21, 41, 61, 81])
    await db().exec(
      `create or replace function act() returns trigger language plpgsql as $$ begin if new.id = 157 then raise exception 'odd'; end if; return new; end $$`,
    )
    expect(await rejection(db().bulk(table, rows(100, 200)))).toMatchObject({ rowIndex: 57 })
  })

  test('inserts through a view', async () => {
    await db().create('t', { columns })
    await db().exec('create or replace view v as select id, name, n from t')
    const view = db().table('v', columns)
    expect(await db().bulk(view, rows(0, 10))).toMatchObject({ inserted: 10, skipped: 0 })
    const report = await db().bulk(view, rows(5, 15), upsert)
    expect(report).toMatchObject({
      attempted: 10,
      inserted: undefined,
      updated: undefined,
      skipped: 0,
    })
    expect(await db().count('t')).toBe(15)
    await db().exec('drop view v')
  })

  test('does not tell updates from inserts on a partitioned table', async () => {
    await db().exec('drop table if exists p')
    await db().exec(
      'create table p (id integer primary key, name text, n integer) partition by range (id)',
    )
    await db().exec('create table p1 partition of p for values from (0) to (1000)')
    const table = db().table('p', columns)
    expect(await db().bulk(table, rows(0, 10))).toMatchObject({ inserted: 10 })
    expect(await db().bulk(table, rows(5, 15), upsert)).toMatchObject({
      inserted: undefined,
      updated: undefined,
      skipped: 0,
    })
    expect(await rejection(db().bulk(table, rows(999, 1_001)))).toMatchObject({ rowIndex: 1 })
  })

  test('keeps to the condition of a partial unique index', async () => {
    const table = await db().create('t', { columns })
    await db().exec('create unique index partial on t (name) where n > 0')
    await db().bulk(table, [
      { id: 1, name: 'a', n: 1 },
      { id: 2, name: 'a', n: 0 },
    ])
    const target = { target: 'name', targetWhere: db().condition('n > 0') }
    const input = [
      { id: 3, name: 'a', n: 5 },
      { id: 4, name: 'a', n: -1 },
      { id: 5, name: 'b', n: 1 },
    ]
    const skipped = await db().bulk(table, input, { onConflict: { ...target, skip: true } })
    expect(skipped).toMatchObject({ inserted: 2, skipped: 1 })
    const more = [
      { id: 6, name: 'b', n: 7 },
      { id: 7, name: 'b', n: 0 },
      { id: 8, name: 'b', n: -1 },
    ]
    const update = { onConflict: { ...target, update: ['n'] } }
    expect(await db().bulk(table, more, update)).toMatchObject({
      inserted: 2,
      updated: 1,
      skipped: 0,
    })
    for (const duplicatesInInput of ['first', 'last'] as const)
      expect(
        await rejection(db().bulk(table, more, { ...update, duplicatesInInput })),
      ).toMatchObject({ option: 'duplicatesInInput' })
    const twice = [
      { id: 9, name: 'c', n: 0 },
      { id: 10, name: 'c', n: 1 },
      { id: 11, name: 'c', n: 2 },
    ]
    expect(await rejection(db().bulk(table, twice, update))).toMatchObject({
      rowIndex: undefined,
      cause: { code: 'DUPLICATE_IN_INPUT' },
    })
  })

  describe('keys that are left to their default', () => {
    test.each(['error', 'first', 'last'] as const)(
      'are new keys, with duplicatesInInput %s',
      async (duplicatesInInput) => {
        await db().exec('drop table if exists s')
        await db().exec('create table s (id serial primary key, name text, n integer)')
        const table = db().table('s', columns)
        const report = await db().bulk(table, [{ name: 'a' }, { name: 'b' }, { name: 'a' }], {
          ...upsert,
          duplicatesInInput,
        })
        expect(report).toMatchObject({ inserted: 3, updated: 0, skipped: 0 })
      },
    )
  })

  test('decides between keys as they stand in the table', async () => {
    await db().exec('drop table if exists s')
    await db().exec('create table s (id numeric(5,1) primary key, n integer)')
    const table = db().table('s', { id: 'real', n: 'int' })
    const input = [
      { id: '1.0', n: 1 },
      { id: '1', n: 2 },
      { id: '2', n: 3 },
    ]
    const report = await db().bulk(table, input, { ...upsert, duplicatesInInput: 'last' })
    expect(report).toMatchObject({ inserted: 2, skipped: 1 })
    expect((await db().rows('select n from s order by id')).map(({ n }) => n)).toEqual([2, 3])
  })
})

// PGlite takes no bytes but a Uint8Array.
describeOn(
  onPostgresql.filter(({ orm, name }) => orm === 'kysely' && !name.endsWith('PGlite')),
  'bytes in a view by Kysely',
  (db) => {
    test('are stored as an insert of Kysely stores them', async () => {
      await db().exec('drop table if exists own, bulk')
      for (const table of ['own', 'bulk'])
        await db().exec(`create table ${table} (id integer, v bytea)`)
      const views = [new Uint16Array([1, 515]).subarray(1), new DataView(new ArrayBuffer(2))]
      const rows = views.map((v, id) => ({ id, v }))
      for (const row of rows) await db().db.insertInto('own').values(row).execute()
      await bulkOnKysely(db().kysely, 'bulk', rows)
      expect(await db().all('bulk')).toEqual(await db().all('own'))
    })
  },
)
