import { DuckDBDataChunk, type DuckDBVector } from '@duckdb/node-api'
import { type DuckDBDatabase, openDuckDB, type ValuePolicies } from '@keelson/duckdb'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'

let database: DuckDBDatabase
beforeAll(async () => {
  database = await openDuckDB({ path: ':memory:' })
})
afterAll(() => database.close())
afterEach(() => {
  vi.restoreAllMocks()
})

/** A vector of a client that keeps its rows elsewhere: of what it has, only the public part is there. */
function opaque(vector: DuckDBVector): DuckDBVector {
  const { type, itemCount } = vector
  return { type, itemCount, getItem: (index: number) => vector.getItem(index) } as DuckDBVector
}

const policies: readonly Partial<ValuePolicies>[] = [
  { int64: 'bigint' },
  { int64: 'string', decimal: 'number', timestamp: 'lossyDate', interval: 'string' },
  { int64: 'lossyNumber', time: 'micros', json: 'string', infinity: 'number' },
]

const columns: readonly string[] = [
  'true',
  '(-5)::tinyint',
  '42::bigint',
  '(-170141183460469231731687303715884105728)::hugeint',
  '340282366920938463463374607431768211455::uhugeint',
  "('1' || repeat('0', 50))::bignum",
  '1.1::float',
  "'nan'::double",
  '1.50::decimal(4, 2)',
  "'-12345678901234567890.123456789'::decimal(38, 9)",
  "'text'",
  `'{"a": [1]}'::json`,
  "date '2026-11-21'",
  "date 'infinity'",
  "timestamp '1969-12-31 23:59:59.999999'",
  "timestamptz '2026-11-21 08:15:00.5+02'",
  "'2026-11-21 08:15:00'::timestamp_s",
  "'2026-11-21 08:15:00.123'::timestamp_ms",
  "'2026-11-21 08:15:00.123456789'::timestamp_ns",
  "'-infinity'::timestamp_ns",
  "time '08:15:00.123456'",
  "'08:15:00.123456789'::time_ns",
  "'08:15:00+02:30'::timetz",
  "interval '14 months -3 days 5 seconds'",
  "'ab\\xFF'::blob",
  "'0101'::bit",
  "'550e8400-e29b-41d4-a716-446655440000'::uuid",
  "'ok'::enum('sad', 'ok')",
  "'POINT (1 2)'::geometry",
  '[1, null, 3]',
  "array_value('a', null)",
  "{'a': 1, 'b': {'c': 1.5::decimal(3, 1)}}",
  "map {'a': '[1]'::json}",
  "'x'::union(a integer, b varchar)",
  "{'a': [1, 2]}::variant",
  'null::timestamp',
]

test.for(policies)(
  'values are the same where the client keeps its rows elsewhere: %o',
  async (values) => {
    const sql = `select ${columns.map((column, index) => `${column} as c${index}`).join(', ')}
    from range(3)`
    const { rows } = await database.execute(sql, [], { values })
    const { getColumnVector } = DuckDBDataChunk.prototype
    const spy = vi.spyOn(DuckDBDataChunk.prototype, 'getColumnVector').mockImplementation(function (
      this: DuckDBDataChunk,
      index,
    ) {
      return opaque(getColumnVector.call(this, index))
    })
    expect((await database.execute(sql, [], { values })).rows).toEqual(rows)
    expect(spy).toHaveBeenCalled()
  },
)
