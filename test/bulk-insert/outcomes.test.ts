import type { BulkInsertReport } from '@keelson/bulk-insert/kysely'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { type Database, describeOn, pairs, type Row, traits } from './engines.ts'

const columns = { id: 'int primary key', name: 'text', n: 'int' }

function rows(from: number, to: number, more: (id: number) => Row = () => ({})): Row[] {
  return Array.from({ length: to - from }, (_, at) => {
    const id = from + at
    return { id, name: `name ${id}`, n: id * 2, ...more(id) }
  })
}

/** Creates the table `t` with 10 rows, of which the keys are 0 to 9. */
async function filled(database: Database, constraints: readonly string[] = []): Promise<any> {
  const table = await database.create('t', { columns, constraints })
  await database.bulk(table, rows(0, 10))
  return table
}

describeOn(pairs, 'what became of each row', (db, pair) => {
  const { hasTarget, asSet, hasReturning } = traits[pair.kind]

  test('inserts all of them', async () => {
    const table = await db().create('t', { columns })
    const report = await db().bulk(table, rows(0, 2_500))
    expect(report).toMatchObject({
      attempted: 2_500,
      inserted: 2_500,
      updated: 0,
      skipped: 0,
      rejected: 0,
      rejections: [],
      durableRows: 2_500,
    })
    expect(report.batches).toBeGreaterThan(0)
    expect(report.elapsedMs).toBeGreaterThan(0)
    expect(await db().count('t')).toBe(2_500)
    expect((await db().all('t')).slice(0, 2)).toEqual([
      [0, 'name 0', 0],
      [1, 'name 1', 2],
    ])
  })

  test('inserts nothing, and opens no transaction, for an empty input', async () => {
    const table = await db().create('t', { columns })
    const report = await db().bulk(table, [])
    expect(report).toMatchObject({ attempted: 0, inserted: 0, updated: 0, skipped: 0, rejected: 0 })
    expect(report).toMatchObject({ batches: 0, method: undefined, durableRows: 0 })
  })

  test('names a row whose key is there, and writes nothing', async () => {
    const table = await filled(db())
    const error = await rejection(db().bulk(table, rows(5, 15).toReversed()))
    expect(error).toMatchObject({ name: 'BulkInsertError', code: 'BULK_INSERT', rowIndex: 5 })
    expect(error.message).toMatch(/^Row 5 of the input was refused: .*Nothing was written\.$/)
    expect(error['report']).toMatchObject({ inserted: 0, updated: 0, skipped: 0, durableRows: 0 })
    expect(await db().count('t')).toBe(10)
  })

  test('skips rows whose key is there', async () => {
    const table = await filled(db())
    const report = await db().bulk(
      table,
      rows(5, 15, () => ({ n: -1 })),
      { onConflict: 'skip' },
    )
    expect(report).toMatchObject({ attempted: 10, inserted: 5, updated: 0, skipped: 5 })
    expect((await db().all('t')).map(([, , n]) => n)).toEqual([
      0, 2, 4, 6, 8, 10, 12, 14, 16, 18, -1, -1, -1, -1, -1,
    ])
  })

  test('skips rows of any unique key, and no other error', async () => {
    const table = await filled(db(), ['unique (name)'])
    const input = [
      { id: 100, name: 'name 3', n: 1 },
      { id: 3, name: 'other', n: 1 },
      { id: 101, name: 'new', n: 1 },
    ]
    const report = await db().bulk(table, input, { onConflict: 'skip' })
    expect(report).toMatchObject({ attempted: 3, inserted: 1, updated: 0, skipped: 2 })
  })

  test('does not skip a row that breaks a check', async () => {
    const table = await db().create('t', { columns, constraints: ['check (n >= 0)'] })
    await db().bulk(table, rows(0, 3))
    const input = rows(2, 5, (id) => ({ n: 3 - id }))
    const error = await rejection(db().bulk(table, input, { onConflict: 'skip' }))
    expect(error).toMatchObject({ rowIndex: 2 })
    expect(await db().count('t')).toBe(3)
  })

  test('updates the columns that are named, and leaves the others', async () => {
    const table = await filled(db())
    const input = rows(5, 15, () => ({ name: 'changed', n: -1 }))
    const report = await db().bulk(table, input, { onConflict: { target: 'id', update: ['n'] } })
    expect(report).toMatchObject({ attempted: 10, inserted: 5, updated: 5, skipped: 0 })
    expect((await db().all('t')).slice(4, 12)).toEqual([
      [4, 'name 4', 8],
      ...[5, 6, 7, 8, 9].map((id) => [id, `name ${id}`, -1]),
      [10, 'changed', -1],
      [11, 'changed', -1],
    ])
  })

  test("updates all columns that the row has, with 'all'", async () => {
    const table = await filled(db())
    const input = [{ id: 9, name: 'nine' }, { id: 8, n: 88 }, { id: 7 }, { id: 10, name: 'ten' }]
    const onConflict = { target: 'id', update: 'all' }
    const report = await db().bulk(table, input, { onConflict })
    expect(report).toMatchObject({ attempted: 4, inserted: 1, updated: 3, skipped: 0 })
    expect((await db().all('t')).slice(7)).toEqual([
      [7, 'name 7', 14],
      [8, 'name 8', 88],
      [9, 'nine', 18],
      [10, 'ten', null],
    ])
  })

  test('updates by an expression of both rows', async () => {
    const table = await filled(db())
    const text = pair.kind === 'mysql' ? 't.n + values(n)' : 't.n + excluded.n'
    const onConflict = { target: ['id'], update: { n: db().sql(text), name: 'sum' } }
    const report = await db().bulk(table, rows(8, 12), { onConflict })
    expect(report).toMatchObject({ attempted: 4, inserted: 2, updated: 2, skipped: 0 })
    expect((await db().all('t')).slice(8)).toEqual([
      [8, 'sum', 32],
      [9, 'sum', 36],
      [10, 'name 10', 20],
      [11, 'name 11', 22],
    ])
  })

  test.skipIf(!hasTarget)('updates by a function of the new row', async () => {
    const table = await filled(db())
    const update =
      pair.orm === 'kysely'
        ? (eb: any) => ({ n: eb('t.n', '-', eb.ref('excluded.n')), name: eb.ref('excluded.name') })
        : (excluded: any) => ({ n: (db().sql('t.n - ') as any).append(excluded.n), name: 'x' })
    const report = await db().bulk(table, rows(8, 12), { onConflict: { target: 'id', update } })
    expect(report).toMatchObject({ attempted: 4, inserted: 2, updated: 2, skipped: 0 })
    expect((await db().all('t'))[8]![2]).toBe(0)
  })

  test.skipIf(!hasTarget)('skips the rows that `where` leaves as they are', async () => {
    const table = await filled(db())
    const where = db().condition('t.n > 15')
    const onConflict = { target: 'id', update: ['name'], where }
    const report = await db().bulk(
      table,
      rows(5, 15, () => ({ name: 'new' })),
      { onConflict },
    )
    expect(report).toMatchObject({ attempted: 10, inserted: 5, updated: 2, skipped: 3 })
    const changed = (await db().all('t')).filter(([id, name]) => Number(id) < 10 && name === 'new')
    expect(changed.map(([id]) => id)).toEqual([8, 9])
  })

  test.skipIf(!hasTarget)('takes a conflict on another key for an error', async () => {
    const table = await filled(db(), ['unique (name)'])
    const input = [
      { id: 20, name: 'new' },
      { id: 21, name: 'name 3' },
      { id: 4, name: 'four' },
    ]
    const update = { target: 'id', update: 'all' }
    const error = await rejection(db().bulk(table, input, { onConflict: update }))
    expect(error).toMatchObject({ name: 'BulkInsertError', rowIndex: 1 })
    const skip = { target: 'id', skip: true }
    expect(await rejection(db().bulk(table, input, { onConflict: skip }))).toMatchObject({
      rowIndex: 1,
    })
    expect(await db().count('t')).toBe(10)
    const onName = { target: 'name', update: ['n'] }
    const report = await db()
      .bulk(table, input, { onConflict: onName })
      .catch((error) => error)
    expect(report).toMatchObject({ rowIndex: 2 })
  })

  test('has keys of several columns', async () => {
    const spec = { columns: { a: 'int', b: 'text', n: 'int' }, constraints: ['unique (a, b)'] }
    const table = await db().create('t', spec)
    const grid = (n: number, to: number): Row[] =>
      Array.from({ length: to }, (_, at) => ({ a: at % 3, b: `b${at % 4}`, n }))
    await db().bulk(table, grid(0, 6))
    const onConflict = { target: ['b', 'a'], update: ['n'] }
    const report = await db().bulk(table, grid(1, 12), { onConflict })
    expect(report).toMatchObject({ attempted: 12, inserted: 6, updated: 6, skipped: 0 })
    expect(await db().count('t')).toBe(12)
  })

  test('takes NULLs in a unique key for different', async () => {
    const table = await db().create('t', {
      columns: { name: 'text', n: 'int' },
      constraints: ['unique (name)'],
    })
    const input = [{ name: null, n: 1 }, { name: null, n: 2 }, { n: 3 }]
    const onConflict = { target: 'name', update: ['n'] }
    const report = await db().bulk(table, input, { onConflict })
    expect(report).toMatchObject({ attempted: 3, inserted: 3, updated: 0, skipped: 0 })
  })

  test('skips by the keys that have no NULL, the first of the input staying', async () => {
    const table = await filled(db(), ['unique (name)', 'unique (n)'])
    const input = [
      { id: 20, name: null, n: null },
      { id: 21, name: null, n: null },
      { id: 22, n: 4 },
      { id: 23, n: 1_000 },
      { id: 20, name: 'late', n: 7_000 },
      { id: 24, name: 'name 1' },
      { id: 25, name: 'new' },
      { id: 26, name: 'new', n: null },
      { id: 27, name: null, n: 1_000 },
      { id: 28, name: null, n: 2_000 },
    ]
    const report = await db().bulk(table, input, { onConflict: 'skip' })
    expect(report).toMatchObject({ attempted: 10, inserted: 5, updated: 0, skipped: 5 })
    expect((await db().all('t')).slice(10).map(([id]) => id)).toEqual([20, 21, 23, 25, 28])
  })

  test('skips a row for none that was skipped itself', async () => {
    const table = await filled(db(), ['unique (name)'])
    const input = [
      { id: 20, name: 'name 3' },
      { id: 20, name: 'new' },
      { id: 21, name: 'new' },
      { id: 21, name: 'newer' },
      { id: 20, name: 'name 3' },
      { id: 22, name: 'newer' },
      { id: 22, name: 'newest' },
      { id: 20, name: 'new' },
    ]
    const report = await db().bulk(table, input, { onConflict: 'skip' })
    expect(report).toMatchObject({ attempted: 8, inserted: 3, skipped: 5 })
    expect((await db().all('t')).slice(10)).toEqual([
      [20, 'new', null],
      [21, 'newer', null],
      [22, 'newest', null],
    ])
  })

  test.skipIf(!hasReturning)('hands over what RETURNING gives, with the position', async () => {
    const table = await filled(db())
    const got: [number, number][] = []
    const report = await db().bulk(table, rows(5, 1_505), {
      batchRows: 700,
      onConflict: 'skip',
      returning: ['id'],
      onReturned: (rows, { firstIndex }) =>
        void got.push(...rows.map(({ id }) => [firstIndex, id] as [number, number])),
    })
    expect(report).toMatchObject({ attempted: 1_500, inserted: 1_495, skipped: 5 })
    expect(got).toHaveLength(1_495)
    expect(got.every(([first, id]) => id - 5 >= first && id - 5 < first + 1_000)).toBe(true)
    expect(got[0]![0]).toBe(0)
  })

  test.skipIf(!hasReturning)('counts updates and skips with RETURNING as well', async () => {
    const table = await filled(db())
    const got: Row[] = []
    const report = await db().bulk(table, rows(5, 15), {
      onConflict: { target: 'id', update: ['name'], where: db().condition('t.n > 15') },
      returning: ['n', 'id'],
      onReturned: (rows) => void got.push(...rows),
    })
    expect(report).toMatchObject({ attempted: 10, inserted: 5, updated: 2, skipped: 3 })
    expect(got.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual([8, 9, 10, 11, 12, 13, 14])
    expect(Object.keys(got[0]!).toSorted()).toEqual(['id', 'n'])
  })

  test.skipIf(asSet)('takes row after row, so that the last one of a key wins', async () => {
    const table = await filled(db())
    const input = [
      [20, 1],
      [9, 2],
      [20, 3],
      [9, 4],
      [20, 5],
    ].map(([id, n]) => ({ id, n }))
    const report = await db().bulk(table, input, { onConflict: { target: 'id', update: ['n'] } })
    expect(report).toMatchObject({ attempted: 5, inserted: 1, updated: 4, skipped: 0 })
    expect((await db().all('t')).slice(9)).toEqual([
      [9, 'name 9', 4],
      [20, null, 5],
    ])
    for (const duplicatesInInput of ['error', 'first'] as const)
      expect(await rejection(db().bulk(table, input, { duplicatesInInput }))).toMatchObject({
        code: 'INVALID_OPTION',
      })
  })

  test('keeps the first of several rows of one key, with `skip`', async () => {
    const table = await filled(db())
    const input = [
      [20, 1],
      [9, 2],
      [20, 3],
      [9, 4],
      [20, 5],
    ].map(([id, n]) => ({ id, n }))
    const report = await db().bulk(table, input, { onConflict: 'skip' })
    expect(report).toMatchObject({ attempted: 5, inserted: 1, updated: 0, skipped: 4 })
    expect((await db().all('t')).slice(9)).toEqual([
      [9, 'name 9', 18],
      [20, null, 1],
    ])
  })

  test.skipIf(!asSet)(
    'refuses two rows of one key, unless it is told which one counts',
    async () => {
      const table = await filled(db())
      const input = [
        [20, 1],
        [9, 2],
        [21, 3],
        [20, 4],
        [9, 5],
        [20, 6],
      ].map(([id, n]) => ({ id, n }))
      const onConflict = { target: 'id', update: ['n'] }
      const error = await rejection(db().bulk(table, input, { onConflict }))
      expect(error).toMatchObject({ rowIndex: 3, cause: { code: 'DUPLICATE_IN_INPUT' } })
      expect(await db().count('t')).toBe(10)
      const options = { onConflict, duplicatesInInput: 'first' } as const
      const first = await db().bulk(table, input, options)
      expect(first).toMatchObject({ attempted: 6, inserted: 2, updated: 1, skipped: 3 })
      expect((await db().all('t')).slice(9).map(([, , n]) => n)).toEqual([2, 1, 3])
      const last = await db().bulk(table, input, { ...options, duplicatesInInput: 'last' })
      expect(last).toMatchObject({ attempted: 6, inserted: 0, updated: 3, skipped: 3 })
      expect((await db().all('t')).slice(9).map(([, , n]) => n)).toEqual([5, 6, 3])
    },
  )

  test.skipIf(!asSet)('rejects every further row of one key when they are collected', async () => {
    const table = await filled(db())
    const input = [20, 9, 21, 20, 9, 20, 22].map((id, n) => ({ id, n }))
    const report = await db().bulk(table, input, {
      onConflict: { target: 'id', update: ['n'] },
      onRejected: 'collect',
      atomic: pair.kind !== 'duckdb',
    })
    expect(report.rejections.map(({ rowIndex }) => rowIndex)).toEqual([3, 4, 5])
    expect(report).toMatchObject({ attempted: 7, inserted: 3, updated: 1, skipped: 0, rejected: 3 })
    expect((await db().all('t')).slice(9).map(([, , n]) => n)).toEqual([1, 0, 2, 6])
  })

  describe.skipIf(!asSet)('of rows of one key, beside a row that cannot be inserted', () => {
    const onConflict = { target: 'id', update: 'all' }
    const collect = { onConflict, onRejected: 'collect', atomic: pair.kind !== 'duckdb' } as const
    const indexes = ({ rejections }: BulkInsertReport): number[] =>
      rejections.map(({ rowIndex }) => rowIndex)
    const stored = async (): Promise<unknown[]> =>
      (await db().all('t')).slice(9).map(([id, , n]) => [id, n])

    describe.each<[string, unknown]>([
      ['breaks a check', { id: 30, n: 1_000 }],
      ['has no value for a column that has to have one', { id: 30, n: null }],
      ['has a key that is no column', { id: 30, n: 1, zzz: 1 }],
      ['is no row', null],
      ['has a value that its column cannot hold', { id: 30, n: 'many' }],
      ['has a key that its column cannot hold', { id: 'many', n: 3 }],
    ])('which %s', (_, bad) => {
      const input = [
        { id: 20, n: 1 },
        { id: 9, n: 2 },
        bad,
        { id: 20, n: 3 },
        { id: 9, n: 4 },
        { id: 31, n: 5 },
      ]

      test.each([
        ['first', [2], { inserted: 2, updated: 1, skipped: 2, rejected: 1 }, [2, 1, 5]],
        ['last', [2], { inserted: 2, updated: 1, skipped: 2, rejected: 1 }, [4, 3, 5]],
        ['error', [2, 3, 4], { inserted: 2, updated: 1, skipped: 0, rejected: 3 }, [2, 1, 5]],
      ] as const)(
        'obeys `%s`',
        async (duplicatesInInput, rejected, counts, [nine, twenty, more]) => {
          const table = await filled(db(), ['check (n < 1000 and n is not null)'])
          const report = await db().bulk(table, input, { ...collect, duplicatesInInput })
          expect(indexes(report)).toEqual(rejected)
          expect(report).toMatchObject({ attempted: 6, durableRows: 6, ...counts })
          expect(await stored()).toEqual([
            [9, nine],
            [20, twenty],
            [31, more],
          ])
          const causes = report.rejections.map(({ error }) => (error as { code?: unknown }).code)
          expect(causes.slice(1)).toEqual(rejected.slice(1).map(() => 'DUPLICATE_IN_INPUT'))
        },
      )
    })

    test('takes the next one where that row would have been the one that counts', async () => {
      const table = await filled(db(), ['check (n < 1000)'])
      const input = [
        [20, 1_000],
        [20, 1],
        [21, 2],
        [20, 3],
        [22, 4],
        [20, 5_000],
      ].map(([id, n]) => ({ id, n }))
      const first = await db().bulk(table, input, { ...collect, duplicatesInInput: 'first' })
      expect(first).toMatchObject({ attempted: 6, inserted: 3, skipped: 2, rejected: 1 })
      expect(indexes(first)).toEqual([0])
      expect((await stored()).slice(1)).toEqual([
        [20, 1],
        [21, 2],
        [22, 4],
      ])
      const last = await db().bulk(table, input, { ...collect, duplicatesInInput: 'last' })
      expect(last).toMatchObject({ attempted: 6, updated: 3, skipped: 2, rejected: 1 })
      expect(indexes(last)).toEqual([5])
      expect((await stored())[1]).toEqual([20, 3])
      const error = await db().bulk(table, input, collect)
      expect(error).toMatchObject({ attempted: 6, updated: 3, skipped: 0, rejected: 3 })
      expect(indexes(error)).toEqual([0, 3, 5])
    })

    test('decides in each batch for itself', async () => {
      const table = await filled(db(), ['check (n < 1000)'])
      const input = [1, 2, 1_000, 3, 4, 2_000].map((n) => ({ id: 20, n }))
      const options = { ...collect, duplicatesInInput: 'first', batchRows: 3 } as const
      const report = await db().bulk(table, input, options)
      expect(report).toMatchObject({ inserted: 1, updated: 1, skipped: 4, rejected: 0 })
      expect((await stored())[1]).toEqual([20, 3])
    })

    test('hands rejections to a function in the order of the input', async () => {
      const table = await filled(db(), ['check (n < 1000)'])
      const seen: number[] = []
      const input = [
        { id: 20, n: 1 },
        null,
        { id: 20, n: 2 },
        { id: 21, n: 1_000 },
        { id: 22, zzz: 1 },
      ]
      const report = await db().bulk(table, input, {
        ...collect,
        onRejected: ({ rowIndex }) => void seen.push(rowIndex),
      })
      expect(seen).toEqual([1, 2, 3, 4])
      expect(report).toMatchObject({ attempted: 5, inserted: 1, rejected: 4, rejections: [] })
    })
  })

  test.skipIf(!asSet)('decides between rows of one key that have other columns', async () => {
    const input = [
      { id: 20, n: 1 },
      { id: 20, name: 'x' },
      { id: 9, n: db().sql('1 + 1') },
    ]
    const onConflict = { target: 'id', update: 'all' }
    const bulk = async (duplicatesInInput: 'first' | 'last'): Promise<unknown> => {
      const table = await filled(db())
      await db().bulk(table, [...input, { id: 9, n: 7 }], { onConflict, duplicatesInInput })
      return (await db().all('t')).slice(9)
    }
    expect(await bulk('first')).toEqual([
      [9, 'name 9', 2],
      [20, null, 1],
    ])
    expect(await bulk('last')).toEqual([
      [9, 'name 9', 7],
      [20, 'x', null],
    ])
    const table = await filled(db())
    expect(await rejection(db().bulk(table, input, { onConflict }))).toMatchObject({
      rowIndex: 1,
      cause: { code: 'DUPLICATE_IN_INPUT' },
    })
    expect(await db().count('t')).toBe(10)
  })

  test.runIf(pair.kind === 'postgresql')(
    'takes for one key what the engine takes for one',
    async () => {
      const table = await filled(db(), ['check (n < 1000)'])
      const input = [20, '020', 21, ' 20'].map((id, n) => ({ id, n: id === 21 ? 1_000 : n }))
      const report = await db().bulk(table, input, {
        onConflict: { target: 'id', update: ['n'] },
        onRejected: 'collect',
      })
      expect(report.rejections.map(({ rowIndex }) => rowIndex)).toEqual([1, 2, 3])
    },
  )

  test.skipIf(!asSet)(
    'takes NULL keys of the input for different, whatever `duplicatesInInput` says',
    async () => {
      const table = await db().create('t', {
        columns: { name: 'text', n: 'int' },
        constraints: ['unique (name)'],
      })
      const input = [null, 'a', null, 'a', null].map((name, n) => ({ name, n }))
      for (const duplicatesInInput of ['first', 'last'] as const) {
        const onConflict = { target: 'name', update: ['n'] }
        const report = await db().bulk(table, input, { onConflict, duplicatesInInput })
        expect(report.skipped).toBe(1)
      }
      expect(await db().count('t')).toBe(7)
    },
  )
})
