import { type DuckDBDatabase, openDuckDB } from '@keelson/duckdb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { value } from '../fixture.ts'

let database: DuckDBDatabase
beforeAll(async () => {
  database = await openDuckDB({ path: ':memory:' })
})
afterAll(() => database.close())

const cases: readonly [expression: string, value: unknown][] = [
  ['[]', []],
  ['[1, null, 3]', [1, null, 3]],
  ['[[1], [], null, [null]]', [[1], [], null, [null]]],
  ['null::integer[]', null],
  ['array_value(1, 2, null)', [1, 2, null]],
  [
    'array_value(array_value(1, 2), array_value(3, null))',
    [
      [1, 2],
      [3, null],
    ],
  ],
  ["{'a': 1, 'b': {'c': 'x', 'd': null}}", { a: 1, b: { c: 'x', d: null } }],
  ['null::struct(a integer)', null],
  ["[{'a': 1}, null]", [{ a: 1 }, null]],
  ["row(1, 'x')", [1, 'x']],
  ['row(1)', [1]],
  [
    "map {'a': 1, 'b': null}",
    [
      { key: 'a', value: 1 },
      { key: 'b', value: null },
    ],
  ],
  ['map {}', []],
  ["map {[1]: {'x': 2}}", [{ key: [1], value: { x: 2 } }]],
  ['1::union(a integer, b varchar)', { tag: 'a', value: 1 }],
  ["'x'::union(a integer, b varchar)", { tag: 'b', value: 'x' }],
  ['union_value(a := null::integer)', { tag: 'a', value: null }],
  ['null::union(a integer, b varchar)', null],
  ["[date '2026-11-21', 'infinity']", ['2026-11-21', 'infinity']],
  ['[1.50::decimal(4, 2)]', ['1.50']],
  ['42::variant', 42],
  ["{'a': [1, 2], 'b': {'c': 1.5::decimal(3, 1)}}::variant", { a: [1, 2], b: { c: '1.5' } }],
  [`'{"a": [1, "x", null]}'::json::variant`, { a: [1, 'x', null] }],
  ["[timestamp '2026-11-21 08:15:00.5']::variant", ['2026-11-21 08:15:00.5']],
]

test.for(cases)('%s is read as %o', async ([expression, expected]) => {
  expect(await value(database, `select ${expression}`)).toEqual(expected)
})

test('a field called __proto__ is a field like any other', async () => {
  const read = await value(database, `select {'a': 1, '__proto__': {'polluted': true}}`)
  expect(Object.entries(read as object)).toEqual([
    ['a', 1],
    ['__proto__', { polluted: true }],
  ])
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
})

test('every row of a long result has its own items', async () => {
  const { rows } = await database.execute<{ i: number; c: unknown; a: unknown }>(
    `select i::integer as i, case when i % 3 = 0 then null else {
       'list': list_transform(range(i % 5), x -> 'item ' || x || ' of the row ' || i),
       'map': map {'k' || i: [i]},
       'union': case when i % 2 = 0 then i::union(n bigint, t varchar)
         else ('row ' || i)::union(n bigint, t varchar) end
     } end as c, array_value(i, null) as a from range(7000) t(i) where i % 7 <> 0`,
  )
  expect(rows).toHaveLength(6000)
  for (const { i, c, a } of rows) {
    const expected =
      i % 3 === 0
        ? null
        : {
            list: Array.from({ length: i % 5 }, (_, x) => `item ${x} of the row ${i}`),
            map: [{ key: `k${i}`, value: [i] }],
            union: i % 2 === 0 ? { tag: 'n', value: i } : { tag: 't', value: `row ${i}` },
          }
    expect(c).toEqual(expected)
    expect(a).toEqual([i, null])
  }
})
