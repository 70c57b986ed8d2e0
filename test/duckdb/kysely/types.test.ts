import { openDuckDB, type DuckDBDatabase } from '@keelson/duckdb'
import { DuckDBDialect, introspect, type DuckDBDialectConfig } from '@keelson/duckdb/kysely'
import type { Catalogue } from '@keelson/core'
import { DuckDBInstance } from '@duckdb/node-api'
import { Kysely, type Dialect, type Transaction } from 'kysely'
import { expectTypeOf, test } from 'vitest'
import type { Schema } from './fixture.ts'

test('rows have the types of the schema, as with any dialect', () => {
  const db = new Kysely<Schema>({ dialect: new DuckDBDialect({ path: ':memory:' }) })
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

test('the config takes every option of openDuckDB() and every kind of database', () => {
  expectTypeOf(DuckDBDialect).toBeConstructibleWith({
    path: 'app.duckdb',
    int64: 'bigint',
    threads: 2,
    pool: { max: 4 },
    migrationLockTimeoutMs: 1,
  })
  expectTypeOf(DuckDBDialect).instance.toExtend<Dialect>()
  expectTypeOf<DuckDBDatabase>().toExtend<DuckDBDialectConfig['database']>()
  expectTypeOf<DuckDBInstance>().toExtend<DuckDBDialectConfig['instance']>()
  const ours = () => openDuckDB(':memory:')
  const theirs = () => DuckDBInstance.create(':memory:')
  expectTypeOf(ours).toExtend<DuckDBDialectConfig['database']>()
  expectTypeOf(theirs).toExtend<DuckDBDialectConfig['database']>()
  // @ts-expect-error: misspelled
  void ({ path: 'app.duckdb', memoryLimt: 1 } satisfies DuckDBDialectConfig)
  // @ts-expect-error: a number, in milliseconds
  expectTypeOf(DuckDBDialect).toBeConstructibleWith({ path: 'app.duckdb', queryTimeoutMs: '5s' })
  // @ts-expect-error: a path is no database
  expectTypeOf(DuckDBDialect).toBeConstructibleWith({ database: 'app.duckdb' })
})

test('introspect() takes any Kysely or transaction', () => {
  expectTypeOf(introspect).toBeCallableWith({} as Kysely<Schema>, { tables: ['person'] })
  expectTypeOf(introspect).toBeCallableWith({} as Transaction<Schema>)
  expectTypeOf(introspect).returns.resolves.toEqualTypeOf<Catalogue>()
})
