import {
  type DuckDBDatabase,
  InfiniteTimestampError,
  Int64RangeError,
  openDuckDB,
  TimestampPrecisionError,
  type ValuePolicies,
} from '@keelson/duckdb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'

let database: DuckDBDatabase
beforeAll(async () => {
  database = await openDuckDB({ path: ':memory:' })
})
afterAll(() => database.close())

async function read(expression: string, values: Partial<ValuePolicies> = {}): Promise<unknown> {
  const { rows } = await database.execute(`select ${expression} as c`, [], { values })
  return rows[0]?.['c']
}

/** What each expression is read as, by default. */
const defaults: readonly [expression: string, value: unknown][] = [
  ['null', null],
  ['null::timestamp', null],
  ['true', true],
  ['(-128)::tinyint', -128],
  ['(-32768)::smallint', -32768],
  ['(-2147483648)::integer', -2147483648],
  ['255::utinyint', 255],
  ['65535::usmallint', 65535],
  ['4294967295::uinteger', 4294967295],
  ['9007199254740991::bigint', 9007199254740991],
  ['(-9007199254740991)::bigint', -9007199254740991],
  ['9007199254740991::ubigint', 9007199254740991],
  ['(-1)::hugeint', -1],
  ['9007199254740991::uhugeint', 9007199254740991],
  ['(-42)::bignum', -42],
  ['1.1::float', Math.fround(1.1)],
  ['0.1::double', 0.1],
  ["'-0'::double", -0],
  ["'nan'::double", NaN],
  ["'-inf'::float", -Infinity],
  ['1.5::decimal(4, 2)', '1.50'],
  ['(-0.05)::decimal(4, 2)', '-0.05'],
  ['0.5::decimal(2, 2)', '0.50'],
  ['7::decimal(9, 0)', '7'],
  ['12345678901234567.8::decimal(18, 1)', '12345678901234567.8'],
  ["'-12345678901234567890.123456789'::decimal(38, 9)", '-12345678901234567890.123456789'],
  ["'Ünïcödé 🦆'", 'Ünïcödé 🦆'],
  ["''", ''],
  ["date '2026-11-21'", '2026-11-21'],
  ["date '0044-03-15 (BC)'", '0044-03-15 (BC)'],
  ["date '12345-01-01'", '12345-01-01'],
  ["date '-infinity'", '-infinity'],
  ["timestamp '2026-11-21 08:15:00'", '2026-11-21 08:15:00'],
  ["timestamp '2026-11-21 08:15:00.120'", '2026-11-21 08:15:00.12'],
  ["timestamp '1969-12-31 23:59:59.999999'", '1969-12-31 23:59:59.999999'],
  ["timestamp 'infinity'", 'infinity'],
  ["timestamptz '2026-11-21 08:15:00.5+02'", '2026-11-21 06:15:00.5+00'],
  ["'2026-11-21 08:15:00'::timestamp_s", '2026-11-21 08:15:00'],
  ["'2026-11-21 08:15:00.123'::timestamp_ms", '2026-11-21 08:15:00.123'],
  ["'2026-11-21 08:15:00.123456789'::timestamp_ns", '2026-11-21 08:15:00.123456789'],
  ["time '08:15:00.123456'", '08:15:00.123456'],
  ["time '24:00:00'", '24:00:00'],
  ["'08:15:00.123456789'::time_ns", '08:15:00.123456789'],
  ["'08:15:00+02:30'::timetz", '08:15:00+02:30'],
  ["'08:15:00-15:59:59'::timetz", '08:15:00-15:59:59'],
  ["interval '14 months -3 days 5 seconds'", { months: 14, days: -3, micros: 5_000_000n }],
  ["'ab\\xFF'::blob", Buffer.from([97, 98, 255])],
  ["''::blob", Buffer.alloc(0)],
  ["'0101'::bit", '0101'],
  ["'550e8400-e29b-41d4-a716-446655440000'::uuid", '550e8400-e29b-41d4-a716-446655440000'],
  ["'ok'::enum('sad', 'ok')", 'ok'],
  ["'POINT (1 2)'::geometry", Buffer.from('0101000000000000000000f03f0000000000000040', 'hex')],
  ['count(*)', 1],
  ['sum(5)', 5],
]

describe('by default', () => {
  test.for(defaults)('%s is read as %s', async ([expression, value]) => {
    expect(await read(expression)).toEqual(value)
  })
})

describe('by policy', () => {
  const cases: readonly [Partial<ValuePolicies>, expression: string, value: unknown][] = [
    [{ int64: 'bigint' }, '9223372036854775807', 9223372036854775807n],
    [{ int64: 'bigint' }, '1::bigint', 1n],
    [{ int64: 'bigint' }, '(-170141183460469231731687303715884105728)::hugeint', -(2n ** 127n)],
    [{ int64: 'bigint' }, '340282366920938463463374607431768211455::uhugeint', 2n ** 128n - 1n],
    [{ int64: 'bigint' }, "('1' || repeat('0', 50))::bignum", 10n ** 50n],
    [{ int64: 'bigint' }, '1::integer', 1],
    [{ int64: 'string' }, '18446744073709551615::ubigint', '18446744073709551615'],
    [{ int64: 'lossyNumber' }, '9007199254740993', 9007199254740992],
    [{ decimal: 'number' }, '1.10::decimal(4, 2)', 1.1],
    [{ decimal: 'number' }, '0.1::decimal(38, 38)', 0.1],
    [{ decimal: 'number' }, '12345678901234567890.5::decimal(38, 1)', 12345678901234567000],
    [
      { timestamp: 'date' },
      "timestamp '2026-11-21 08:15:00.069'",
      date('2026-11-21T08:15:00.069Z'),
    ],
    [{ timestamp: 'date' }, "timestamptz '2026-11-21 08:15:00+02'", date('2026-11-21T06:15:00Z')],
    [{ timestamp: 'date' }, "'2026-11-21 08:15:00'::timestamp_s", date('2026-11-21T08:15:00Z')],
    [
      { timestamp: 'date' },
      "'1969-12-31 23:59:59.069'::timestamp_ns",
      date('1969-12-31T23:59:59.069Z'),
    ],
    [
      { timestamp: 'lossyDate' },
      "timestamp '1969-12-31 23:59:59.999999'",
      date('1969-12-31T23:59:59.999Z'),
    ],
    [{ timestamp: 'date' }, "timestamp 'infinity'", 'infinity'],
    [{ date: 'date' }, "date '2026-11-21'", date('2026-11-21T00:00:00Z')],
    [{ date: 'date' }, "date '1969-12-31'", date('1969-12-31T00:00:00Z')],
    [{ time: 'micros' }, "time '08:15:00.123456'", 29_700_123_456n],
    [{ time: 'micros' }, "'08:15:00'::time_ns", '08:15:00'],
    [{ interval: 'string' }, "interval '14 months -3 days'", '1 year 2 months -3 days'],
    [{ interval: 'string' }, "interval '0 s'", '00:00:00'],
    [{ json: 'string' }, `'{"a": 1}'::json`, '{"a": 1}'],
    [{ infinity: 'number' }, "date 'infinity'", Infinity],
    [{ infinity: 'number' }, "timestamptz '-infinity'", -Infinity],
    [{ infinity: 'number' }, "[timestamp '-infinity']", [-Infinity]],
    [{ infinity: 'number', timestamp: 'date' }, "'infinity'::timestamp_ns", Infinity],
  ]

  test.for(cases)('%o: %s is read as %s', async ([values, expression, value]) => {
    expect(await read(expression, values)).toEqual(value)
  })

  test('a policy of the database holds where a statement has no other', async () => {
    const other = await openDuckDB({ path: ':memory:', int64: 'string', decimal: 'number' })
    const sql = 'select 1::bigint as a, 1.5::decimal(3, 1) as b'
    expect((await other.execute(sql)).rows).toEqual([{ a: '1', b: 1.5 }])
    const { rows } = await other.execute(sql, [], { values: { int64: 'bigint' } })
    expect(rows).toEqual([{ a: 1n, b: 1.5 }])
    await other.close()
  })
})

describe('JSON', () => {
  const cases: readonly [text: string, value: unknown][] = [
    ['{"a": [1, null, "x", {"b": true}]}', { a: [1, null, 'x', { b: true }] }],
    ['"text"', 'text'],
    ['1.0000000000000000001', 1],
    ['0.1234567890123456789', 0.12345678901234568],
    ['{"id": "12345678901234567890"}', { id: '12345678901234567890' }],
  ]

  test.for(cases)('%s is parsed', async ([text, value]) => {
    expect(await read(`'${text}'::json`)).toEqual(value)
  })

  test('null is null, as NULL is', async () => {
    expect(await read(`'null'::json`)).toBeNull()
  })

  test('a key __proto__ is a key like any other', async () => {
    const value = await read(`'{"__proto__": 5}'::json`)
    expect(Object.entries(value as object)).toEqual([['__proto__', 5]])
  })

  test('is parsed within lists, structs and maps', async () => {
    expect(await read(`['[1]'::json, null]`)).toEqual([[1], null])
    expect(await read(`{'a': '[1]'::json}`)).toEqual({ a: [1] })
    expect(await read(`map {'a': '{"b": 1}'::json}`)).toEqual([{ key: 'a', value: { b: 1 } }])
  })

  test('an integer that a number would round is read as the int64 policy says', async () => {
    const json = `'{"id": 12345678901234567891}'::json`
    const error = await rejection(read(json))
    expect(error).toBeInstanceOf(Int64RangeError)
    expect(error).toMatchObject({ column: 'c', value: 12345678901234567891n })
    expect(await read(json, { int64: 'bigint' })).toEqual({ id: 12345678901234567891n })
    expect(await read(json, { int64: 'string' })).toEqual({ id: '12345678901234567891' })
    expect(await read(json, { int64: 'lossyNumber' })).toEqual({ id: 12345678901234567000 })
  })

  test('what only DuckDB takes for JSON is refused, not lost', async () => {
    for (const text of ['[NaN]', '[1, 2,]', '{"a": Infinity}']) {
      const error = await rejection(read(`'${text}'::json`))
      expect(error).toMatchObject({ code: 'JSON_TEXT', column: 'c', value: text })
      expect(error.message).toBe(
        `Column "c" holds \`${text}\`, which DuckDB takes for JSON and JavaScript does not. ` +
          "Use json: 'string' to read it as text.",
      )
      expect(await read(`'${text}'::json`, { json: 'string' })).toBe(text)
    }
  })
})

describe('what a number or a Date cannot hold', () => {
  const unsafe: readonly [expression: string, value: bigint][] = [
    ['9007199254740992', 2n ** 53n],
    ['-9007199254740992', -(2n ** 53n)],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['18446744073709551615::ubigint', 2n ** 64n - 1n],
    ['(-170141183460469231731687303715884105728)::hugeint', -(2n ** 127n)],
    ['340282366920938463463374607431768211455::uhugeint', 2n ** 128n - 1n],
    ["('1' || repeat('0', 50))::bignum", 10n ** 50n],
    ['[1, 9007199254740993]', 2n ** 53n + 1n],
    ['9007199254740993::variant', 2n ** 53n + 1n],
  ]

  test.for(unsafe)('%s throws, and names the column', async ([expression, value]) => {
    const error = await rejection(read(expression))
    expect(error).toBeInstanceOf(Int64RangeError)
    expect(error).toMatchObject({ column: 'c', value })
  })

  test('a timestamp with microseconds throws under timestamp: date', async () => {
    const text = '2026-11-21 08:15:00.123456'
    const error = await rejection(read(`timestamp '${text}'`, { timestamp: 'date' }))
    expect(error).toBeInstanceOf(TimestampPrecisionError)
    expect(error).toMatchObject({ column: 'c', value: text })
  })

  test('an infinite date throws under infinity: throw, at any depth', async () => {
    for (const expression of ["date '-infinity'", "[{'a': date '-infinity'}]"]) {
      const error = await rejection(read(expression, { infinity: 'throw' }))
      expect(error).toBeInstanceOf(InfiniteTimestampError)
      expect(error).toMatchObject({ column: 'c', value: '-infinity' })
    }
  })

  test('a date beyond the years of a Date throws under date: date', async () => {
    const text = '5877642-06-25 (BC)'
    expect(await read(`date '${text}'`)).toBe(text)
    const error = await rejection(read(`date '${text}'`, { date: 'date' }))
    expect(error).toMatchObject({ code: 'DATE_RANGE', column: 'c', value: text })
    expect(error.message).toBe(
      `Column "c" holds ${text}, which is beyond what a Date can hold. ` +
        "Use date: 'string' and timestamp: 'string' to read it.",
    )
  })

  test('an integer that is in no row does not throw', async () => {
    const sql = `select case when i = 0 then null else [i] end as c
      from (values (0, 9007199254740993), (1, 1)) t(i, big)`
    expect((await database.execute(sql)).rows).toEqual([{ c: null }, { c: [1] }])
  })
})

test('what the type of a column consists of changes with the parameters', async () => {
  await database.execute('create table prices as select 2.5::decimal(10, 2) as p')
  const read: unknown[] = []
  for (const price of [1.5, 1.005, null, 1.5])
    read.push((await database.execute('select coalesce($1, p) as c from prices', [price])).rows)
  expect(read).toEqual([[{ c: '1.50' }], [{ c: '1.005' }], [{ c: '2.50' }], [{ c: '1.50' }]])
})

test('columns of one statement change their types with the parameters', async () => {
  const sql = 'select $1 as c'
  const parameters = [1, 'x', 2n ** 40n, [1], ['x'], [[1.5]], null, true, new Map([['a', 1]])]
  const values: unknown[] = []
  for (const parameter of parameters)
    values.push((await database.execute(sql, [parameter])).rows[0]?.['c'])
  expect(values).toEqual([
    1,
    'x',
    2 ** 40,
    [1],
    ['x'],
    [[1.5]],
    null,
    true,
    [{ key: 'a', value: 1 }],
  ])
})

function date(text: string): Date {
  return new Date(text)
}
