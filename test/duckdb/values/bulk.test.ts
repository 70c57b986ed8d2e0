import { type DuckDBDatabase, openDuckDB, ParameterError } from '@keelson/duckdb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'

let database: DuckDBDatabase
beforeAll(async () => {
  database = await openDuckDB({ path: ':memory:' })
})
afterAll(() => database.close())

async function ingest(type: string, values: readonly unknown[]): Promise<unknown[]> {
  await database.execute(`create or replace table t (c ${type})`)
  await database.ingest({
    table: 't',
    columns: ['c'],
    rows: values.map((value) => [value]),
    statement: (source) => `insert into t select c from ${source}`,
  })
  return (await database.execute('from t')).rows.map(({ c }) => c)
}

describe('rows in bulk take', () => {
  const cases: readonly [type: string, given: readonly unknown[], read: readonly unknown[]][] = [
    ['integer', [1, 2n, '3', null, undefined], [1, 2, 3, null, null]],
    ['decimal(10, 2)', [1.5, '2.50', 3n], ['1.50', '2.50', '3.00']],
    ['varchar', ['a\0b', 5, true], ['a\0b', '5', 'true']],
    ['json', [{ a: 1 }, '[1]', 5], [{ a: 1 }, [1], 5]],
    ['bignum', [0, 0n, -5], [0, 0, -5]],
    ['union(a integer)', [{ tag: 'a', value: null }], [{ tag: 'a', value: null }]],
  ]
  test.for(cases)('%s: %o', async ([type, given, read]) => {
    expect(await ingest(type, given)).toEqual(read)
  })
})

describe('rows in bulk are refused, before anything is sent, with', () => {
  const cases: readonly [type: string, value: unknown, message: string][] = [
    ['integer', 1.5, 'is 1.5, which INTEGER cannot hold without rounding it. Round it first.'],
    ['integer', 'abc', 'is "abc", which is no text of INTEGER. Write it as DuckDB prints it,'],
    ['date', '1/2/2026', 'is "1/2/2026", which is no text of DATE.'],
    ['date', '0000-05-05', 'is "0000-05-05", which is no text of DATE.'],
    ['date', '2026-02-29', 'is "2026-02-29", which is no text of DATE.'],
    ['json', '{"a":', 'is "{\\"a\\":", which is no JSON text. Pass JSON.stringify(value),'],
    ['json[]', ['bad'], 'item 1 is "bad", which is no JSON text.'],
    ['variant', 5, 'is 5, and the client makes no VARIANT. Pass its JSON, and cast that'],
    ['geometry', 'POINT EMPTY', 'is "POINT EMPTY", and the client makes no GEOMETRY.'],
  ]
  test.for(cases)('%s: %o', async ([type, value, message]) => {
    const error = await rejection(ingest(type, [null, value]))
    expect(error).toBeInstanceOf(ParameterError)
    expect(error.message).toContain(message)
    expect(error.message).not.toContain('placeholder')
    expect((await database.execute('from t')).rows).toEqual([])
  })
})
