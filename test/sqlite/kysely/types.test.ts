import { openSqlite, type SqliteDatabase } from '@keelson/sqlite'
import { introspect, SqliteDialect, type SqliteDialectConfig } from '@keelson/sqlite/kysely'
import type { Catalogue } from '@keelson/core'
import Database from 'better-sqlite3'
import { Kysely, type Dialect, type Transaction } from 'kysely'
import { expectTypeOf, test } from 'vitest'
import type { Schema } from './fixture.ts'

test('rows have the types of the schema, as with any dialect', () => {
  const db = new Kysely<Schema>({ dialect: new SqliteDialect({ path: ':memory:' }) })
  expectTypeOf(db).toEqualTypeOf<Kysely<Schema>>()
  const select = db.selectFrom('person').select(['id', 'age'])
  expectTypeOf<Awaited<ReturnType<typeof select.execute>>>().toEqualTypeOf<
    { id: number; age: number | null }[]
  >()
  const insert = db.insertInto('person').values({ name: 'Ada' }).returningAll()
  expectTypeOf<Awaited<ReturnType<typeof insert.executeTakeFirstOrThrow>>>().toEqualTypeOf<{
    id: number
    name: string
    age: number | null
  }>()
  expectTypeOf<
    Parameters<Parameters<ReturnType<typeof db.transaction>['execute']>[0]>[0]
  >().toEqualTypeOf<Transaction<Schema>>()
  // @ts-expect-error: no such table
  db.selectFrom('people')
})

test('the config takes every option of openSqlite() and every kind of database', () => {
  expectTypeOf(SqliteDialect).toBeConstructibleWith({
    path: 'app.db',
    int64: 'bigint',
    busyTimeoutMs: 1,
  })
  expectTypeOf(SqliteDialect).instance.toExtend<Dialect>()
  expectTypeOf<SqliteDatabase>().toExtend<SqliteDialectConfig['database']>()
  expectTypeOf<Database.Database>().toExtend<SqliteDialectConfig['database']>()
  const ours = async () => openSqlite(':memory:')
  const theirs = async () => new Database(':memory:')
  expectTypeOf(ours).toExtend<SqliteDialectConfig['database']>()
  expectTypeOf(theirs).toExtend<SqliteDialectConfig['database']>()
  // @ts-expect-error: misspelled
  void ({ path: 'app.db', bussyTimeoutMs: 1 } satisfies SqliteDialectConfig)
  // @ts-expect-error: a number, in milliseconds
  expectTypeOf(SqliteDialect).toBeConstructibleWith({ path: 'app.db', busyTimeoutMs: '5s' })
  // @ts-expect-error: a path is no database
  expectTypeOf(SqliteDialect).toBeConstructibleWith({ database: 'app.db' })
})

test('introspect() takes any Kysely or transaction', () => {
  expectTypeOf(introspect).toBeCallableWith({} as Kysely<Schema>, { tables: ['person'] })
  expectTypeOf(introspect).toBeCallableWith({} as Transaction<Schema>)
  expectTypeOf(introspect).returns.resolves.toEqualTypeOf<Catalogue>()
})
