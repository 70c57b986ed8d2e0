import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import { openDuckDB } from '@keelson/duckdb'
import { drizzle, KeelsonDuckDBDatabase } from '@keelson/duckdb/drizzle'
import { entityKind, eq, is, sql } from 'drizzle-orm'
import { drizzle as nodePostgresDrizzle } from 'drizzle-orm/node-postgres'
import { PgDatabase } from 'drizzle-orm/pg-core'
import { expect, onTestFinished, test } from 'vitest'
import { closeAfterTest, rejection, schema, temporaryFile, users } from './fixture.ts'

const one = sql<number>`select 1 as one`

test('opens a path with the first query, closes it with $client.close(), and refuses queries from then on', async () => {
  const path = temporaryFile()
  const db = drizzle(path)
  expect(existsSync(path)).toBe(false)
  expect((await db.execute(one)).rows).toEqual([{ one: 1 }])
  expect(existsSync(path)).toBe(true)
  expect(db.$client.path).toBe(path)

  await db.$client.close()
  for (const query of [
    () => db.execute(one),
    () => db.select().from(users),
    () => db.transaction(async () => {}),
  ]) {
    expect(await rejection(query())).toMatchObject({ code: 'DATABASE_CLOSED' })
  }
})

test('closes a database that was never used', async () => {
  const path = temporaryFile()
  const db = drizzle(path)
  expect(await db.$client.close()).toEqual({ forced: [] })
  expect(existsSync(path)).toBe(false)
})

test('opens a file URL, a connection path and connection options', async () => {
  const path = temporaryFile()
  for (const db of [
    drizzle(pathToFileURL(path)),
    drizzle({ connection: path }),
    drizzle({ connection: pathToFileURL(path) }),
    drizzle({ connection: { path, int64: 'bigint' } }),
  ]) {
    closeAfterTest(db)
    expect(db.$client.path).toBe(path)
    expect((await db.execute(one)).rows).toEqual([{ one: 1 }])
  }
})

test('works on a database of openDuckDB(), first or as client, and leaves it as it is', async () => {
  const database = await openDuckDB({ path: ':memory:' })
  onTestFinished(() => database.close().then(() => {}))
  const first = drizzle(database)
  const second = drizzle({ client: database, schema })
  await first.execute(
    sql`create table users (id integer primary key, name text, is_admin boolean, joined_at timestamp)`,
  )
  expect(await second.query.users.findMany()).toEqual([])
  expect(first.$client).toBe(database)
  expect(second.$client).toBe(database)
})

test('works on a DuckDBInstance, first or as client, and never closes it', async () => {
  const instance = await DuckDBInstance.create(':memory:')
  onTestFinished(() => instance.closeSync())
  for (const db of [drizzle(instance), drizzle({ client: instance })]) {
    expect((await db.execute(one)).rows).toEqual([{ one: 1 }])
    await db.$client.close()
  }
  const connection = await instance.connect()
  expect(await (await connection.run('select 1')).getRows()).toEqual([[1]])
  connection.closeSync()
})

test('reports a path that cannot be opened with the first query', async () => {
  const db = drizzle(`${temporaryFile()}/nowhere/app.duckdb`)
  closeAfterTest(db)
  for (const query of [
    () => db.execute(one),
    () => db.$count(users),
    () => db.transaction(async () => {}),
  ]) {
    expect(await rejection(query())).toMatchObject({
      name: 'DuckDBOpenError',
      code: 'DIRECTORY_MISSING',
    })
  }
})

test('refuses unknown options before it opens anything', () => {
  const path = temporaryFile()
  expect(() => drizzle(path, { path, loger: true } as object)).toThrow(
    expect.objectContaining({ code: 'UNKNOWN_OPTION' }),
  )
  expect(() => drizzle(path, { loger: true } as object)).toThrow(
    'drizzle() has no option `loger`. Did you mean `logger`?',
  )
  expect(() => drizzle({ connection: path, mode: 'default' } as never)).toThrow('no option `mode`')
  expect(() => drizzle({ connection: { path, queryTimeout: 1 } } as never)).toThrow(
    'Did you mean `queryTimeoutMs`?',
  )
  expect(existsSync(path)).toBe(false)
})

test('refuses impossible options before it opens anything', () => {
  const path = temporaryFile()
  const refused: [object, string][] = [
    [{ casing: 'kebab-case' }, 'cannot use "kebab-case" as `casing`'],
    [{ logger: 'yes' }, 'cannot use "yes" as `logger`'],
    [{ logger: {} }, 'cannot use an object as `logger`'],
    [{ logger: null }, 'cannot use null as `logger`'],
    [{ cache: {} }, 'cannot use an object as `cache`'],
    [{ schema: 'users' }, 'cannot use "users" as `schema`'],
  ]
  for (const [config, message] of refused) {
    expect(() => drizzle(path, config)).toThrow(message)
    expect(() => drizzle({ connection: path, ...config } as never)).toThrow(message)
    expect(() => drizzle.mock(config)).toThrow(message)
  }
  expect(() => drizzle(path, true as never)).toThrow('cannot use true as `config`')
  expect(existsSync(path)).toBe(false)
})

test('refuses anything that is not one database', async () => {
  const instance = await DuckDBInstance.create(':memory:')
  onTestFinished(() => instance.closeSync())
  expect(() => drizzle(undefined as never)).toThrow('cannot use undefined as `source`')
  expect(() => drizzle(42 as never)).toThrow('cannot use 42 as `source`')
  expect(() => drizzle({} as never)).toThrow(
    'takes one of `client` and `connection`, and got neither',
  )
  expect(() => drizzle({ client: instance, connection: 'a.duckdb' } as never)).toThrow(
    'and got both',
  )
  expect(() => drizzle({ client: 'a.duckdb' } as never)).toThrow(
    'cannot use "a.duckdb" as `client`. It takes a database made by openDuckDB() or a DuckDBInstance.',
  )
  expect(() => drizzle({ client: {} } as never)).toThrow('cannot use an object as `client`')
  expect(() => drizzle({ connection: 42 } as never)).toThrow('cannot use 42 as `connection`')
  expect(() => drizzle({ connection: 'a.duckdb' } as never, { schema })).toThrow(
    'got two configurations',
  )
})

test('takes options that are undefined as left out', async () => {
  const config = { schema: undefined, casing: undefined, logger: undefined, cache: undefined }
  const db = drizzle(':memory:', config as object)
  closeAfterTest(db)
  expect((await db.execute(one)).rows).toEqual([{ one: 1 }])
})

test('mock() builds queries and runs none', async () => {
  const db = drizzle.mock({ schema, casing: 'snake_case' })
  expect(db.$client).toBe('$client is not available on drizzle.mock()')
  expect(db.select().from(users).where(eq(users.id, 1)).toSQL()).toEqual({
    sql: 'select "id", "name", "is_admin", "joined_at" from "users" where "users"."id" = $1',
    params: [1],
  })
  expect(db.query.users.findMany().toSQL().sql).toContain('from "users"')
  for (const query of [
    () => db.select().from(users),
    () => db.execute(one),
    () => db.$count(users),
    () => db.query.users.findFirst(),
    () => db.transaction(async () => {}),
  ]) {
    expect(await rejection(query())).toMatchObject({ code: 'MOCK_DATABASE' })
  }
})

test('is one of Drizzle’s databases, and not the one of another driver', () => {
  const db = drizzle.mock()
  expect(is(db, PgDatabase)).toBe(true)
  expect(is(db, KeelsonDuckDBDatabase)).toBe(true)
  expect(is(nodePostgresDrizzle.mock(), KeelsonDuckDBDatabase)).toBe(false)
  expect(KeelsonDuckDBDatabase[entityKind]).toBe('KeelsonDuckDBDatabase')
})
