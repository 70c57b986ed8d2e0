import { defineTable, dropTableSql, rowEncoder } from '@keelson/indexes'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import { creating, liveEngines, openDatabase, rowsOf, run } from './fixture.ts'

const Row = z.object({
  at: z.date(),
  text: z.iso.datetime({ offset: true }),
  done: z.boolean(),
  data: z.object({ a: z.string() }),
  list: z.array(z.string()),
  price: z.string().meta({ db: { decimal: [10, 2] } }),
  late: z.date().optional(),
})
const table = defineTable('encoded', Row)
const row = {
  at: new Date('2020-01-01T12:00:00.123Z'),
  text: '2020-01-01T14:00:00+02:00',
  done: true,
  data: { a: "it's" },
  list: ['a', 'b,"c"'],
  price: '0.50',
  late: undefined,
}

test('values become what the columns of each engine take', () => {
  expect(rowEncoder(table, 'sqlite')(row)).toEqual({
    at: '2020-01-01T12:00:00.123Z',
    text: '2020-01-01T12:00:00.000Z',
    done: 1,
    data: `{"a":"it's"}`,
    list: '["a","b,\\"c\\""]',
    price: '0.50',
  })
  expect(rowEncoder(table, 'postgresql')(row)).toMatchObject({ done: true, list: row.list })
  expect(rowEncoder(table, 'mysql')(row)).toMatchObject({ at: '2020-01-01 12:00:00.123', done: 1 })
  expect(rowEncoder(table, 'sqlite')({ at: null, other: 1 })).toEqual({ at: null, other: 1 })
})

test.each([
  [
    'a moment finer than a millisecond',
    '2020-01-01T12:00:00.123456Z',
    'a moment has milliseconds. Round it first.',
  ],
  ['a moment without a zone', '2020-01-01T12:00:00', 'it is no moment in ISO 8601 with a zone'],
  ['a moment that there is not', '2020-13-01T12:00:00Z', 'a moment is in the years 1 to 9999'],
  ['an invalid Date', new Date(Number.NaN), 'encoded.at cannot hold an invalid Date'],
  ['a number, which may be of seconds', 1_700_000_000_000, 'it is neither a Date nor a text'],
  ['a boolean', true, 'encoded.at cannot hold true: it is neither a Date nor a text.'],
  ['a symbol', Symbol('at'), 'it is neither a Date nor a text'],
  ['a year of five digits', new Date(8.64e15), 'a moment is in the years 1 to 9999'],
  [
    'a year before the first',
    new Date('0000-06-01T00:00:00Z'),
    'a moment is in the years 1 to 9999',
  ],
])('refuses %s', (_, at, message) => {
  expect(() => rowEncoder(table, 'sqlite')({ at })).toThrow(message)
  expect(() => rowEncoder(table, 'sqlite')({ at })).toThrow(
    expect.objectContaining({ code: 'VALUE', table: 'encoded', field: 'at' }),
  )
})

const circle: { self?: unknown } = {}
circle.self = circle

test.each([
  ['a whole number of 64 bits', { n: 1n }, 'it cannot be written as JSON'],
  ['an object within itself', circle, 'it cannot be written as JSON'],
  ['a function', () => {}, 'JSON has nothing like it'],
])('refuses %s as JSON', (_, data, message) => {
  for (const key of ['data', 'list']) {
    expect(() => rowEncoder(table, 'sqlite')({ [key]: data })).toThrow(message)
    expect(() => rowEncoder(table, 'sqlite')({ [key]: data })).toThrow(
      expect.objectContaining({ code: 'VALUE', table: 'encoded', field: key }),
    )
  }
})

test('zeros after the milliseconds lose nothing', () => {
  expect(rowEncoder(table, 'sqlite')({ at: '2020-01-01T12:00:00.123000Z' })).toEqual({
    at: '2020-01-01T12:00:00.123Z',
  })
})

test('refuses an engine that there is not', () => {
  expect(() => rowEncoder(table, 'oracle' as never)).toThrow(
    'rowEncoder() cannot use "oracle" as `engine`.',
  )
})

describe.each(liveEngines)('%s', (engine) => {
  let db: Kysely<any>
  beforeAll(async () => {
    db = await openDatabase(engine)
    await run(db, ...creating(table, engine))
  })
  afterAll(async () => {
    await run(db, ...dropTableSql(table, engine))
    await db.destroy()
  })

  test('an encoded row is stored, and moments are the same', async () => {
    await db.insertInto('encoded').values(rowEncoder(table, engine)(row)).execute()
    const [read] = await rowsOf(db, 'select * from encoded')
    const { at, text, price } = read
    expect([new Date(at), new Date(text)]).toEqual([row.at, new Date('2020-01-01T12:00:00Z')])
    expect(price).toBe('0.50')
  })
})
