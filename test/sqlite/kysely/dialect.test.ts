import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { openSqlite } from '@keelson/sqlite'
import { SqliteDialect, type SqliteDialectConfig } from '@keelson/sqlite/kysely'
import Database from 'better-sqlite3'
import { CompiledQuery, Kysely, sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { createTables, kysely, names, rejection, temporaryFile, type Schema } from './fixture.ts'

test('opens the file with the first query and not before', async () => {
  const path = temporaryFile()
  const db = kysely({ path })
  expect(existsSync(path)).toBe(false)
  await createTables(db)
  expect(existsSync(path)).toBe(true)
})

test('takes every option of openSqlite()', async () => {
  const path = temporaryFile()
  const directory = dirname(path)
  const db = kysely({
    path: 'test.db',
    directory,
    pragmas: { cache_size: -4000 },
    foreignKeys: false,
    int64: 'bigint',
  })
  const { rows } =
    await sql`select cache_size, foreign_keys, typeof(cache_size) as type from pragma_cache_size, pragma_foreign_keys`.execute(
      db,
    )
  expect(rows).toEqual([{ cache_size: -4000n, foreign_keys: 0n, type: 'integer' }])
})

test('copies its config, so that changing it later changes nothing', async () => {
  const pragmas = { cache_size: -4000 }
  const config = { path: temporaryFile(), pragmas }
  const db = new Kysely<Schema>({ dialect: new SqliteDialect(config) })
  onTestFinished(() => db.destroy())
  config.path = '/nowhere/at/all.db'
  pragmas.cache_size = -1
  const { rows } = await sql`select cache_size from pragma_cache_size`.execute(db)
  expect(rows).toEqual([{ cache_size: -4000 }])
})

test('refuses unknown options and impossible values before anything is opened', () => {
  const refusal = (config: object): string => {
    try {
      new SqliteDialect(config as SqliteDialectConfig)
    } catch (error) {
      return `${(error as { code: string }).code}: ${(error as Error).message}`
    }
    return 'accepted'
  }
  expect(refusal({ path: 'a.db', bussyTimeoutMs: 1 })).toMatch(
    /^UNKNOWN_OPTION: new SqliteDialect\(\) has no option `bussyTimeoutMs`\. Did you mean `busyTimeoutMs`\?/,
  )
  expect(refusal({ path: 'a.db', busyTimeoutMs: -1 })).toMatch(
    /^INVALID_OPTION: .*-1 as `busyTimeoutMs`/,
  )
  expect(refusal({ path: 'a.db', onCreateConnection: true })).toMatch(
    /^INVALID_OPTION: .*`onCreateConnection`. It takes a function/,
  )
  expect(refusal({})).toMatch(
    /^INVALID_OPTION: new SqliteDialect\(\) has no database to work on\. Give it `path`.* or `database`/,
  )
  expect(refusal({ path: 'a.db', database: async () => openSqlite(':memory:') })).toMatch(
    /^INVALID_OPTION: .*both `path` and `database`/,
  )
  expect(refusal({ database: 'a.db' })).toMatch(
    /^INVALID_OPTION: .*"a.db" as `database`\. It takes a database made by openSqlite\(\)/,
  )
  expect(refusal({ database: null })).toMatch(/^INVALID_OPTION: .*null as `database`/)
})

test('refuses options beside a database that was opened with its own', async () => {
  const database = openSqlite(':memory:')
  onTestFinished(() => void database.close())
  expect(() => new SqliteDialect({ database, int64: 'bigint' })).toThrow(
    'new SqliteDialect() cannot set `int64` on a database that is open already. Give the option to openSqlite().',
  )
  const late = kysely({ database: async () => database, int64: 'bigint' })
  await expect(sql`select 1`.execute(late)).rejects.toThrow('cannot set `int64`')
})

test('closes what it opened, and opens nothing when it is destroyed unused', async () => {
  const path = temporaryFile()
  const unused = kysely({ path })
  await unused.destroy()
  expect(existsSync(path)).toBe(false)

  const db = kysely({ path })
  await createTables(db)
  await db.destroy()
  // The last connection to close removes the log.
  expect(existsSync(`${path}-wal`)).toBe(false)
  await expect(names(db)).rejects.toThrow('driver has already been destroyed')
})

test('never closes a database that was handed in, also when a function returned it', async () => {
  const raw = new Database(temporaryFile())
  onTestFinished(() => void raw.close())
  const database = openSqlite(temporaryFile())
  onTestFinished(() => void database.close())
  for (const handedIn of [raw, async () => raw, database, async () => database]) {
    const db = kysely({ database: handedIn })
    await sql`select 1`.execute(db)
    await db.destroy()
  }
  expect(raw.open).toBe(true)
  expect(database.isOpen).toBe(true)
})

test('uses a better-sqlite3 database with options of how it is used', async () => {
  const raw = new Database(temporaryFile())
  onTestFinished(() => void raw.close())
  const db = kysely({ database: async () => raw, int64: 'string' })
  const { rows } = await sql`select 9007199254740993 as big`.execute(db)
  expect(rows).toEqual([{ big: '9007199254740993' }])
})

test('shares one openSqlite() database with its other users', async () => {
  const database = openSqlite(temporaryFile())
  onTestFinished(() => void database.close())
  const db = kysely({ database })
  await createTables(db)
  await db.insertInto('person').values({ name: 'Ada' }).execute()
  expect((await database.execute('select name from person')).rows).toEqual([{ name: 'Ada' }])
})

test('calls the function once, with the first query, and again after a failure', async () => {
  const database = openSqlite(temporaryFile())
  onTestFinished(() => void database.close())
  let calls = 0
  const db = kysely({
    database: async () => {
      if (++calls === 1) throw new Error('not yet')
      return database
    },
  })
  expect(calls).toBe(0)
  await expect(sql`select 1`.execute(db)).rejects.toThrow('not yet')
  await Promise.all([sql`select 1`.execute(db), sql`select 2`.execute(db)])
  expect(calls).toBe(2)
})

test('S11: a query works after one whose connection could not be opened', async () => {
  const path = temporaryFile(join('missing', 'test.db'))
  const db = kysely({ path })
  const failures = await Promise.allSettled([sql`select 1`.execute(db), sql`select 2`.execute(db)])
  expect(failures.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  mkdirSync(dirname(path))
  expect((await sql`select 3 as three`.execute(db)).rows).toEqual([{ three: 3 }])
})

test('one dialect serves several Kysely instances, each with a database of its own', async () => {
  const dialect = new SqliteDialect({ path: ':memory:' })
  const [first, second] = [new Kysely<Schema>({ dialect }), new Kysely<Schema>({ dialect })]
  onTestFinished(() => second.destroy())
  await createTables(first)
  await expect(names(second)).rejects.toThrow('no such table: person')
  await first.destroy()
  await createTables(second)
  expect(await names(second)).toEqual([])
})

test('calls onCreateConnection once, before the first query runs', async () => {
  let calls = 0
  const db = kysely<{ seen: { id: number } }>({
    path: temporaryFile(),
    onCreateConnection: async (connection) => {
      calls++
      await connection.executeQuery(CompiledQuery.raw('create table seen (id integer)'))
    },
  })
  expect(await db.selectFrom('seen').selectAll().execute()).toEqual([])
  await db.selectFrom('seen').selectAll().execute()
  expect(calls).toBe(1)
})

test('closes the database when onCreateConnection fails, and tries again with the next query', async () => {
  const path = temporaryFile()
  let calls = 0
  const db = kysely({
    path,
    onCreateConnection: async (connection) => {
      await connection.executeQuery(
        CompiledQuery.raw('create table if not exists seen (id integer)'),
      )
      if (++calls === 1) throw new Error('not ready')
    },
  })
  const error = await rejection(sql`select 1`.execute(db))
  expect(error.message).toBe('not ready')
  expect(existsSync(`${path}-wal`)).toBe(false)
  expect((await sql`select count(*) as n from seen`.execute(db)).rows).toEqual([{ n: 0 }])
})

test('works under plugins, schemas and a second Kysely on the same instance', async () => {
  const db = kysely()
  await createTables(db)
  await db.withSchema('main').insertInto('person').values({ name: 'Ada' }).execute()
  expect(await names(db.withoutPlugins())).toEqual(['Ada'])
})

test.each(['app.db', null])('a config that is %o is refused with the way to write it', (config) => {
  expect(() => new SqliteDialect(config as never)).toThrow(
    "It takes an object, such as { path: 'app.db' }",
  )
})
