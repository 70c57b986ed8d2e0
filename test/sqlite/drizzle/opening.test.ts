import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { openSqlite } from '@keelson/sqlite'
import { drizzle } from '@keelson/sqlite/drizzle'
import BetterSqlite3 from 'better-sqlite3'
import { eq, sql } from 'drizzle-orm'
import { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import { entityKind, is } from 'drizzle-orm'
import { expect, onTestFinished, test } from 'vitest'
import { KeelsonSqliteDatabase } from '@keelson/sqlite/drizzle'
import { rejection, schema, temporaryFile, users } from './fixture.ts'

const one = sql<number>`select 1 as one`

test('opens a path, closes it with $client.close(), and refuses queries from then on', async () => {
  const path = temporaryFile()
  const db = drizzle(path)
  expect(await db.get(one)).toEqual({ one: 1 })
  expect(db.$client.path).toBe(path)

  await db.$client.close()
  expect(await rejection(db.get(one))).toMatchObject({ code: 'DATABASE_CLOSED' })
})

test('opens a file URL, a connection path and connection options', async () => {
  const path = temporaryFile()
  for (const db of [
    drizzle(pathToFileURL(path)),
    drizzle({ connection: path }),
    drizzle({ connection: pathToFileURL(path) }),
    drizzle({ connection: { path, int64: 'bigint' } }),
  ]) {
    onTestFinished(() => db.$client.close().then(() => {}))
    expect(db.$client.path).toBe(path)
    expect(Number((await db.get<{ one: number }>(one)).one)).toBe(1)
  }
})

test('works on a database of openSqlite(), first or as client, and leaves it as it is', async () => {
  const database = openSqlite({ path: ':memory:' })
  onTestFinished(() => database.close().then(() => {}))
  const first = drizzle(database)
  const second = drizzle({ client: database, schema })
  await first.run(
    sql`create table users (id integer primary key, name text, is_admin integer, joined_at integer)`,
  )
  expect(await second.query.users.findMany()).toEqual([])
  expect(first.$client).toBe(database)
  expect(second.$client).toBe(database)
})

test('adopts a better-sqlite3 database and never closes it', async () => {
  const raw = new BetterSqlite3(':memory:')
  const db = drizzle(raw)
  const again = drizzle({ client: raw })
  expect(again.$client).toBe(db.$client)
  expect(await db.get(one)).toEqual({ one: 1 })
  await db.$client.close()
  expect(raw.open).toBe(true)
  raw.close()
})

test('refuses unknown options before it opens anything', () => {
  const path = temporaryFile()
  const unknown = { path, loger: true } as object
  expect(() => drizzle(path, unknown)).toThrow(expect.objectContaining({ code: 'UNKNOWN_OPTION' }))
  expect(() => drizzle(path, { loger: true } as object)).toThrow(
    'drizzle() has no option `loger`. Did you mean `logger`?',
  )
  expect(() => drizzle({ connection: path, mode: 'default' } as never)).toThrow('no option `mode`')
  expect(() => drizzle({ connection: { path, busyTimeout: 1 } } as never)).toThrow(
    'Did you mean `busyTimeoutMs`?',
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

test('refuses anything that is not one database', () => {
  const raw = new BetterSqlite3(':memory:')
  expect(() => drizzle(undefined as never)).toThrow('cannot use undefined as `source`')
  expect(() => drizzle(42 as never)).toThrow('cannot use 42 as `source`')
  expect(() => drizzle({} as never)).toThrow(
    'takes one of `client` and `connection`, and got neither',
  )
  expect(() => drizzle({ client: raw, connection: 'a.db' } as never)).toThrow('and got both')
  expect(() => drizzle({ client: 'a.db' } as never)).toThrow('cannot use "a.db" as `client`')
  expect(() => drizzle({ client: {} } as never)).toThrow('cannot use an object as `client`')
  expect(() => drizzle({ connection: 42 } as never)).toThrow('cannot use 42 as `connection`')
  expect(() => drizzle({ connection: 'a.db' } as never, { schema })).toThrow(
    'got two configurations',
  )
  raw.close()
})

test('takes options that are undefined as left out', async () => {
  const config = { schema: undefined, casing: undefined, logger: undefined, cache: undefined }
  const db = drizzle(':memory:', config as object)
  onTestFinished(() => db.$client.close().then(() => {}))
  expect(await db.get(one)).toEqual({ one: 1 })
})

test('mock() builds queries and runs none', async () => {
  const db = drizzle.mock({ schema, casing: 'snake_case' })
  expect(db.$client).toBe('$client is not available on drizzle.mock()')
  expect(db.select().from(users).where(eq(users.id, 1)).toSQL()).toEqual({
    sql: 'select "id", "name", "is_admin", "joined_at" from "users" where "users"."id" = ?',
    params: [1],
  })
  expect(db.query.users.findMany().toSQL().sql).toContain('from "users"')
  for (const query of [
    db.select().from(users),
    db.run(one),
    db.transaction(async () => {}),
    db.batch([db.all(one)]),
  ]) {
    expect(await rejection(query)).toMatchObject({ code: 'MOCK_DATABASE' })
  }
})

test('is one of Drizzle’s databases, and not the one of another driver', () => {
  const db = drizzle.mock()
  expect(is(db, BaseSQLiteDatabase)).toBe(true)
  expect(is(db, KeelsonSqliteDatabase)).toBe(true)
  expect(is(betterSqlite3Drizzle.mock(), KeelsonSqliteDatabase)).toBe(false)
  expect(KeelsonSqliteDatabase[entityKind]).toBe('KeelsonSqliteDatabase')
})
