import { type DuckDBDatabase, openDuckDB } from '@keelson/duckdb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runs, seed } from '../../support/runs.ts'

let database: DuckDBDatabase
beforeAll(async () => {
  // One thread, so that the random numbers are the same in each run with a seed.
  database = await openDuckDB({
    path: ':memory:',
    threads: 1,
    settings: { TimeZone: 'UTC' },
    int64: 'string',
    interval: 'string',
  })
})
afterAll(() => database.close())

/** A random number from -1 to 1. */
const any = '(random() * 2 - 1)'
const clock = "(time '00:00:00' + to_microseconds((random() * 86400000000)::bigint))"

const expressions: readonly string[] = [
  `(${any} * 9.2e18)::bigint`,
  `(${any} * 1e15)::bigint`,
  '(random() * 1.8e19)::ubigint',
  `(${any} * 1.7e38)::hugeint`,
  `(${any} * 1e15)::hugeint`,
  '(random() * 3.4e38)::uhugeint',
  `((${any} * 1.7e38)::hugeint || (random() * 1e38)::hugeint::varchar)::bignum`,
  `(${any} * 999)::decimal(4, 1)`,
  `(${any} * 999)::decimal(9, 3)`,
  `(${any} * 999)::decimal(18, 6)`,
  `(${any} * 9)::decimal(18, 17)`,
  `(${any} * 1e15)::decimal(38, 10)`,
  `(${any} * 1e9)::decimal(10, 0)`,
  `make_date((${any} * 2147483646)::integer)`,
  `make_date((${any} * 20000)::integer)`,
  `make_timestamp((${any} * 9.22e18)::bigint)`,
  `make_timestamp((${any} * 4e15)::bigint)`,
  `make_timestamp((${any} * 4e9)::bigint * 1000000)`,
  // Of later years ICU rounds the milliseconds that it prints.
  `make_timestamp((${any} * 9e18)::bigint)::timestamptz`,
  `make_timestamp_ns((${any} * 9.22e18)::bigint)`,
  `make_timestamp((${any} * 9.22e18)::bigint)::timestamp_ms`,
  `make_timestamp((${any} * 9.22e18)::bigint)::timestamp_s`,
  clock,
  `(${clock})::time_ns`,
  `(${clock} || '+' || lpad((random() * 15)::integer::varchar, 2, '0'))::timetz`,
  // Of 1 hour and 4 seconds DuckDB prints +01:04, as it does of 1 hour and 4 minutes.
  `(${clock} || '-' || lpad((random() * 14)::integer::varchar, 2, '0') || ':' ||
    (10 + random() * 49)::integer || ':' || (10 + random() * 49)::integer)::timetz`,
  `to_months((${any} * 100)::integer) + to_days((${any} * 100)::integer)
    + to_microseconds((${any} * 1e13)::bigint)`,
  `to_microseconds((${any} * 9e18)::bigint)`,
  'gen_random_uuid()',
  '(random() * 2e9)::integer::bit',
]

test.for(expressions)('%s is read as DuckDB prints it', async (expression) => {
  await database.execute(`select setseed(${(seed % 1_000_000) / 1_000_000})`)
  const { rows } = await database.execute<[unknown, string]>(
    `select v, v::varchar from (select ${expression} as v from range(${runs(3_000, 300_000)}))`,
    [],
    { rows: 'arrays' },
  )
  for (const [read, printed] of rows) if (read !== printed) expect(read).toBe(printed)
})

const extremes: readonly string[] = [
  "date '5877642-06-25 (BC)'",
  "date '5881580-07-10'",
  "date '0001-01-01 (BC)'",
  "date '0001-01-01'",
  "date '9999-12-31'",
  "date '10000-01-01'",
  "date '1900-02-28'",
  "date '2000-02-29'",
  "timestamp '290309-12-22 (BC) 00:00:00'",
  "timestamp '294247-01-10 04:00:54.775806'",
  "timestamp '1969-12-31 23:59:59.999999'",
  "'1677-09-22 00:00:00'::timestamp_ns",
  "'2262-04-11 23:47:16.854775806'::timestamp_ns",
  "time '24:00:00'",
  "'24:00:00-15:59:59'::timetz",
  "'00:00:00+15:59:59'::timetz",
  "interval '-1 year -1 month 1 day -1 microsecond'",
  "interval '2 years 2 days'",
  ...['date', 'timestamp', 'timestamptz', 'timestamp_s', 'timestamp_ms', 'timestamp_ns'].flatMap(
    (type) => [`'infinity'::${type}`, `'-infinity'::${type}`],
  ),
]

test.for(extremes)('the extreme %s is read as DuckDB prints it', async (expression) => {
  const { rows } = await database.execute<[unknown, string]>(
    `select v, v::varchar from (select ${expression} as v)`,
    [],
    { rows: 'arrays' },
  )
  expect(rows[0]![0]).toBe(rows[0]![1])
})
