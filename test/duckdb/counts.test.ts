import { join } from 'node:path'
import type { DuckDBDatabase } from '@keelson/duckdb'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { column, open, run } from './fixture.ts'

async function withTables(): Promise<DuckDBDatabase> {
  const database = await open({ path: ':memory:' })
  await run(
    database,
    'create table t (a integer primary key, b integer)',
    'insert into t values (1, 10), (2, 20), (3, 30)',
    'create table plain (a integer)',
  )
  return database
}

/** A statement, how many rows it changes, and how many it returns. */
type Case = readonly [sql: string, changes: number | undefined, returned: number]

const cases: readonly Case[] = [
  ['insert into t values (4, 40)', 1, 0],
  ['insert into t values (4, 40), (5, 50), (6, 60)', 3, 0],
  ['insert into t select range + 10, 0 from range(2000)', 2_000, 0],
  ['insert into t select range + 10, 0 from range(5000)', 5_000, 0],
  ['insert into t select 9, 9 where false', 0, 0],
  ['insert into t values (4, 40), (5, 50) returning a', 2, 2],
  ['insert into t select range + 10, 0 from range(5000) returning *', 5_000, 5_000],
  ['insert into t select 9, 9 where false returning a', 0, 0],
  ['insert into t values (3, 0), (4, 40) on conflict do nothing', 1, 0],
  ['insert or ignore into t values (3, 0), (4, 40)', 1, 0],
  ['insert into t values (3, 0), (4, 40) on conflict do nothing returning a', 1, 1],
  ['insert into t values (3, 0), (4, 40) on conflict do update set b = 5', 2, 0],
  ['insert or replace into t values (3, 0), (4, 40)', 2, 0],
  ['insert into t values (3, 0), (4, 40) on conflict do update set b = 5 returning a, b', 2, 2],
  ['insert into t values (3, 0), (4, 40) on conflict do update set b = 5 where t.b > 999', 1, 0],
  ['insert into t by name select 4 as a', 1, 0],
  ['update t set b = b + 1', 3, 0],
  ['update t set b = b where a > 1', 2, 0],
  ['update t set b = 0 where a > 99', 0, 0],
  ['update t set b = 0 where a > 1 returning a', 2, 2],
  ['update t set b = p.a from (values (1), (2)) p(a) where p.a = t.a', 2, 0],
  ['delete from t', 3, 0],
  ['delete from t where a = 1', 1, 0],
  ['delete from t where a = 99', 0, 0],
  ['delete from t where a > 1 returning *', 2, 2],
  ['delete from t using (values (1), (2)) p(a) where p.a = t.a', 2, 0],
  ['truncate t', 3, 0],
  [
    'merge into t using (values (3, 1), (4, 2)) s(a, b) on t.a = s.a when matched then update set b = s.b when not matched then insert',
    2,
    0,
  ],
  [
    'merge into t using (values (3, 1), (4, 2)) s(a, b) on t.a = s.a when matched then delete',
    1,
    0,
  ],
  [
    'merge into t using (values (3, 1), (4, 2)) s(a, b) on t.a = s.a when matched then update set b = s.b when not matched then insert returning merge_action, t.a',
    2,
    2,
  ],
  ['create table copied as from t', 3, 0],
  ['create or replace table plain as from t', 3, 0],
  ['create table copied as select range from range(100000)', 100_000, 0],
  ['create table copied as from t where false', 0, 0],
  ['create temp table copied as from t', 3, 0],

  ['from t', undefined, 3],
  ['select 1', undefined, 1],
  ['select count(*) from t', undefined, 1],
  ['values (1), (2)', undefined, 2],
  ['explain update t set b = 0', undefined, 1],
  ['explain analyze update t set b = 0', undefined, 1],
  ['describe t', undefined, 2],
  ['show tables', undefined, 2],
  ["pragma table_info('t')", undefined, 2],
  ['call pragma_version()', undefined, 1],
  ['create table empty (a integer)', undefined, 0],
  ['create table if not exists t as select 1', undefined, 0],
  ['create view v as from t', undefined, 0],
  ['create index i on t (b)', undefined, 0],
  ['create sequence s', undefined, 0],
  ['create macro m() as 1', undefined, 0],
  ["create type mood as enum ('good')", undefined, 0],
  ['alter table plain add column c integer', undefined, 0],
  ['drop table plain', undefined, 0],
  ['set variable x = 1', undefined, 0],
  ['set threads = 2', undefined, 0],
  ['pragma enable_progress_bar', undefined, 0],
  ['prepare p as select 1', undefined, 0],
  ['checkpoint', undefined, 0],
  ['analyze', undefined, 0],
  ['vacuum', undefined, 0],
  ["attach ':memory:' as other", undefined, 0],
  ['use main', undefined, 0],
]

const inTransaction = cases.filter(
  ([sql]) => !/^(checkpoint|vacuum|attach|insert or replace)/.test(sql),
)

test.for(cases)('`%s` changes %s rows, and returns %i', async ([sql, changes, returned]) => {
  const database = await withTables()
  const session = await database.reserve()
  const result = await session.execute(sql)
  expect(result.changes).toBe(changes)
  expect(result.rows).toHaveLength(returned)
  await session.release()
})

test('the same in a transaction, as arrays, and when it runs again', async () => {
  const database = await withTables()
  for (const [sql, changes, returned] of inTransaction) {
    for (let again = 0; again < 2; again++) {
      const undo = new Error('undo')
      const undone = rejection(
        database.transaction(async (tx) => {
          const result = await tx.execute(sql, [], { rows: 'arrays' })
          expect([sql, result.changes, result.rows.length]).toEqual([sql, changes, returned])
          throw undo
        }),
      )
      expect(await undone, sql).toBe(undo)
    }
  }
})

describe('with parameters', () => {
  const parametrised: readonly [sql: string, parameters: unknown[], changes: number][] = [
    ['insert into t values ($1, $2)', [4, 40], 1],
    ['insert into t values ($1, $2) returning a', [4, 40], 1],
    ['insert into t values ($1, $2) on conflict do nothing', [3, 0], 0],
    ['insert into t values ($1, $2) on conflict do nothing returning a', [3, 0], 0],
    ['insert into t values ($1, $2) on conflict do update set b = $2', [3, 0], 1],
    ['insert into t select range + $1, 0 from range(3000)', [10], 3_000],
    ['update t set b = $1', [0], 3],
    ['delete from t where a >= $1', [2], 2],
    ['delete from t where a >= $1 returning a', [2], 2],
    ['create table copied as from t where a > $1', [1], 2],
  ]
  test.for(parametrised)('`%s` with %j changes %i rows', async ([sql, parameters, changes]) => {
    const database = await withTables()
    for (let again = 0; again < 3; again++) {
      const undo = new Error('undo')
      const undone = rejection(
        database.transaction(async (tx) => {
          const result = await tx.execute(sql, parameters)
          expect(result.changes).toBe(changes)
          throw undo
        }),
      )
      expect(await undone).toBe(undo)
    }
    expect((await database.execute(sql, parameters)).changes).toBe(changes)
  })
})

test('EXECUTE counts what the statement that was prepared changes', async () => {
  const database = await withTables()
  const session = await database.reserve()
  await run(
    session,
    'prepare adding as insert into plain select range from range($1)',
    'prepare removing as delete from plain where a >= $1',
    'prepare reading as select a from plain where a >= $1',
  )
  expect((await session.execute('execute adding(10)')).changes).toBe(10)
  expect((await session.execute('execute removing(7)')).changes).toBe(3)
  expect(await session.execute('execute reading(5)')).toMatchObject({
    rows: [{ a: 5 }, { a: 6 }],
    changes: undefined,
  })
  await session.release()
})

test('COPY counts the rows that it writes or reads', async () => {
  const database = await withTables()
  const directory = temporaryDirectory()
  const [csv, parquet] = [join(directory, 't.csv'), join(directory, 't.parquet')]
  expect((await database.execute(`copy t to '${csv}'`)).changes).toBe(3)
  expect((await database.execute(`copy (from t where a > 1) to '${parquet}'`)).changes).toBe(2)
  const files = await database.execute(`copy t to '${directory}/f.parquet' (return_files)`)
  expect(files).toMatchObject({ changes: 3, rows: [{ Count: 3 }] })
  const stats = await database.execute(`copy t to '${directory}/s.parquet' (return_stats)`)
  expect(stats.changes).toBe(3)
  const parted = `copy t to '${directory}/parts' (format parquet, partition_by (a), return_stats)`
  const parts = await database.execute(parted)
  expect(parts.rows).toHaveLength(3)
  expect(parts.changes).toBe(3)
  await run(database, 'delete from t')
  expect((await database.execute(`copy t from '${csv}'`)).changes).toBe(3)
})

test('what is undone was counted, and is gone', async () => {
  const database = await withTables()
  const session = database.connect()
  await session.begin()
  expect((await session.execute('delete from t')).changes).toBe(3)
  await session.rollback()
  expect(await column(database, 'select a from t order by a')).toEqual([1, 2, 3])
})
