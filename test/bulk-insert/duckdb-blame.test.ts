import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { ambient, type Database, describeOn, pairs, type Row } from './engines.ts'

const onDuckDB = pairs.filter(({ kind }) => kind === 'duckdb')

/** DuckDB says which constraint was broken, and not by which row; after that the transaction takes no other statement. */
describeOn([...onDuckDB, ...onDuckDB.map(ambient)], 'the row that breaks a check', (db) => {
  const columns = { id: 'int primary key', n: 'int', name: 'text' }
  const constraints = ['check (n < 1000)', "check (name <> 'bad')"]
  const rows = (to: number, ...bad: number[]): Row[] =>
    Array.from({ length: to }, (_, id) => ({ id, n: bad.includes(id) ? 5_000 : 0 }))
  const create = (database: Database): Promise<any> =>
    database.create('t', { columns, constraints })

  test.each([0, 1, 499, 998, 999])('is named: %i of 1,000', async (at) => {
    const table = await create(db())
    const error = await rejection(db().bulk(table, rows(1_000, at)))
    expect(error).toMatchObject({ name: 'BulkInsertError', rowIndex: at })
    expect(error.message).toMatch(new RegExp(`^Row ${at} of the input was refused: .*check`, 'i'))
    expect(error['report']).toMatchObject({ inserted: 0, durableRows: 0 })
    expect(await db().count('t')).toBe(0)
  })

  test('is the first of several, with its own constraint', async () => {
    const table = await create(db())
    const input = rows(100, 60).map((row) => ({ ...row, name: row['id'] === 20 ? 'bad' : 'x' }))
    const error = await rejection(db().bulk(table, input))
    expect(error.rowIndex).toBe(20)
    expect((error.cause as Error).message).toContain("'bad'")
  })

  test('is named in a later batch, and after rows that have other columns', async () => {
    const table = await create(db())
    const input = rows(1_000, 777).map((row, at) => (at % 400 === 0 ? { ...row, name: 'x' } : row))
    const error = await rejection(db().bulk(table, input, { batchRows: 300 }))
    expect(error.rowIndex).toBe(777)
    const inBatches = await rejection(
      db().bulk(table, input, { batchRows: 300, atomic: false, onConflict: 'skip' }),
    )
    expect(inBatches).toMatchObject({ rowIndex: 777, report: { inserted: 600, durableRows: 600 } })
    expect(await db().count('t')).toBe(600)
  })

  test('is named where the update of a row breaks it', async () => {
    const table = await create(db())
    await db().bulk(table, rows(10))
    const update = { n: db().sql('t.n + excluded.n') }
    const input = [4, 3, 2, 1].map((id) => ({ id, n: id === 2 ? 1_000 : 1 }))
    const error = await rejection(db().bulk(table, input, { onConflict: { target: 'id', update } }))
    expect(error.rowIndex).toBe(2)
  })

  test('is not named where another batch may have to do with it', async () => {
    const table = await create(db())
    // Rows that are there already are not checked: 2 and 1 are, in the transaction that has failed.
    const input = [1, 2, 2, 1, 3, 4].map((id, at) => ({ id, n: at < 2 ? 0 : 5_000 }))
    const error = await rejection(db().bulk(table, input, { batchRows: 2, onConflict: 'skip' }))
    expect(error).toMatchObject({ name: 'BulkInsertError', rowIndex: undefined })
    expect(error.message).toMatch(/^The bulk insert into "t" failed: .*Nothing was written\.$/)
    expect(await db().count('t')).toBe(0)
  })

  test('is not named inside an open transaction, which cannot go on', async () => {
    const table = await create(db())
    const run = db().transaction(async (handle) => {
      const error = await rejection(db().bulk(table, rows(100, 50), {}, handle))
      expect(error).toMatchObject({ name: 'BulkInsertError', rowIndex: undefined })
      throw error
    })
    expect(await rejection(run)).toMatchObject({ name: 'BulkInsertError' })
  })

  describe('of a foreign key', () => {
    const child = async (): Promise<any> => {
      await db().exec('drop table if exists child')
      await db().create('parent', { columns: { id: 'int primary key' } })
      await db().bulk(
        db().table('parent', { id: 'int' }),
        rows(10).map(({ id }) => ({ id })),
      )
      const columns = { id: 'int primary key', parent: 'int' }
      return db().create('child', {
        columns,
        constraints: ['foreign key (parent) references parent (id)'],
      })
    }

    test('is named where it is of the first batch', async () => {
      const table = await child()
      const input = rows(100).map(({ id }) => ({ id, parent: id === 70 ? 99 : id % 10 }))
      expect(await rejection(db().bulk(table, input))).toMatchObject({ rowIndex: 70 })
      const later = await rejection(db().bulk(table, input, { batchRows: 40 }))
      expect(later).toMatchObject({ name: 'BulkInsertError', rowIndex: undefined })
      await db().exec('drop table child')
    })
  })
})
