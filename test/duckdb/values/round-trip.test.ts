import { type DuckDBDatabase, openDuckDB, type ValuePolicies } from '@keelson/duckdb'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runs, seed } from '../../support/runs.ts'

let database: DuckDBDatabase
beforeAll(async () => {
  database = await openDuckDB({ path: ':memory:' })
})
afterAll(() => database.close())

interface Column {
  readonly type: string
  readonly values: fc.Arbitrary<unknown>
  readonly policies?: Partial<ValuePolicies>
  /** Why rows in bulk cannot have it. */
  readonly notInBulk?: string
}

const integer = (bits: number): fc.Arbitrary<unknown> =>
  fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
const unsigned = (bits: number): fc.Arbitrary<unknown> => fc.integer({ min: 0, max: 2 ** bits - 1 })
const big = (bits: bigint): fc.Arbitrary<unknown> =>
  fc.bigInt({ min: -(2n ** (bits - 1n)), max: 2n ** (bits - 1n) - 1n })
const bigUnsigned = (bits: bigint): fc.Arbitrary<unknown> =>
  fc.bigInt({ min: 0n, max: 2n ** bits - 1n })
const safe = fc.maxSafeInteger()
const digits = (count: number): fc.Arbitrary<string> =>
  fc.string({
    unit: fc.constantFrom('0', '1', '2', '3', '4', '5', '6', '7', '8', '9'),
    minLength: count,
    maxLength: count,
  })
const two = (most: number): fc.Arbitrary<string> =>
  fc.integer({ min: 0, max: most }).map((n) => String(n).padStart(2, '0'))
const fraction = (count: number): fc.Arbitrary<string> =>
  digits(count).map((text) => text.replace(/0+$/, '').replace(/^(?=.)/, '.'))
const time = (count: number): fc.Arbitrary<string> =>
  fc
    .tuple(two(23), two(59), two(59), fraction(count))
    .map(([h, m, s, rest]) => `${h}:${m}:${s}${rest}`)
const offset = fc
  .tuple(fc.constantFrom('+', '-'), two(15), fc.option(two(59)))
  .map(([sign, h, m]) => (m === null || m === '00' ? `${sign}${h}` : `${sign}${h}:${m}`))
  .map((text) => text.replace('-00', text === '-00' ? '+00' : '-00'))
const day = (first: string, last: string): fc.Arbitrary<string> =>
  fc
    .date({ min: new Date(first), max: new Date(last), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10))
const bcDay = day('0001-01-01', '9999-12-28').map((text) => `${text.slice(0, 8)}28 (BC)`)
const anyDay = fc.oneof(
  day('0001-01-01', '9999-12-31'),
  bcDay,
  fc.constantFrom('infinity', '-infinity', '5881580-07-10', '5877642-06-25 (BC)'),
)
const timestamp = (count: number, first: string, last: string): fc.Arbitrary<string> =>
  fc.tuple(day(first, last), time(count)).map((parts) => parts.join(' '))
const anyTimestamp = (count: number): fc.Arbitrary<string> =>
  fc.oneof(
    timestamp(count, '0001-01-01', '9999-12-31'),
    fc.tuple(bcDay, time(count)).map((parts) => parts.join(' ')),
    fc.constantFrom('infinity', '-infinity'),
  )
const decimal = (width: number, scale: number): fc.Arbitrary<string> =>
  fc.tuple(fc.boolean(), digits(width - scale), digits(scale)).map(([minus, whole, rest]) => {
    const lead = whole.replace(/^0+(?=.)/, '') || '0'
    const text = scale === 0 ? lead : `${lead}.${rest}`
    return minus && /[1-9]/.test(text) ? `-${text}` : text
  })
const text = fc.string({ unit: 'grapheme' })
const bytes = fc.uint8Array().map((array) => Buffer.from(array))
const uuid = fc.uuid()
const interval = fc.record({
  months: integer(32),
  days: integer(32),
  micros: fc.bigInt({ min: -(2n ** 63n) + 1n, max: 2n ** 63n - 1n }),
})
const json = fc
  .jsonValue()
  // A string is bound as the text of a JSON value, and null as NULL.
  .filter((value) => value !== null && typeof value !== 'string')
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  .filter((value) => !/\d{16}/.test(JSON.stringify(value)))
const nullable = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(values)
const list = (values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown[]> =>
  fc.array(nullable(values), { maxLength: 5 })
const keyed = (keys: fc.Arbitrary<unknown>, values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.uniqueArray(fc.record({ key: keys, value: nullable(values) }), {
    maxLength: 4,
    selector: ({ key }) => key,
  })

const columns: readonly Column[] = [
  { type: 'boolean', values: fc.boolean() },
  { type: 'tinyint', values: integer(8) },
  { type: 'smallint', values: integer(16) },
  { type: 'integer', values: integer(32) },
  { type: 'utinyint', values: unsigned(8) },
  { type: 'usmallint', values: unsigned(16) },
  { type: 'uinteger', values: unsigned(32) },
  { type: 'bigint', values: safe },
  { type: 'ubigint', values: fc.maxSafeNat() },
  { type: 'hugeint', values: safe },
  { type: 'uhugeint', values: fc.maxSafeNat() },
  { type: 'bignum', values: safe },
  { type: 'bigint', values: big(64n), policies: { int64: 'bigint' } },
  { type: 'ubigint', values: bigUnsigned(64n), policies: { int64: 'bigint' } },
  { type: 'hugeint', values: big(128n), policies: { int64: 'bigint' } },
  { type: 'uhugeint', values: bigUnsigned(128n), policies: { int64: 'bigint' } },
  { type: 'bignum', values: big(400n), policies: { int64: 'bigint' } },
  { type: 'bigint', values: big(64n).map(String), policies: { int64: 'string' } },
  { type: 'uhugeint', values: bigUnsigned(128n).map(String), policies: { int64: 'string' } },
  { type: 'bignum', values: big(400n).map(String), policies: { int64: 'string' } },
  { type: 'float', values: fc.float() },
  { type: 'double', values: fc.double() },
  { type: 'decimal(4, 1)', values: decimal(4, 1) },
  { type: 'decimal(9, 9)', values: decimal(9, 9) },
  { type: 'decimal(18, 3)', values: decimal(18, 3) },
  { type: 'decimal(38, 10)', values: decimal(38, 10) },
  { type: 'decimal(38, 0)', values: decimal(38, 0) },
  {
    type: 'decimal(15, 5)',
    values: decimal(15, 5).map(Number),
    policies: { decimal: 'number' },
  },
  { type: 'varchar', values: text },
  { type: 'blob', values: bytes },
  { type: 'bit', values: fc.string({ unit: fc.constantFrom('0', '1'), minLength: 1 }) },
  { type: 'uuid', values: uuid },
  { type: "enum('a', 'ü', 'toString')", values: fc.constantFrom('a', 'ü', 'toString') },
  { type: 'date', values: anyDay },
  {
    type: 'date',
    values: fc
      .date({ noInvalidDate: true })
      .map((date) => new Date(date.toISOString().replace(/T.*/, 'T00:00Z'))),
    policies: { date: 'date' },
  },
  { type: 'date', values: fc.constantFrom(Infinity, -Infinity), policies: { infinity: 'number' } },
  { type: 'timestamp', values: anyTimestamp(6) },
  {
    type: 'timestamptz',
    values: timestamp(6, '0001-01-01', '9999-12-31').map((value) => `${value}+00`),
  },
  { type: 'timestamp_s', values: anyTimestamp(0) },
  { type: 'timestamp_ms', values: anyTimestamp(3) },
  { type: 'timestamp_ns', values: timestamp(9, '1678-01-01', '2262-04-10') },
  {
    type: 'timestamptz',
    values: fc.date({ min: new Date('-200000-01-01'.replace('-2', '-02')), noInvalidDate: true }),
    policies: { timestamp: 'date' },
  },
  {
    type: 'timestamp',
    values: fc.constantFrom(Infinity, -Infinity),
    policies: { infinity: 'number' },
  },
  { type: 'time', values: time(6) },
  {
    type: 'time',
    values: fc.bigInt({ min: 0n, max: 86_400_000_000n }),
    policies: { time: 'micros' },
  },
  { type: 'time_ns', values: time(9) },
  { type: 'timetz', values: fc.tuple(time(6), offset).map((parts) => parts.join('')) },
  { type: 'interval', values: interval },
  { type: 'json', values: json },
  {
    type: 'json',
    values: json.map((value) => JSON.stringify(value)),
    policies: { json: 'string' },
  },
  { type: 'integer[]', values: list(integer(32)) },
  { type: 'varchar[][]', values: list(list(text)) },
  { type: 'bignum[]', values: list(safe) },
  { type: 'blob[]', values: list(bytes) },
  { type: 'json[]', values: list(json) },
  { type: 'timestamp[]', values: list(anyTimestamp(6)) },
  { type: 'interval[]', values: list(interval) },
  { type: 'decimal(38, 5)[]', values: list(decimal(38, 5)) },
  { type: 'integer[3]', values: fc.array(nullable(integer(32)), { minLength: 3, maxLength: 3 }) },
  {
    type: 'struct(a integer, b varchar, "__proto__" date, c struct(d double))',
    values: fc
      .tuple(
        nullable(integer(32)),
        nullable(text),
        nullable(anyDay),
        nullable(fc.record({ d: nullable(fc.double()) })),
      )
      .map(([a, b, proto, c]) => {
        const struct = JSON.parse('{"a": null, "b": null, "__proto__": null, "c": null}') as object
        for (const [name, value] of Object.entries({ a, b, ['__proto__']: proto, c }))
          Object.defineProperty(struct, name, { value })
        return struct
      }),
  },
  { type: 'struct(a integer)[]', values: list(fc.record({ a: nullable(integer(32)) })) },
  { type: 'map(varchar, integer)', values: keyed(text, integer(32)) },
  { type: 'map(integer, varchar[])', values: keyed(integer(32), list(text)) },
  { type: 'map(date, double)', values: keyed(day('0001-01-01', '9999-12-31'), fc.double()) },
  {
    type: 'union(a integer, b varchar, c bignum)',
    values: fc.oneof(
      fc.record({ tag: fc.constant('a'), value: integer(32) }),
      fc.record({ tag: fc.constant('b'), value: text }),
      fc.record({ tag: fc.constant('c'), value: safe }),
    ),
  },
  {
    type: 'variant',
    values: fc.oneof(integer(32), fc.boolean(), text, fc.double({ noInteger: true }), list(text)),
    notInBulk: 'the client does not write a VARIANT',
  },
]

const table = 'create or replace table t (id integer, c TYPE)'

describe('what is read can be bound again, and is read the same', () => {
  test.for(columns)('$type $policies', async ({ type, values, policies = {} }) => {
    await database.execute(table.replace('TYPE', type))
    await fc.assert(
      fc.asyncProperty(
        fc.array(nullable(values), { minLength: 1, maxLength: 8 }),
        async (given) => {
          await database.execute('delete from t')
          for (const [id, value] of given.entries())
            await database.execute('insert into t values ($1, $2)', [id, value])
          expect(await readAll(policies)).toEqual(given)
        },
      ),
      { seed, numRuns: runs(15, 500) },
    )
  })
})

describe('what is read can be written in bulk, and is read the same', () => {
  const inBulk = columns.filter(({ notInBulk }) => notInBulk === undefined)
  test.for(inBulk)('$type $policies', async ({ type, values, policies = {} }) => {
    await database.execute(table.replace('TYPE', type))
    await fc.assert(
      fc.asyncProperty(
        fc.array(nullable(values), { minLength: 1, maxLength: 8 }),
        async (given) => {
          await database.execute('delete from t')
          await database.ingest({
            table: 't',
            columns: ['id', 'c'],
            rows: [...given.entries()],
            statement: (source) => `insert into t select id, c from ${source}`,
          })
          expect(await readAll(policies)).toEqual(given)
        },
      ),
      { seed, numRuns: runs(10, 300) },
    )
  })
})

async function readAll(values: Partial<ValuePolicies>): Promise<unknown[]> {
  const { rows } = await database.execute('select c from t order by id', [], { values })
  return rows.map(({ c }) => c)
}
