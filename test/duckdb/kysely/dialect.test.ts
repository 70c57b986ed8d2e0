import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { openDuckDB } from '@keelson/duckdb'
import { DuckDBDialect, type DuckDBDialectConfig } from '@keelson/duckdb/kysely'
import { DuckDBInstance } from '@duckdb/node-api'
import { Kysely, sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { temporaryFile } from '../../support/temporary-directory.ts'
import { open } from '../fixture.ts'
import { createTables, file, kysely, kyselyWithTables, names, type Schema } from './fixture.ts'

test('opens the file with the first query and not before', async () => {
  const path = file()
  const db = kysely({ path })
  expect(existsSync(path)).toBe(false)
  await createTables(db)
  expect(existsSync(path)).toBe(true)
})

test('takes every option of openDuckDB()', async () => {
  const db = kysely({
    path: file(),
    threads: 1,
    memoryLimit: '1GB',
    settings: { default_order: 'DESC' },
    int64: 'bigint',
    pool: { max: 2 },
  })
  const { rows } =
    await sql`select current_setting('threads') as threads, current_setting('default_order') as "order"`.execute(
      db,
    )
  expect(rows).toEqual([{ threads: 1n, order: 'DESC' }])
})

test('copies its config, so that changing it later changes nothing', async () => {
  const settings = { default_order: 'DESC' }
  const config = { path: file(), settings }
  const db = new Kysely<Schema>({ dialect: new DuckDBDialect(config) })
  onTestFinished(() => db.destroy())
  config.path = '/nowhere/at/all.duckdb'
  settings.default_order = 'nonsense'
  const { rows } = await sql`select current_setting('default_order') as "order"`.execute(db)
  expect(rows).toEqual([{ order: 'DESC' }])
})

test('refuses unknown options and impossible values before anything is opened', async () => {
  const database = await open()
  const refusal = (config: object): string => {
    try {
      new DuckDBDialect(config as DuckDBDialectConfig)
    } catch (error) {
      return `${(error as { code: string }).code}: ${(error as Error).message}`
    }
    return 'accepted'
  }
  expect(refusal({ path: 'a.db', memoryLimt: 1 })).toMatch(
    /^UNKNOWN_OPTION: new DuckDBDialect\(\) has no option `memoryLimt`\. Did you mean `memoryLimit`\?/,
  )
  expect(refusal({ path: 'a.db', threads: -1 })).toMatch(/^INVALID_OPTION: .*-1 as `threads`/)
  expect(refusal({ path: 'a.db', settings: { threads: 1 } })).toMatch(
    /^INVALID_OPTION: .*as its option `threads`/,
  )
  expect(refusal({ path: 'a.db', pool: { maximum: 1 } })).toMatch(/^UNKNOWN_OPTION: .*`maximum`/)
  expect(refusal({ path: 'a\0.db' })).toMatch(/^PATH_INVALID: /)
  for (const migrationLockTimeoutMs of [0, 1.5, '1s', Infinity])
    expect(refusal({ path: 'a.db', migrationLockTimeoutMs })).toMatch(
      /^INVALID_OPTION: .*as `migrationLockTimeoutMs`. It takes a whole number of milliseconds from 1/,
    )
  expect(refusal({})).toMatch(
    /^INVALID_OPTION: new DuckDBDialect\(\) has no database to work on\. Give it `path`.* or `database` or `instance`/,
  )
  expect(refusal({ path: 'a.db', database: async () => database })).toMatch(
    /^INVALID_OPTION: .*both `path` and `database`, .*Leave one of them out/,
  )
  expect(refusal({ path: 'a.db', instance: {} })).toMatch(/both `path` and `instance`/)
  expect(refusal({ instance: {} })).toMatch(/^INVALID_OPTION: .*`instance`. It takes a DuckDBInst/)
  expect(refusal({ database: 'a.db' })).toMatch(
    /^INVALID_OPTION: .*"a.db" as `database`\. It takes a database made by openDuckDB\(\)/,
  )
  expect(refusal({ database: null })).toMatch(/^INVALID_OPTION: .*null as `database`/)
  expect(refusal({ database, migrationLockTimeoutMs: 5 })).toBe('accepted')
})

test('refuses an instance as `database`, and says where it belongs', async () => {
  const instance = await DuckDBInstance.create(':memory:')
  onTestFinished(() => instance.closeSync())
  expect(() => new DuckDBDialect({ database: instance as never })).toThrow(
    'a DuckDBInstance is given as `instance`',
  )
})

test('refuses what a function returned that is no database', async () => {
  for (const returned of [undefined, null, {}]) {
    const db = kysely({ database: (async () => returned) as never })
    const error = await rejection(sql`select 1`.execute(db))
    expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'database' })
  }
})

test('refuses options beside a database that was opened with its own', async () => {
  const database = await open()
  expect(() => new DuckDBDialect({ database, int64: 'bigint' })).toThrow(
    'new DuckDBDialect() cannot set `int64` on a database that is open already. Give the option to openDuckDB().',
  )
  const late = kysely({ database: async () => database, int64: 'bigint' })
  await expect(sql`select 1`.execute(late)).rejects.toThrow('cannot set `int64`')
  const wrong = kysely({ database: (async () => 'a.db') as never })
  await expect(sql`select 1`.execute(wrong)).rejects.toThrow('"a.db" as `database`')
})

test('closes what it opened, and opens nothing when it is destroyed unused', async () => {
  const path = file()
  const unused = kysely({ path })
  await unused.destroy()
  expect(existsSync(path)).toBe(false)

  const db = kysely({ path })
  await createTables(db)
  await db.destroy()
  // Closing writes the WAL into the file.
  expect(existsSync(`${path}.wal`)).toBe(false)
  await expect(names(db)).rejects.toThrow('driver has already been destroyed')
})

test('never closes a database or instance that was handed in, also when a function returned it', async () => {
  const instance = await DuckDBInstance.create(':memory:')
  onTestFinished(() => instance.closeSync())
  const database = await open()
  const configs: DuckDBDialectConfig[] = [
    { instance },
    { database: async () => instance },
    { database },
    { database: async () => database },
  ]
  for (const config of configs) {
    const db = kysely(config)
    await sql`select 1`.execute(db)
    await db.destroy()
  }
  expect(database.isOpen).toBe(true)
  const connection = await instance.connect()
  connection.closeSync()
})

test('uses an instance with options of how it is used, and refuses those of how it is opened', async () => {
  const instance = await DuckDBInstance.create(':memory:')
  onTestFinished(() => instance.closeSync())
  for (const config of [{ instance }, { database: async () => instance }]) {
    const db = kysely({ ...config, int64: 'string' })
    const { rows } = await sql`select 9007199254740993 as big`.execute(db)
    expect(rows).toEqual([{ big: '9007199254740993' }])
    const late = kysely({ ...config, threads: 1 })
    await expect(sql`select 1`.execute(late)).rejects.toThrow('`threads` on an instance')
  }
})

test('shares one openDuckDB() database with its other users', async () => {
  const database = await open()
  const db = kysely({ database })
  await createTables(db)
  await db.insertInto('person').values({ name: 'Ada' }).execute()
  expect((await database.execute('select name from person')).rows).toEqual([{ name: 'Ada' }])
})

test('calls the function once, with the first query, and again after a failure', async () => {
  const database = await open()
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

test('S11: a query works after one whose file could not be opened', async () => {
  const path = temporaryFile(join('missing', 'test.duckdb'))
  const db = kysely({ path })
  const failures = await Promise.allSettled([sql`select 1`.execute(db), sql`select 2`.execute(db)])
  expect(failures).toMatchObject([
    { status: 'rejected', reason: { code: 'DIRECTORY_MISSING' } },
    { status: 'rejected' },
  ])
  mkdirSync(dirname(path))
  expect((await sql`select 3 as three`.execute(db)).rows).toEqual([{ three: 3 }])
})

test('S11: a query works after one that got no connection in time', async () => {
  const db = await kyselyWithTables({ path: file(), pool: { max: 1, acquireTimeoutMs: 300 } })
  await db.transaction().execute(async (trx) => {
    await trx.insertInto('person').values({ name: 'Ada' }).execute()
    const error = await rejection(names(db))
    expect(error.name).toBe('PoolAcquireTimeoutError')
  })
  expect(await names(db)).toEqual(['Ada'])
})

test('one dialect serves several Kysely instances, each in memory with a database of its own', async () => {
  const dialect = new DuckDBDialect({ path: ':memory:' })
  const [first, second] = [new Kysely<Schema>({ dialect }), new Kysely<Schema>({ dialect })]
  onTestFinished(() => second.destroy())
  await createTables(first)
  await expect(names(second)).rejects.toThrow('Table with name person does not exist')
  await first.destroy()
  await createTables(second)
  expect(await names(second)).toEqual([])
})

test('several Kysely instances of one file share it, whatever path leads to it', async () => {
  const path = file()
  const link = join(dirname(path), 'link.duckdb')
  const first = await kyselyWithTables({ path })
  symlinkSync(path, link)
  const second = kysely({ path: link })
  await first.insertInto('person').values({ name: 'Ada' }).execute()
  await second.insertInto('person').values({ name: 'Alan' }).execute()
  expect(await names(first)).toEqual(['Ada', 'Alan'])
  await first.destroy()
  expect(await names(second)).toEqual(['Ada', 'Alan'])
})

test('works under plugins and schemas', async () => {
  const db = await kyselyWithTables()
  await db.withSchema('main').insertInto('person').values({ name: 'Ada' }).execute()
  expect(await names(db.withoutPlugins())).toEqual(['Ada'])
  await db.schema.createSchema('other').execute()
  await db.withSchema('other').schema.createTable('person').addColumn('id', 'integer').execute()
  expect(await db.withSchema('other').selectFrom('person').selectAll().execute()).toEqual([])
})

test('what lives on a connection is there in db.connection(), gone after it, and refused elsewhere', async () => {
  const db = await kyselyWithTables({ path: file(), pool: { max: 3 } })
  const create = sql`create temp table scratch as select 1 as n`
  const refused = await rejection(create.execute(db))
  expect(refused).toMatchObject({ code: 'SESSION_STATE' })
  expect(refused.message).toContain('Kysely: `db.connection()`')

  await db.connection().execute(async (connection) => {
    await create.execute(connection)
    await sql`set variable answer = 42`.execute(connection)
    await sql`prepare twice as select $1 * 2 as n`.execute(connection)
    await Promise.all([names(db), names(db), names(db)])
    await connection
      .transaction()
      .execute((trx) => sql`insert into scratch values (2)`.execute(trx))
    const read = sql`select n, getvariable('answer') as answer from scratch order by n`
    expect((await read.execute(connection)).rows).toEqual([
      { n: 1, answer: 42 },
      { n: 2, answer: 42 },
    ])
    expect((await sql`execute twice(4)`.execute(connection)).rows).toEqual([{ n: 8 }])
  })
  await db.connection().execute(async (connection) => {
    await expect(sql`select * from scratch`.execute(connection)).rejects.toThrow('scratch')
  })
  await db.transaction().execute(async (trx) => {
    await create.execute(trx)
    expect((await sql`select n from scratch`.execute(trx)).rows).toEqual([{ n: 1 }])
  })
})

test('db.connection() takes a connection with its first statement, and gives it back', async () => {
  const database = await open({ path: file(), pool: { max: 1 } })
  const db = kysely({ database })
  await db.connection().execute(async (connection) => {
    await sql`select 1`.execute(db)
    await sql`select 1`.execute(connection)
    expect(database.poolStats).toMatchObject({ inUse: 1, waiting: 0 })
  })
  expect(database.poolStats).toMatchObject({ inUse: 0, waiting: 0 })
  await db.connection().execute(async () => {})
  const reason = new Error('not now')
  await db.transaction().execute(async () => {
    const controller = new AbortController()
    const waiting = rejection(
      db
        .connection()
        .execute((connection) => sql`select 1`.execute(connection, { signal: controller.signal })),
    )
    setTimeout(() => controller.abort(reason), 20)
    expect(await waiting).toBe(reason)
  })
  expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }])
})

test('a database that was closed by its owner is told by every query', async () => {
  const database = await openDuckDB(':memory:')
  const db = kysely({ database })
  await sql`select 1`.execute(db)
  await database.close()
  await expect(sql`select 1`.execute(db)).rejects.toMatchObject({ code: 'DATABASE_CLOSED' })
  await expect(db.transaction().execute(async () => {})).rejects.toMatchObject({
    code: 'DATABASE_CLOSED',
  })
})

test.each(['app.duckdb', null])(
  'a config that is %o is refused with the way to write it',
  (config) => {
    expect(() => new DuckDBDialect(config as never)).toThrow(
      "It takes an object, such as { path: 'app.duckdb' }",
    )
  },
)
