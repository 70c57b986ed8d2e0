import { drizzle, type KeelsonDuckDBDatabase } from '@keelson/duckdb/drizzle'
import type { DuckDBOptions } from '@keelson/duckdb'
import { eq, sql } from 'drizzle-orm'
import {
  bigint,
  bigserial,
  boolean,
  char,
  customType,
  date,
  doublePrecision,
  integer,
  interval,
  json,
  jsonb,
  numeric,
  pgEnum,
  pgTable,
  real,
  serial,
  smallint,
  text,
  time,
  timestamp,
  uuid,
  varchar,
  vector,
} from 'drizzle-orm/pg-core'
import { describe, expect, test } from 'vitest'
import { closeAfterTest, rejection } from './fixture.ts'

const bytea = customType<{ data: Uint8Array }>({ dataType: () => 'blob' })
const shout = customType<{ data: string; driverData: string }>({
  dataType: () => 'text',
  toDriver: (value) => value.toLowerCase(),
  fromDriver: (value) => value.toUpperCase(),
})
const int64 = customType<{ data: bigint | number | string }>({ dataType: () => 'bigint' })
const mood = pgEnum('mood', ['sad', 'ok', 'happy'])

const things = pgTable('things', {
  id: integer().primaryKey(),
  small: smallint(),
  whole: integer(),
  big: bigint({ mode: 'number' }),
  bigBig: bigint('big_big', { mode: 'bigint' }),
  numbered: serial(),
  bigNumbered: bigserial('big_numbered', { mode: 'bigint' }),
  amount: numeric({ precision: 38, scale: 10 }),
  amountNumber: numeric('amount_number', { mode: 'number', precision: 18, scale: 3 }),
  amountBig: numeric('amount_big', { mode: 'bigint', precision: 38, scale: 0 }),
  plainBig: numeric('plain_big', { mode: 'bigint' }),
  single: real(),
  double: doublePrecision(),
  label: text(),
  short: varchar({ length: 10 }),
  fixed: char({ length: 3 }),
  kind: text({ enum: ['a', 'b'] }),
  flag: boolean(),
  moment: timestamp(),
  momentText: timestamp('moment_text', { mode: 'string' }),
  zoned: timestamp({ withTimezone: true }),
  zonedText: timestamp('zoned_text', { mode: 'string', withTimezone: true }),
  day: date({ mode: 'date' }),
  dayText: date('day_text', { mode: 'string' }),
  clock: time(),
  span: interval(),
  key: uuid(),
  meta: json(),
  metaB: jsonb('meta_b'),
  feeling: mood(),
  bytes: bytea(),
  loud: shout(),
  custom: int64(),
  embedding: vector({ dimensions: 3 }),
})
type Thing = typeof things.$inferInsert

const statement = `create table things (
  id integer primary key, small smallint, whole integer, big bigint, big_big bigint, numbered integer,
  big_numbered bigint, amount decimal(38, 10), amount_number decimal(18, 3), amount_big decimal(38, 0),
  plain_big numeric, single real, double double precision, label text, short varchar(10), fixed char(3), kind text,
  flag boolean, moment timestamp, moment_text timestamp, zoned timestamp with time zone,
  zoned_text timestamp with time zone, day date, day_text date, clock time, span interval, key uuid, meta json,
  meta_b json, feeling mood, bytes blob, loud text, custom bigint, embedding float[3]
)`

async function open(options: DuckDBOptions = {}): Promise<KeelsonDuckDBDatabase> {
  const db = drizzle({ connection: { path: ':memory:', ...options } })
  closeAfterTest(db)
  await db.execute(sql`create type mood as enum ('sad', 'ok', 'happy')`)
  await db.execute(sql.raw(statement))
  return db
}

let lastId = 0

/** What is read of a value that was written, by an insert, its RETURNING, a select, and an update. */
async function written<K extends keyof Thing>(
  db: KeelsonDuckDBDatabase,
  column: K,
  value: Thing[K],
): Promise<unknown> {
  const id = ++lastId
  const field = { value: things[column] }
  const [inserted] = await db
    .insert(things)
    .values({ id, [column]: value })
    .returning(field)
  const [selected] = await db.select(field).from(things).where(eq(things.id, id))
  expect(inserted).toEqual(selected)
  const [updated] = await db
    .update(things)
    .set({ [column]: value })
    .where(eq(things.id, id))
    .returning(field)
  expect(updated).toEqual(selected)
  const found = await db
    .select({ id: things.id })
    .from(things)
    .where(sql`${eq(things[column], value)} and ${eq(things.id, id)}`)
    .catch(() => 'cannot be compared')
  if (column !== 'meta' && column !== 'metaB' && column !== 'embedding')
    expect(found).toEqual([{ id }])
  return selected!.value
}

const values: { readonly [K in keyof Thing]?: readonly Thing[K][] } = {
  small: [0, -32_768, 32_767],
  whole: [0, -(2 ** 31), 2 ** 31 - 1],
  big: [0, 2 ** 31, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  bigBig: [0n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n],
  numbered: [7],
  bigNumbered: [2n ** 62n],
  amount: ['0.0000000000', '1234567890123456789012345678.0123456789', '-0.0000000001'],
  amountNumber: [0, 0.5, -123_456.789],
  amountBig: [0n, 12_345_678_901_234_567_890_123_456_789_012_345_678n, -1n],
  plainBig: [0n, 42n, -999_999_999_999_999n],
  single: [0, 0.5, -1.5, Infinity],
  double: [0.1, 1 / 3, 5e-324, Number.MAX_VALUE, -Infinity],
  label: [
    '',
    'Ada',
    '{1,2}',
    '{"x","y"}',
    '[1, 2]',
    ' {1} ',
    '{}',
    'null',
    'it\'s "so"',
    '列 😀',
    '\\',
    '2026-11-21',
  ],
  short: ['ten'],
  fixed: ['abc'],
  kind: ['a', 'b'],
  flag: [true, false],
  moment: [
    new Date('2026-11-21T08:15:00.123Z'),
    new Date(0),
    new Date('1901-02-03T04:05:06.007Z'),
    new Date('0099-12-31T23:59:59.999Z'),
    new Date('0001-01-01T00:00:00.000Z'),
  ],
  momentText: ['2026-11-21 08:15:00.123456', '2026-11-21 08:15:00', '0044-03-15 (BC) 10:00:00.5'],
  zoned: [new Date('2026-11-21T08:15:00.123Z'), new Date('0099-12-31T23:59:59.999Z')],
  zonedText: ['2026-11-21 08:15:00.123456+00'],
  day: [new Date('2026-11-21'), new Date('0099-01-01'), new Date('-000043-03-15')],
  dayText: ['2026-11-21', '0044-03-15 (BC)', '12345-01-01'],
  clock: ['08:15:00', '23:59:59.999999'],
  span: ['1 year 2 months -3 days', '04:05:06.5', '1 day'],
  key: ['6b1d4a8e-6f2e-4b6e-8d8f-0123456789ab'],
  meta: [{ a: [1, null, 'x'] }, [], 'text', '{"a":1}', '', 0, true, 1.5],
  metaB: [{ a: { b: 1 } }, '[1]', 7],
  feeling: ['sad', 'happy'],
  bytes: [new Uint8Array([0, 1, 255]), new Uint8Array()],
  loud: ['LOUD'],
  custom: [1, Number.MAX_SAFE_INTEGER],
  embedding: [[1, 2.5, -3]],
}

describe('a value comes back as it was written', () => {
  test.for(Object.keys(values) as (keyof Thing)[])('from %s', async (column) => {
    const db = await open()
    for (const value of values[column] as readonly Thing[typeof column][]) {
      const read = await written(db, column, value)
      if (value instanceof Uint8Array) expect(Buffer.compare(read as Uint8Array, value)).toBe(0)
      else expect(read).toStrictEqual(value)
    }
  })

  test('null from every column, in a row of its own and beside others', async () => {
    const db = await open()
    await db.insert(things).values({ id: 1 })
    const [row] = await db.select().from(things)
    for (const [key, value] of Object.entries(row!))
      expect(value, key).toBe(key === 'id' ? 1 : null)
  })

  const policies: DuckDBOptions[] = [
    { int64: 'bigint' },
    { int64: 'string' },
    { decimal: 'number' },
    { timestamp: 'date', date: 'date' },
    { timestamp: 'lossyDate' },
    { time: 'micros' },
    { interval: 'string' },
    { json: 'string' },
    { infinity: 'number' },
    { settings: { TimeZone: 'Asia/Tokyo' } },
  ]
  test.for(policies)('whatever the options of the database: %j', async (options) => {
    const db = await open(options)
    const row = Object.fromEntries(
      Object.entries(values).map(([column, [value]]) => [column, value]),
    ) as Thing
    delete (row as Partial<Thing>).custom
    const [inserted] = await db
      .insert(things)
      .values({ ...row, id: 1 })
      .returning()
    const [selected] = await db.select().from(things)
    for (const result of [inserted!, selected!]) {
      expect({ ...result, bytes: [...result.bytes!] }).toStrictEqual({
        ...row,
        id: 1,
        bytes: [0, 1, 255],
        custom: null,
      })
    }
  })
})

describe('what a column cannot give without loss', () => {
  test('is an integer that a number would round', async () => {
    for (const int64 of ['number', 'bigint', 'string'] as const) {
      const db = await open({ int64 })
      await db.insert(things).values({ id: 1, bigBig: 9_007_199_254_740_993n })
      await db.execute(sql`update things set big = big_big`)
      expect(await rejection(db.select({ n: things.big }).from(things))).toMatchObject({
        code: 'INT64_RANGE',
        value: 9_007_199_254_740_993n,
      })
      expect(await db.select({ n: things.bigBig }).from(things)).toEqual([
        { n: 9_007_199_254_740_993n },
      ])
    }
    const db = await open({ int64: 'lossyNumber' })
    await db.execute(
      sql`insert into things (id, big, big_big) values (1, 9007199254740993, 9007199254740993)`,
    )
    expect(await db.select({ n: things.big, b: things.bigBig }).from(things)).toEqual([
      { n: 9_007_199_254_740_992, b: 9_007_199_254_740_993n },
    ])
  })

  test('is an infinite timestamp or date as a Date', async () => {
    const db = await open()
    await db.execute(
      sql`insert into things (id, moment, moment_text, day, day_text) values (1, 'infinity', '-infinity', '-infinity', 'infinity')`,
    )
    for (const column of [things.moment, things.day]) {
      expect(await rejection(db.select({ value: column }).from(things))).toMatchObject({
        code: 'INFINITE_TIMESTAMP',
        column: column.name,
      })
    }
    expect(await db.select({ a: things.momentText, b: things.dayText }).from(things)).toEqual([
      { a: '-infinity', b: 'infinity' },
    ])
  })

  test('is a timestamp beyond the range of a Date', async () => {
    const db = await open()
    await db.execute(sql`insert into things (id, moment) values (1, '290000-01-01')`)
    expect(await rejection(db.select({ value: things.moment }).from(things))).toMatchObject({
      code: 'DATE_RANGE',
      column: 'moment',
    })
  })

  test('is a large integer inside JSON', async () => {
    const db = await open()
    await db.execute(sql`insert into things (id, meta) values (1, '{"id": 9007199254740993}')`)
    expect(await rejection(db.select({ meta: things.meta }).from(things))).toMatchObject({
      code: 'INT64_RANGE',
      column: 'meta',
    })
    const exact = await open({ int64: 'bigint' })
    await exact.execute(sql`insert into things (id, meta) values (1, '{"id": 9007199254740993}')`)
    expect(await exact.select({ meta: things.meta }).from(things)).toEqual([
      { meta: { id: 9_007_199_254_740_993n } },
    ])
  })

  test('of a Date column are microseconds, which are cut', async () => {
    const db = await open()
    await db.execute(
      sql`insert into things (id, moment) values (1, '2026-11-21 08:15:00.123999'), (2, '1960-01-01 00:00:00.000999')`,
    )
    expect(await db.select({ moment: things.moment }).from(things).orderBy(things.id)).toEqual([
      { moment: new Date('2026-11-21T08:15:00.123Z') },
      { moment: new Date('1960-01-01T00:00:00.000Z') },
    ])
  })
})

describe('what has no column follows the options of the database', () => {
  const fields = {
    n: sql`9007199254740991`,
    d: sql`1.50::decimal(4, 2)`,
    t: sql`timestamp '2026-11-21 08:15:00.5'`,
    i: sql`interval '1 day'`,
    j: sql`'{"a": 1}'::json`,
    list: sql`[9007199254740991, null]`,
    struct: sql`{'a': 9007199254740991}`,
  }

  test('by default', async () => {
    const db = await open()
    expect(await db.select(fields).from(sql`(select 1)`)).toEqual([
      {
        n: 9_007_199_254_740_991,
        d: '1.50',
        t: '2026-11-21 08:15:00.5',
        i: { months: 0, days: 1, micros: 0n },
        j: { a: 1 },
        list: [9_007_199_254_740_991, null],
        struct: { a: 9_007_199_254_740_991 },
      },
    ])
  })

  test.for(['bigint', 'string', 'number', 'lossyNumber'] as const)(
    'also beside columns that want another form, with int64: %s',
    async (int64) => {
      const as = { bigint: BigInt, string: String, number: Number, lossyNumber: Number }[int64]
      const db = await open({
        int64,
        timestamp: 'lossyDate',
        decimal: 'number',
        interval: 'string',
      })
      await db.insert(things).values({
        id: 1,
        bigBig: 1n,
        amount: '1.5',
        momentText: '2026-11-21 08:15:00.123456',
        meta: '[1]',
        custom: 3,
      })
      const columns = {
        bigBig: things.bigBig,
        amount: things.amount,
        momentText: things.momentText,
        meta: things.meta,
        custom: things.custom,
      }
      expect(await db.select({ ...columns, ...fields }).from(things)).toEqual([
        {
          bigBig: 1n,
          amount: '1.5000000000',
          momentText: '2026-11-21 08:15:00.123456',
          meta: '[1]',
          custom: as(3),
          n: as(9_007_199_254_740_991),
          d: 1.5,
          t: new Date('2026-11-21T08:15:00.500Z'),
          i: '1 day',
          j: { a: 1 },
          list: [as(9_007_199_254_740_991), null],
          struct: { a: as(9_007_199_254_740_991) },
        },
      ])
    },
  )

  test('also beside a json() column: each is parsed once', async () => {
    const db = await open()
    await db.insert(things).values({ id: 1, meta: '{"a":1}', span: '1 day' })
    expect(
      await db
        .select({
          meta: things.meta,
          span: things.span,
          again: sql`${things.meta}`,
          i: fields.i,
          j: fields.j,
        })
        .from(things),
    ).toEqual([
      {
        meta: '{"a":1}',
        span: '1 day',
        again: '{"a":1}',
        i: { months: 0, days: 1, micros: 0n },
        j: { a: 1 },
      },
    ])
  })

  test('unless it is mapped with a column, a text or a bigint', async () => {
    const db = await open()
    expect(
      await db
        .select({
          big: sql`9007199254740993`.mapWith(things.bigBig),
          text: sql`9007199254740993`.mapWith(String),
          bigint: sql`9007199254740993`.mapWith(BigInt),
          day: sql`date '2026-11-21'`.mapWith(things.day),
        })
        .from(sql`(select 1)`),
    ).toEqual([
      {
        big: 9_007_199_254_740_993n,
        text: '9007199254740993',
        bigint: 9_007_199_254_740_993n,
        day: new Date('2026-11-21'),
      },
    ])
  })
})
