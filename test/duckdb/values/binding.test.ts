import {
  decimalValue,
  listValue,
  structValue,
  timestampValue,
  unionValue,
  VARCHAR,
} from '@duckdb/node-api'
import { type DuckDBDatabase, openDuckDB, ParameterError } from '@keelson/duckdb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'

let database: DuckDBDatabase
beforeAll(async () => {
  database = await openDuckDB({ path: ':memory:', settings: { TimeZone: 'UTC' } })
})
afterAll(() => database.close())

/** What a value comes back as from a column of the type. */
async function stored(type: string, value: unknown): Promise<unknown> {
  await database.execute(`create or replace table t (c ${type})`)
  await database.execute('insert into t values ($1)', [value])
  const { rows } = await database.execute('from t', [], { values: { int64: 'bigint' } })
  return rows[0]?.['c']
}

const midnight = new Date(Date.UTC(2026, 10, 21))
const instant = new Date(Date.UTC(2026, 10, 21, 8, 15, 0, 120))

const accepted: readonly [type: string, bound: unknown, read: unknown][] = [
  ['integer', null, null],
  ['integer', undefined, null],
  ['integer', 42, 42],
  ['integer', 42n, 42],
  ['integer', '42', 42],
  ['integer', ' 1e2 ', 100],
  ['integer', '0x1F', 31],
  ['integer', true, 1],
  ['utinyint', 255, 255],
  ['bigint', Number.MAX_SAFE_INTEGER, BigInt(Number.MAX_SAFE_INTEGER)],
  ['bigint', 2n ** 63n - 1n, 2n ** 63n - 1n],
  ['bigint', '-9223372036854775808', -(2n ** 63n)],
  ['ubigint', 2n ** 64n - 1n, 2n ** 64n - 1n],
  ['hugeint', -(2n ** 127n), -(2n ** 127n)],
  ['uhugeint', 2n ** 128n - 1n, 2n ** 128n - 1n],
  ['bignum', 10n ** 50n, 10n ** 50n],
  ['bignum', 0, 0n],
  ['bignum', '-1' + '0'.repeat(50), -(10n ** 50n)],
  ['double', 0.1, 0.1],
  ['double', -0, -0],
  ['double', NaN, NaN],
  ['double', -Infinity, -Infinity],
  ['double', 2n ** 60n, 2 ** 60],
  ['double', '1e-7', 1e-7],
  ['float', 0.1, Math.fround(0.1)],
  ['decimal(10, 2)', 1.5, '1.50'],
  ['decimal(10, 2)', -0.29, '-0.29'],
  ['decimal(10, 2)', 99999999.99, '99999999.99'],
  ['decimal(10, 2)', '99999999.99', '99999999.99'],
  ['decimal(10, 2)', 5n, '5.00'],
  ['decimal(38, 20)', 1e-20, `0.${'0'.repeat(19)}1`],
  ['decimal(38, 9)', '12345678901234567890.123456789', '12345678901234567890.123456789'],
  ['boolean', false, false],
  ['boolean', 1, true],
  ['boolean', 0n, false],
  ['boolean', 'yes', true],
  ['varchar', 'a\0b', 'a\0b'],
  ['varchar', '', ''],
  ['varchar', 1.5, '1.5'],
  ['varchar', 2n ** 70n, '1180591620717411303424'],
  ['varchar', true, 'true'],
  ['varchar', instant, '2026-11-21T08:15:00.120Z'],
  ['blob', Buffer.from('abc'), Buffer.from('abc')],
  ['blob', Uint8Array.of(9, 1, 2, 9).subarray(1, 3), Buffer.of(1, 2)],
  ['blob', Uint8Array.of(1, 2).buffer, Buffer.of(1, 2)],
  ['blob', 'abc', Buffer.from('abc')],
  ['bit', '00101', '00101'],
  ['uuid', '550E8400-E29B-41D4-A716-446655440000', '550e8400-e29b-41d4-a716-446655440000'],
  ["enum('a', 'b')", 'b', 'b'],
  ['date', '2026-11-21', '2026-11-21'],
  ['date', '2026-11-21T00:00:00Z', '2026-11-21'],
  ['date', midnight, '2026-11-21'],
  ['date', -Infinity, '-infinity'],
  ['date', 'infinity', 'infinity'],
  ['date', '0000-05-05', '0001-05-05 (BC)'],
  ['date', '012345-05-05', '12345-05-05'],
  ['timestamp', instant, '2026-11-21 08:15:00.12'],
  ['timestamp', '2026-11-21T08:15:00.123456Z', '2026-11-21 08:15:00.123456'],
  ['timestamp', '2026-11-21', '2026-11-21 00:00:00'],
  ['timestamp', Infinity, 'infinity'],
  ['timestamptz', instant, '2026-11-21 08:15:00.12+00'],
  ['timestamptz', '2026-11-21 08:15:00.5+02:30', '2026-11-21 05:45:00.5+00'],
  ['timestamptz', '2026-11-21 08:15:00', '2026-11-21 08:15:00+00'],
  ['timestamp_s', midnight, '2026-11-21 00:00:00'],
  ['timestamp_ms', instant, '2026-11-21 08:15:00.12'],
  ['timestamp_ns', '2026-11-21 08:15:00.123456789', '2026-11-21 08:15:00.123456789'],
  ['time', '08:15:00.123456', '08:15:00.123456'],
  ['time', '24:00:00', '24:00:00'],
  ['time', 29_700_000_000n, '08:15:00'],
  ['time_ns', '08:15:00.123456789', '08:15:00.123456789'],
  ['timetz', '08:15:00-01:02:03', '08:15:00-01:02:03'],
  ['interval', { months: 1, days: -3, micros: 5n }, { months: 1, days: -3, micros: 5n }],
  ['interval', { days: 2 }, { months: 0, days: 2, micros: 0n }],
  ['interval', '1 year 2 months -00:00:01', { months: 14, days: 0, micros: -1_000_000n }],
  ['interval', '36 hours', { months: 0, days: 0, micros: 129_600_000_000n }],
  ['integer[]', [1, null, undefined, 3n], [1, null, null, 3]],
  ['integer[]', [null, 1], [null, 1]],
  ['integer[]', [], []],
  ['double[]', [1, 2.5], [1, 2.5]],
  ['varchar[][]', [['a'], [], null], [['a'], [], null]],
  ['bignum[]', [0n, -5n, null], [0n, -5n, null]],
  ['date[]', [midnight, '2026-11-22'], ['2026-11-21', '2026-11-22']],
  ['integer[2]', [1, null], [1, null]],
  ['struct(a integer, b varchar)', { b: 'x' }, { a: null, b: 'x' }],
  ['struct(a integer, b json)', { a: 1, b: { c: [1] } }, { a: 1, b: { c: [1] } }],
  ['map(varchar, integer)', { a: 1 }, [{ key: 'a', value: 1 }]],
  ['map(integer, varchar)', { 1: 'x' }, [{ key: 1, value: 'x' }]],
  ['map(varchar, integer)', new Map([['a', 1]]), [{ key: 'a', value: 1 }]],
  ['map(varchar, integer)', [{ key: 'a', value: null }], [{ key: 'a', value: null }]],
  ['map(date, integer)', new Map([[midnight, 1]]), [{ key: '2026-11-21', value: 1 }]],
  ['map(varchar, integer)', {}, []],
  ['union(a integer, b varchar)', { tag: 'b', value: 'x' }, { tag: 'b', value: 'x' }],
  ['union(a integer, b varchar)', 5, { tag: 'a', value: 5 }],
  ['union(a integer, b blob)', Buffer.from('x'), { tag: 'b', value: Buffer.from('x') }],
  ['union(a integer, b varchar)', unionValue('b', 'x'), { tag: 'b', value: 'x' }],
  ['json', { a: [1, undefined], b: undefined }, { a: [1, null] }],
  ['json', [1, 'x', null], [1, 'x', null]],
  ['json', '{"a": 1}', { a: 1 }],
  ['json', '"text"', 'text'],
  ['json', 5, 5],
  ['json', false, false],
  ['json', instant, '2026-11-21T08:15:00.120Z'],
  ['json[]', [{ a: 1 }, '[1]', null], [{ a: 1 }, [1], null]],
  ['variant', 42, 42],
  ['variant', { a: [1, 2], b: 'x' }, { a: [1, 2], b: 'x' }],
  ['variant[]', [1, 2], [1, 2]],
  ['geometry', 'POINT (1 2)', Buffer.from('0101000000000000000000f03f0000000000000040', 'hex')],
  ['decimal(10, 2)', decimalValue(15n, 3, 1), '1.50'],
  ['timestamp', timestampValue(0n), '1970-01-01 00:00:00'],
  ['integer[]', listValue([null, 1]), [null, 1]],
  ['struct(a integer)', structValue({ a: 1 }), { a: 1 }],
]

describe('a column takes', () => {
  test.for(accepted)('%s: %o', async ([type, bound, read]) => {
    expect(await stored(type, bound)).toEqual(read)
  })

  test('a BIGNUM of 0, of which the client makes one that DuckDB cannot print', async () => {
    for (const zero of [0, 0n, '0', '-0.0']) {
      await stored('bignum', zero)
      const { rows } = await database.execute(`select c::varchar as c from t where c = 0`)
      expect(rows).toEqual([{ c: '0' }])
    }
  })

  test('a field called __proto__', async () => {
    const bound = JSON.parse('{"a": 1, "__proto__": "x"}') as object
    const read = await stored('struct(a integer, "__proto__" varchar)', bound)
    expect(Object.entries(read as object)).toEqual([
      ['a', 1],
      ['__proto__', 'x'],
    ])
  })
})

class Money {
  readonly amount = 1
}

const refused: readonly [type: string, bound: unknown, message: string][] = [
  [
    'integer',
    1.7,
    'is 1.7, which INTEGER cannot hold without rounding it. Round it first. Where it is only compared, cast the placeholder, as in $1::DOUBLE.',
  ],
  ['integer', '1.7', 'is "1.7", which INTEGER cannot hold without rounding it.'],
  ['integer', '1_0.5', 'is "1_0.5", which INTEGER cannot hold without rounding it.'],
  ['bignum', 1.5, 'is 1.5, which BIGNUM cannot hold without rounding it.'],
  ['integer', NaN, 'is NaN, which INTEGER has no value for. Pass a number, or null.'],
  ['integer', Infinity, 'is Infinity, which INTEGER has no value for.'],
  [
    'integer',
    2 ** 31,
    'is 2147483648, which is out of the range of INTEGER. Pass one within it. Where it is only compared, cast the placeholder, as in $1::HUGEINT.',
  ],
  ['utinyint', -1, 'is -1, which is out of the range of UTINYINT.'],
  ['bigint', 2n ** 63n, 'is 9223372036854775808n, which is out of the range of BIGINT.'],
  ['bigint', '1e30', 'is "1e30", which is out of the range of BIGINT.'],
  [
    'bigint',
    2 ** 53,
    'is 9007199254740992, which a number may have rounded already. Pass a bigint.',
  ],
  [
    'double',
    2n ** 53n + 1n,
    'is 9007199254740993n, which DOUBLE would round. Pass it as a number,',
  ],
  ['double', '1e400', 'is "1e400", which is out of the range of DOUBLE.'],
  ['float', 1e300, 'is 1e+300, which is out of the range of FLOAT.'],
  ['decimal(10, 2)', 1.005, 'is 1.005, which DECIMAL(10,2) cannot hold without rounding it.'],
  ['decimal(10, 2)', '1.005', 'is "1.005", which DECIMAL(10,2) cannot hold without rounding it.'],
  ['decimal(10, 2)', 1e8, 'is 100000000, which is out of the range of DECIMAL(10,2).'],
  ['decimal(10, 2)', NaN, 'is NaN, which DECIMAL(10,2) has no value for.'],
  ['boolean', 2, 'is 2, and BOOLEAN takes true and false. Pass one.'],
  ['varchar', '\ud800', 'in which half of a surrogate pair stands alone.'],
  ['varchar', Buffer.from('a'), 'is a Buffer, and VARCHAR takes a string,'],
  ['varchar', { a: 1 }, 'is an object, and VARCHAR takes a string,'],
  ['varchar', ['a'], 'is an array of 1, and VARCHAR takes a string,'],
  [
    'blob',
    'a\\x41',
    "of which DuckDB would read escapes as bytes. Pass Buffer.from(text, 'utf8').",
  ],
  ['blob', new Float32Array(2), 'is a Float32Array, and BLOB takes a Uint8Array'],
  ['date', instant, "of which DATE would lose the time of day. Pass a text such as '2026-11-21'"],
  ['date', '2026-11-21 08:15:00', 'of which DATE would lose the time of day.'],
  ['timestamp', new Date(NaN), 'is an invalid Date, which is no time. Pass a valid Date, or null.'],
  ['timestamp', 1_800_000_000, 'is 1800000000, and TIMESTAMP takes a Date or a string.'],
  ['timestamp', '2026-11-21T08:15:00+02:00', 'and TIMESTAMP would lose the offset from UTC.'],
  [
    'timestamp',
    '2026-11-21 08:15:00.1234567',
    'of which TIMESTAMP would lose digits of the second.',
  ],
  ['timestamptz', '2026-11-21 08:15:00.1234567Z', 'would lose digits of the second. Cut it first.'],
  ['timestamp_s', instant, 'of which TIMESTAMP_S would lose digits of the second. Cut it first.'],
  ['timestamp_ns', new Date(1e14), 'which is out of the range of TIMESTAMP_NS.'],
  ['time', instant, "and TIME takes a string such as '08:15:00', or microseconds as a bigint."],
  ['time', '08:15:00.1234567', 'of which TIME would lose digits of the second.'],
  ['time', '08:15:00+02', 'and TIME would lose the offset from UTC.'],
  ['interval', 5, 'is 5, and INTERVAL takes { months, days, micros } or a string.'],
  ['interval', { hours: 1 }, 'with the key "hours". An INTERVAL has "months", "days", "micros".'],
  ['interval', {}, 'is an object, and an INTERVAL has parts. Pass { months, days, micros }'],
  ['interval', { months: 1.5 }, '`months` is 1.5, and an INTERVAL holds 32 bits of it.'],
  ['integer[]', [1, 2.5], 'item 2 is 2.5, which INTEGER cannot hold without rounding it.'],
  ['integer[]', '[1.5]', 'is "[1.5]", which is no text of INTEGER[].'],
  ['integer[]', new Set([1]), 'is a Set, and INTEGER[] takes an array.'],
  ['integer[]', listValue([1.5]), 'item 1 is 1.5, which INTEGER cannot hold without rounding it.'],
  ['integer[2]', [1, 2, 3], 'is an array of 3, and INTEGER[2] takes 2. Pass that many items.'],
  ['struct(a integer)', { b: 1 }, 'is an object, with the key "b". The fields of STRUCT('],
  ['struct(a integer)', { a: [1] }, 'field "a" is an array of 1, and INTEGER takes a number,'],
  ['map(varchar, integer)', [{ key: 'a' }, { key: 'a' }], 'in which the key "a" occurs twice.'],
  [
    'map(varchar, integer)',
    [{ key: null }],
    'in which a key is null. Give each entry of a MAP a key.',
  ],
  ['map(varchar, integer)', [1], 'item 1 is 1, and a MAP takes entries. Pass { key, value }.'],
  ['union(a integer)', { tag: 'z', value: 1 }, '`tag` is "z", and the members of UNION('],
  ['union(a integer)', { tag: 'a', value: null }, 'Write union_value(a := NULL) in the statement,'],
  ['json', { a: 1n }, 'key "a" is 1n, which JSON has no text for. Pass it as a string,'],
  ['json', { a: { b: NaN } }, 'key "b" is NaN, which JSON has no text for.'],
  ['json', [new Map()], 'key "0" is a Map, which JSON has no text for.'],
  ['json', { f: () => 1 }, 'key "f" is a function (f), which JSON has no text for.'],
  ['json', circular(), 'is an object, which cannot be written as JSON (Converting circular'],
  ['json', NaN, 'is NaN, and JSON takes what JSON.stringify() writes,'],
  ['json', Buffer.from('a'), 'is a Buffer, which JSON has no text for.'],
  ['variant', [1, 'x'], 'item 2 is "x", and others beside it are INTEGER, not VARCHAR.'],
  [
    'geometry',
    Buffer.of(1),
    'and the client makes no GEOMETRY. Write ST_GeomFromWKB() around bytes, or pass WKT.',
  ],
  ['integer', Symbol('x'), 'is Symbol(x), and INTEGER takes a number, a bigint or a string.'],
  ['integer', new Money(), 'is a Money, and INTEGER takes a number, a bigint or a string.'],
]

describe('a column refuses, before anything is sent,', () => {
  test.for(refused)('%s: %o', async ([type, bound, message]) => {
    const error = await rejection(stored(type, bound))
    expect(error).toBeInstanceOf(ParameterError)
    expect(error).toMatchObject({ code: 'PARAMETER_TYPE', index: 0 })
    expect(error.message).toMatch(/^Parameter 1[, ]/)
    expect(error.message).toContain(message)
    expect((await database.execute('from t')).rows).toEqual([])
  })

  test('the second of two parameters, by its number', async () => {
    await database.execute('create or replace table t (a integer, b integer)')
    const error = await rejection(database.execute('insert into t values ($1, $2)', [1, 1.5]))
    expect(error.message).toMatch(/^Parameter 2 is 1\.5, which INTEGER/)
    expect(error).toMatchObject({ code: 'PARAMETER_TYPE', index: 1 })
  })
})

describe('DuckDB itself refuses', () => {
  const cases: readonly [type: string, bound: unknown][] = [
    ['integer', 'abc'],
    ['decimal(4, 1)', 'abc'],
    ['date', '2026-02-30'],
    ['timestamp', 'soon'],
    ['time', '25:00:00'],
    ['uuid', 'x'],
    ['bit', '012'],
    ['boolean', 'maybe'],
    ["enum('a')", 'z'],
    ['json', '{"a":'],
    ['json[]', ['{"a":']],
    ['geometry', 'circle'],
  ]
  test.for(cases)('%s: %o', async ([type, bound]) => {
    const error = await rejection(stored(type, bound))
    expect(error).not.toBeInstanceOf(ParameterError)
    expect((await database.execute('from t')).rows).toEqual([])
  })
})

describe('where the statement does not say what it expects, a value is bound as', () => {
  const natural: readonly [bound: unknown, type: string, read: unknown][] = [
    [1, 'INTEGER', 1],
    [2 ** 31, 'BIGINT', 2147483648n],
    [-0, 'DOUBLE', -0],
    [1.5, 'DOUBLE', 1.5],
    [1e20, 'DOUBLE', 1e20],
    [5n, 'BIGINT', 5n],
    [2n ** 70n, 'HUGEINT', 2n ** 70n],
    [2n ** 127n, 'UHUGEINT', 2n ** 127n],
    ['x', 'VARCHAR', 'x'],
    [true, 'BOOLEAN', true],
    [instant, 'TIMESTAMP WITH TIME ZONE', '2026-11-21 08:15:00.12+00'],
    [Buffer.from('a'), 'BLOB', Buffer.from('a')],
    [[], '"NULL"[]', []],
    [[null], '"NULL"[]', [null]],
    [[null, 1, 2 ** 40], 'BIGINT[]', [null, 1n, 2n ** 40n]],
    [[1, 2.5], 'DOUBLE[]', [1, 2.5]],
    [[['a'], []], 'VARCHAR[][]', [['a'], []]],
    [[{ a: 1 }, { a: 2 }], 'STRUCT(a INTEGER)[]', [{ a: 1 }, { a: 2 }]],
    [{ a: [1] }, 'VARCHAR', '{"a":[1]}'],
    [new Map([['a', 1.5]]), 'MAP(VARCHAR, DOUBLE)', [{ key: 'a', value: 1.5 }]],
    [decimalValue(15n, 3, 1), 'DECIMAL(3,1)', '1.5'],
    [listValue([null, 1]), 'INTEGER[]', [null, 1]],
  ]
  test.for(natural)('%o: %s', async ([bound, type, read]) => {
    const sql = 'select typeof($1) as type, $1 as read'
    const { rows } = await database.execute(sql, [bound], { values: { int64: 'bigint' } })
    expect(rows).toEqual([{ type, read }])
  })

  test('what it is, next to a NULL', async () => {
    const sql = 'select list_contains([], $1) as a, [null] = $2 as b'
    expect((await database.execute(sql, [5, [1]])).rows).toEqual([{ a: false, b: false }])
  })

  const impossible: readonly [bound: unknown, message: string][] = [
    [2n ** 128n, 'which takes more than 128 bits. Cast the placeholder, as in $1::BIGNUM.'],
    [
      [1, 'a'],
      'item 2 is "a", and others beside it are INTEGER, not VARCHAR. Pass values of one kind',
    ],
    [[2n ** 60n + 1n, 1.5], 'item 1 is 1152921504606846977n, which DOUBLE would round.'],
    [new Date(NaN), 'is an invalid Date, which is no time. Pass a valid Date, or null.'],
    [new Money(), 'is a Money, which DuckDB has no type for. Pass a string, number, bigint,'],
    [Symbol('x'), 'is Symbol(x), which DuckDB has no type for.'],
    [() => 1, 'is a function, which DuckDB has no type for.'],
    [new Float64Array(1), 'is a Float64Array, and what it means is not known here.'],
    ['\udc00', 'in which half of a surrogate pair stands alone.'],
  ]
  test.for(impossible)('%o: nothing', async ([bound, message]) => {
    const error = await rejection(database.execute('select $1', [bound]))
    expect(error).toBeInstanceOf(ParameterError)
    expect(error.message).toContain(message)
  })

  test('nothing, for a type of the client that it has no value for', async () => {
    expect(VARCHAR.toString()).toBe('VARCHAR')
    const error = await rejection(database.execute('select $1', [VARCHAR]))
    expect(error.message).toContain('is a DuckDBVarCharType, which DuckDB has no type for.')
  })
})

function circular(): object {
  const object: { self?: object } = {}
  object.self = object
  return object
}
