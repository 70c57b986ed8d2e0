import { bulkInsert as bulkOnDrizzle } from '@keelson/bulk-insert/drizzle'
import { type BulkInsertReport, bulkInsert as bulkOnKysely } from '@keelson/bulk-insert/kysely'
import * as pg from 'drizzle-orm/pg-core'
import type { Kysely } from 'kysely'
import { expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { type Db, describeOn, pairs, type Row } from './engines.ts'

const onDuckDB = pairs.filter(({ kind }) => kind === 'duckdb')

describeOn(onDuckDB, 'a table that DuckDB finds elsewhere', (db, pair) => {
  const columns = { id: 'int primary key', n: 'int' }
  const onConflict = { target: 'id', update: 'all' } as const
  const rows = (from: number, to: number, n = 0): Row[] =>
    Array.from({ length: to - from }, (_, at) => ({ id: from + at, n }))

  /** Into a table of a schema, or of an attached database. */
  const bulkInto = (
    schema: string,
    table: string,
    input: Row[],
    options: object,
    on: Db,
  ): Promise<BulkInsertReport> =>
    pair.orm === 'kysely'
      ? bulkOnKysely(on.withSchema(schema) as Kysely<any>, table, input, options)
      : bulkOnDrizzle(
          on,
          pg.pgSchema(schema).table(table, { id: pg.integer(), n: pg.integer() }),
          input as never,
          options,
        )

  test('is a temporary one', async () => {
    await db().transaction(async (tx) => {
      await db().exec('create temp table passing (id integer primary key, n integer default 7)', tx)
      const table = db().table('passing', columns)
      const first = rows(0, 3).map(({ id }) => ({ id }))
      expect(await db().bulk(table, first, {}, tx)).toMatchObject({ inserted: 3 })
      const upsert = await db().bulk(table, rows(2, 5), { onConflict }, tx)
      expect(upsert).toMatchObject({ inserted: 2, updated: 1 })
      expect(await db().all('passing', 'id', tx)).toEqual([
        [0, 7],
        [1, 7],
        [2, 0],
        [3, 0],
        [4, 0],
      ])
      await db().exec('drop table passing', tx)
    })
  })

  test('is a temporary one that hides another of its name', async () => {
    await db().create('t', { columns: { id: 'int primary key', n: 'int', old: 'int not null' } })
    await db().transaction(async (tx) => {
      await db().exec('create temp table t (id integer, n integer, unique (id))', tx)
      const table = db().table('t', { id: 'int', n: 'int' })
      const input = [...rows(0, 2), { id: null, n: 1 }, { id: null, n: 2 }]
      const report = await db().bulk(table, input, { onConflict: 'skip' }, tx)
      expect(report).toMatchObject({ inserted: 4, skipped: 0 })
      const again = await bulkInto('main', 't', rows(1, 3), { onConflict }, tx)
      expect(again).toMatchObject({ inserted: 1, updated: 1 })
      await db().exec('drop table temp.t', tx)
    })
    expect(await db().count('t')).toBe(0)
    const table = db().table('t', { id: 'int', n: 'int', old: 'int' })
    expect(await db().bulk(table, [{ id: 1, n: 1, old: 1 }])).toMatchObject({ inserted: 1 })
  })

  test('is in an attached database', async () => {
    await db().exec("attach ':memory:' as depot")
    await db().exec('create table depot.part (id integer primary key, n integer)')
    await db().exec('create table part (id integer)')
    expect(await bulkInto('depot', 'part', rows(0, 3), {}, db().db)).toMatchObject({ inserted: 3 })
    const upsert = await bulkInto('depot', 'part', rows(2, 4, 9), { onConflict }, db().db)
    expect(upsert).toMatchObject({ inserted: 1, updated: 1 })
    const stored = await db().rows('select n from depot.part order by id')
    expect(stored.map(({ n }) => n)).toEqual([0, 0, 9, 9])
    expect(await rejection(bulkInto('depot', 'nowhere', rows(0, 1), {}, db().db))).toMatchObject({
      cause: { code: 'NO_TABLE' },
    })
    await db().exec('drop table part')
    await db().exec('detach depot')
  })

  test('has a name that is written otherwise', async () => {
    await db().create('Ship', { columns })
    const table = db().table('SHIP', columns)
    await db().bulk(table, rows(0, 3))
    const upsert = await db().bulk(table, rows(2, 4), { onConflict })
    expect(upsert).toMatchObject({ inserted: 1, updated: 1 })
  })
})
