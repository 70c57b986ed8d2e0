import { type DuckDBDatabase, openDuckDB, ParameterError } from '@keelson/duckdb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { value } from '../fixture.ts'

let database: DuckDBDatabase
beforeAll(async () => {
  database = await openDuckDB({ path: ':memory:', settings: { TimeZone: 'UTC' } })
  await database.execute(`create table t as select
    2::integer as i, 9007199254740993::bigint as b, 5::utinyint as u8, 5::ubigint as u64,
    5::uhugeint as u128, 170141183460469231731687303715884105727::hugeint as h,
    0.1::float as f, 1.01::decimal(10, 2) as p, date '2026-11-21' as d,
    timestamp '2026-11-21 08:15:00.123456' as ts, '2026-11-21 08:15:00'::timestamp_s as tss,
    timestamptz '2026-11-21 08:15:00+00' as tz, '1' as s, true as bo, [1, 2] as l`)
})
afterAll(() => database.close())

const cases: readonly [condition: string, parameter: unknown, holds: boolean][] = [
  ['i > $1', 1.5, true],
  ['i > $1', 2.5, false],
  ['i = $1', 1.5, false],
  ['i = $1', '1.5', false],
  ['i = $1', '2.0', true],
  ['i in ($1)', 2.5, false],
  ['i < $1', 2 ** 40, true],
  ['i < $1', 2n ** 100n, true],
  ['i = any($1)', [2, 3n, 1.5], true],
  ['i = any($1)', [], false],
  ['i in (select unnest($1))', [1, 2], true],
  ['b > $1', 1.5, true],
  ['b > $1', '9007199254740992.5', true],
  ['b > $1', '9007199254740993.5', false],
  ['u8 > $1', -1, true],
  ['u64 > $1', -1, true],
  ['u64 < $1', 2n ** 100n, true],
  ['u128 > $1', -1, true],
  ['f = $1', 0.1, true],
  ['f < $1', 1e300, true],
  ['p > $1', 1.005, true],
  ['p = $1', 1.005, false],
  ['p = $1', 1.01, true],
  ['p > $1', '1.009999', true],
  ['p < $1', 1e300, true],
  ['p < $1', 1e37, true],
  ['d < $1', new Date(Date.UTC(2026, 10, 21, 1)), true],
  ['d = $1', new Date(Date.UTC(2026, 10, 21, 1)), false],
  ['d = $1', new Date(Date.UTC(2026, 10, 21)), true],
  ['d = $1', '2026-11-21 01:00:00', false],
  ['ts < $1', '2026-11-21 08:15:00.1234561', true],
  ['ts = $1', '2026-11-21 08:15:00.1234561', false],
  ['tss < $1', new Date(Date.UTC(2026, 10, 21, 8, 15, 0, 5)), true],
  ['tz = $1', new Date(Date.UTC(2026, 10, 21, 8, 15)), true],
  ['tz = $1', '2026-11-21 09:15:00+01', true],
  ['s = $1', 1, true],
  ['bo = $1', 1, true],
  ['l = $1', [1, 2], true],
]

describe('a value that the column cannot hold is compared exactly', () => {
  test.for(cases)('%s with %o: %o', async ([condition, parameter, holds]) => {
    expect(await value(database, `select count(*) from t where ${condition}`, [parameter])).toBe(
      holds ? 1 : 0,
    )
  })

  test('when rows are deleted too', async () => {
    await database.execute('create or replace table d as select unnest([1, 2, 3]) as i')
    const { changes } = await database.execute('delete from d where i > $1', [1.5])
    expect(changes).toBe(2)
  })
})

test('what DuckDB compares wrongly is refused', async () => {
  for (const condition of ['i < $1', 'h < $1']) {
    const error = await rejection(
      database.execute(`select count(*) from t where ${condition}`, [2n ** 127n]),
    )
    expect(error).toBeInstanceOf(ParameterError)
    expect(error.message).toContain('is out of the range of')
  }
})

test('what may be stored is not compared: it is refused, with advice that works', async () => {
  await database.execute('create or replace table d as select unnest([1, 2, 3]) as i')
  const error = await rejection(database.execute('update d set i = 0 where i > $1', [1.5]))
  expect(error.message).toBe(
    'Parameter 1 is 1.5, which INTEGER cannot hold without rounding it. Round it first. ' +
      'Where it is only compared, cast the placeholder, as in $1::DOUBLE.',
  )
  const { changes } = await database.execute('update d set i = 0 where i > $1::double', [1.5])
  expect(changes).toBe(2)
})
