import { drizzle, type KeelsonDuckDBDatabase } from '@keelson/duckdb/drizzle'
import { arrayContained, arrayContains, arrayOverlaps, eq, inArray, sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  customType,
  date,
  doublePrecision,
  integer,
  json,
  numeric,
  pgTable,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { closeAfterTest, rejection } from './fixture.ts'

const bytea = customType<{ data: Uint8Array }>({ dataType: () => 'blob' })

const lists = pgTable('lists', {
  id: integer().primaryKey(),
  texts: text().array(),
  nested: text().array().array(),
  wholes: integer().array(),
  matrix: integer().array().array(),
  bigs: bigint({ mode: 'bigint' }).array(),
  counts: bigint({ mode: 'number' }).array(),
  ratios: doublePrecision().array(),
  flags: boolean().array(),
  amounts: numeric({ precision: 20, scale: 2 }).array(),
  moments: timestamp().array(),
  days: date({ mode: 'date' }).array(),
  keys: uuid().array(),
  metas: json().array(),
  bytes: bytea().array(),
  triple: integer().array(3),
  label: text(),
})
type List = typeof lists.$inferInsert

async function open(): Promise<KeelsonDuckDBDatabase> {
  const db = drizzle(':memory:')
  closeAfterTest(db)
  await db.execute(sql`create table lists (
    id integer primary key, texts text[], nested text[][], wholes integer[], matrix integer[][], bigs bigint[],
    counts bigint[], ratios double[], flags boolean[], amounts decimal(20, 2)[], moments timestamp[], days date[],
    keys uuid[], metas json[], bytes blob[], triple integer[3], label text
  )`)
  return db
}

async function written<K extends keyof List>(
  db: KeelsonDuckDBDatabase,
  column: K,
  value: List[K],
): Promise<unknown> {
  await db.delete(lists)
  const [row] = await db
    .insert(lists)
    .values({ id: 1, [column]: value })
    .returning({ value: lists[column] })
  expect(await db.select({ value: lists[column] }).from(lists)).toEqual([row])
  return row!.value
}

const values: { readonly [K in keyof List]?: readonly unknown[][] } = {
  texts: [
    [],
    ['a'],
    [
      'a,b',
      'c"d',
      'e\\f',
      '{g}',
      '[h]',
      '',
      ' ',
      'null',
      'NULL',
      'true',
      '1',
      '\n',
      "it's",
      '列 😀',
    ],
    ['a', null, 'b'],
    [null],
    ['{1,2}', '{"x","y"}', '\\\\', '"'],
  ],
  nested: [[['a', 'b'], ['c']], [[]], [['{', null], []], []],
  wholes: [[1, 2, 3], [0, null, -5], [2 ** 31 - 1]],
  matrix: [
    [
      [1, 2],
      [3, 4],
    ],
    [[null], []],
  ],
  bigs: [[2n ** 63n - 1n, 0n, null], [2n ** 53n + 1n]],
  counts: [[Number.MAX_SAFE_INTEGER, null, 1]],
  ratios: [
    [0.1, -0.5, 1e21, 5e-324, null],
    [Infinity, -Infinity],
  ],
  flags: [[true, false, null]],
  amounts: [['123456789012345678.99', '-0.01', null]],
  moments: [[new Date('2026-11-21T08:15:00.123Z'), null, new Date('0099-01-01T00:00:00Z')]],
  days: [[new Date('2026-11-21'), null]],
  keys: [['6b1d4a8e-6f2e-4b6e-8d8f-0123456789ab', null]],
  metas: [[{ a: [1, 'x'] }, '{"a":1}', [1], 'text', 7, null]],
  triple: [
    [1, 2, 3],
    [null, 0, null],
  ],
}

describe('an array comes back as it was written', () => {
  test.for(Object.keys(values) as (keyof List)[])('from %s', async (column) => {
    const db = await open()
    for (const value of values[column]!) {
      expect(await written(db, column, value as never)).toStrictEqual(value)
    }
  })

  test('of any strings, however they look', async () => {
    const db = await open()
    const word = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: fc.constantFrom('{', '}', ',', '"', '\\', ' ', 'n', 'u', 'l', '1') }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(word.filter((text) => !text.includes('\0')))),
        async (words) => {
          expect(await written(db, 'texts', words as string[])).toStrictEqual(words)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('by a placeholder, and null by one', async () => {
    const db = await open()
    const insert = db
      .insert(lists)
      .values({
        id: sql.placeholder('id'),
        texts: sql.placeholder('texts'),
        wholes: sql.placeholder('wholes'),
      })
      .returning({ texts: lists.texts, wholes: lists.wholes })
      .prepare('insert_list')
    expect(await insert.execute({ id: 1, texts: ['a,b', null], wholes: [1, 2] })).toEqual([
      { texts: ['a,b', null], wholes: [1, 2] },
    ])
    expect(await insert.execute({ id: 2, texts: null, wholes: [] })).toEqual([
      { texts: null, wholes: [] },
    ])
  })
})

test('a text that looks like an array stays a text', async () => {
  const db = await open()
  for (const label of ['{1,2}', '{"x","y"}', '{}', ' {1} ', '[1, 2]']) {
    expect(await written(db, 'label', label)).toBe(label)
    expect(await db.select({ id: lists.id }).from(lists).where(eq(lists.label, label))).toEqual([
      { id: 1 },
    ])
  }
  const byLabel = db
    .select({ id: lists.id })
    .from(lists)
    .where(eq(lists.label, sql.placeholder('label')))
    .prepare('by_label')
  expect(await byLabel.execute({ label: '[1, 2]' })).toEqual([{ id: 1 }])
  expect((await db.execute(sql`select ${'{1,2}'}::text as t`)).rows).toEqual([{ t: '{1,2}' }])
})

test('conditions compare arrays as such', async () => {
  const db = await open()
  await db.insert(lists).values([
    { id: 1, texts: ['a', 'b'], wholes: [1, 2] },
    { id: 2, texts: ['b'], wholes: [2] },
    { id: 3, texts: [], wholes: [] },
  ])
  const ids = async (condition: ReturnType<typeof eq>): Promise<number[]> => {
    const rows = await db.select({ id: lists.id }).from(lists).where(condition).orderBy(lists.id)
    return rows.map(({ id }) => id)
  }
  expect(await ids(eq(lists.texts, ['a', 'b']))).toEqual([1])
  expect(await ids(arrayContains(lists.texts, ['b']))).toEqual([1, 2])
  expect(await ids(arrayContained(lists.wholes, [2, 3]))).toEqual([2, 3])
  expect(await ids(arrayOverlaps(lists.texts, ['a', 'z']))).toEqual([1])
  expect(await ids(inArray(lists.wholes, [[2], []]))).toEqual([2, 3])
})

test('what Drizzle keeps no more of than String() of it is refused, and nothing is stored', async () => {
  const db = await open()
  for (const [column, value] of [
    ['bytes', [new Uint8Array([1, 2]), Buffer.from('abc')]],
    ['texts', [{ toString: () => 'x' }]],
    ['wholes', [undefined]],
  ] as const) {
    const error = await rejection(written(db, column, value as never))
    expect(error, column).toMatchObject({ code: 'PARAMETER_TYPE' })
  }
  expect((await rejection(written(db, 'texts', [Symbol('x') as never]))).name).toBe('TypeError')
  expect(await db.$count(lists)).toBe(0)
})
