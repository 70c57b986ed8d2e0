import { bulkInsert, createWriteBuffer } from '@keelson/bulk-insert/drizzle'
import { sql } from 'drizzle-orm'
import { drizzle as betterSqlite3Drizzle } from 'drizzle-orm/better-sqlite3'
import { drizzle as duckdbDrizzle } from '@keelson/duckdb/drizzle'
import { drizzle as sqliteDrizzle } from '@keelson/sqlite/drizzle'
import BetterSqlite3 from 'better-sqlite3'
import * as lite from 'drizzle-orm/sqlite-core'
import * as pg from 'drizzle-orm/pg-core'
import * as my from 'drizzle-orm/mysql-core'
import { expect, onTestFinished, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { describeOn, pairs, traits } from './engines.ts'

const moment = new Date('2026-03-29T01:30:15.000Z')

interface Fixture {
  readonly table: any
  readonly ddl: string
}

/** A custom type that is written as SQL, as Drizzle's own guide has it for vectors. */
const asSql = { dataType: () => 'text', toDriver: (value: string) => sql`upper(${value})` }
const asText = {
  dataType: () => 'text',
  toDriver: (value: string[]) => value.join(),
  fromDriver: (value: unknown) => String(value).split(','),
}

/** How often `$defaultFn` and `$onUpdateFn` were called. */
let made = 0
let changed = 0

const fixtures: Readonly<Record<string, () => Fixture>> = {
  sqlite: () => ({
    table: lite.sqliteTable('t', {
      id: lite.integer('the id').primaryKey(),
      at: lite.integer({ mode: 'timestamp' }),
      on: lite.integer({ mode: 'boolean' }),
      json: lite.text({ mode: 'json' }),
      big: lite.blob({ mode: 'bigint' }),
      sql: lite.customType<{ data: string }>(asSql)(),
      list: lite.customType<{ data: string[] }>(asText)('the list'),
      made: lite.integer().$defaultFn(() => ++made),
      changed: lite.integer().$onUpdateFn(() => --changed),
    }),
    ddl: 'create table t ("the id" integer primary key, at integer, "on" integer, json text, big blob, sql text, "the list" text, made integer, changed integer)',
  }),
  postgresql: () => ({
    table: pg.pgTable('t', pgColumns()),
    ddl: 'create table t ("the id" integer primary key, at timestamp, "on" boolean, json jsonb, big bigint, sql text, "the list" text, made integer, changed integer)',
  }),
  duckdb: () => ({
    table: pg.pgTable('t', pgColumns()),
    ddl: 'create table t ("the id" integer primary key, "at" timestamp, "on" boolean, json json, big bigint, sql text, "the list" text, made integer, changed integer)',
  }),
  mysql: () => ({
    table: my.mysqlTable('t', {
      id: my.int('the id').primaryKey(),
      at: my.datetime(),
      on: my.boolean(),
      json: my.json(),
      big: my.bigint({ mode: 'bigint' }),
      sql: my.customType<{ data: string }>(asSql)(),
      list: my.customType<{ data: string[] }>(asText)('the list'),
      made: my.int().$defaultFn(() => ++made),
      changed: my.int().$onUpdateFn(() => --changed),
    }),
    ddl: 'create table t (`the id` integer primary key, at datetime, `on` boolean, `json` json, big bigint, `sql` text, `the list` text, made integer, changed integer)',
  }),
}

function pgColumns(): any {
  return {
    id: pg.integer('the id').primaryKey(),
    at: pg.timestamp(),
    on: pg.boolean(),
    json: pg.jsonb(),
    big: pg.bigint({ mode: 'bigint' }),
    sql: pg.customType<{ data: string }>(asSql)(),
    list: pg.customType<{ data: string[] }>(asText)('the list'),
    made: pg.integer().$defaultFn(() => ++made),
    changed: pg.integer().$onUpdateFn(() => --changed),
  }
}

describeOn(
  pairs.filter(({ orm, name }) => orm === 'drizzle' && !name.endsWith('PGlite')),
  'by Drizzle',
  (db, pair) => {
    const { hasReturning } = traits[pair.kind]
    const row = (id: number): any => ({
      id,
      at: moment,
      on: id % 2 === 0,
      json: { a: ['x"\\', null] },
      big: 9_007_199_254_740_993n,
      list: ['a', 'b'],
    })

    async function create(): Promise<any> {
      const { table, ddl } = fixtures[pair.kind]!()
      await db().exec('drop table if exists t')
      await db().exec(ddl)
      made = 0
      changed = 0
      return table
    }

    test('encodes each column as its insert does, and makes defaults once for each row', async () => {
      const table = await create()
      const rows = Array.from({ length: 100 }, (_, id) => row(id))
      expect(await bulkInsert(db().db, table, rows)).toMatchObject({ inserted: 100 })
      expect([made, changed]).toEqual([100, -100])
      await db().db.insert(table).values(row(100))
      const stored = await db().db.select().from(table).orderBy(table.id)
      expect({ ...stored[98], id: 100, made: 101, changed: -101 }).toEqual(stored[100])
      expect(stored.map(({ made: each }: any) => each)).toEqual(
        Array.from({ length: 101 }, (_, at) => at + 1),
      )
    })

    test('takes SQL that an encoder makes', async () => {
      const table = await create()
      expect(
        await bulkInsert(db().db, table, [
          { id: 1, sql: 'a' },
          { id: 2, sql: 'b' },
          { id: 3 },
        ] as any[]),
      ).toMatchObject({ inserted: 3 })
      const stored = await db().db.select().from(table).orderBy(table.id)
      expect(stored.map((each: any) => each.sql)).toEqual(['A', 'B', null])
    })

    test('applies $onUpdateFn to what is updated', async () => {
      const table = await create()
      await bulkInsert(db().db, table, [row(1), row(2)])
      const onConflict = { target: 'id', update: ['list'] }
      const report = await bulkInsert(
        db().db,
        table,
        [{ id: 2, list: ['new'] }, { id: 3 }] as any[],
        { onConflict } as any,
      )
      expect(report).toMatchObject({ inserted: 1, updated: 1 })
      const stored = await db().db.select().from(table).orderBy(table.id)
      expect(stored[1]).toMatchObject({
        id: 2,
        list: ['new'],
        on: true,
        changed: expect.any(Number),
      })
      expect(stored[1].changed).toBeLessThan(-2)
      expect(stored[0].changed).toBe(-1)
    })

    test("updates with 'all' no column that only its default would fill", async () => {
      const table = await create()
      await bulkInsert(db().db, table, [row(1)])
      const report = await bulkInsert(
        db().db,
        table,
        [{ id: 1, list: ['new'] }] as any[],
        { onConflict: { target: 'id', update: 'all' } } as any,
      )
      expect(report).toMatchObject({ inserted: 0, updated: 1 })
      const [stored] = await db().db.select().from(table)
      expect(stored).toMatchObject({ list: ['new'], at: moment, made: 1 })
      expect(stored.changed).toBeLessThan(-1)
    })

    test.skipIf(!hasReturning)('decodes what RETURNING gives', async () => {
      const table = await create()
      const got: any[] = []
      // DuckDB's driver reads a larger one only with `int64: 'bigint'`.
      const one = { ...row(1), ...(pair.kind === 'duckdb' && { big: 5n }) }
      await bulkInsert(db().db, table, [one], {
        returning: ['id', 'at', 'on', 'json', 'big', 'list'] as any,
        onReturned: (rows: any) => void got.push(...rows),
      })
      expect(got).toEqual([one])
    })

    test('names the row and column of a value that cannot be encoded', async () => {
      const table = await create()
      const error = await rejection(bulkInsert(db().db, table, [row(1), { ...row(2), list: 5 }]))
      expect(error).toMatchObject({ rowIndex: 1, column: 'list', cause: { code: 'VALUE' } })
      expect(await db().count('t')).toBe(0)
    })

    test('refuses what is no table, or a column that is none', async () => {
      for (const table of ['t', {}, undefined])
        expect(await rejection(bulkInsert(db().db, table as never, []))).toMatchObject({
          option: 'table',
        })
      expect(await rejection(bulkInsert({} as never, {} as never, []))).toMatchObject({
        option: 'db',
      })
      const table = await create()
      expect(await rejection(bulkInsert(db().db, table, [{ 'the id': 1 }] as any[]))).toMatchObject(
        { column: 'the id' },
      )
    })
  },
)

test("uses the names of the database's `casing`", async () => {
  const table = lite.sqliteTable('t', { id: lite.integer().primaryKey(), fullName: lite.text() })
  const client = new BetterSqlite3(':memory:')
  const ours = sqliteDrizzle({ connection: ':memory:', casing: 'snake_case' })
  onTestFinished(async () => void (await ours.$client.close()))
  for (const db of [betterSqlite3Drizzle(client, { casing: 'snake_case' }), ours]) {
    await db.run(sql`create table t (id integer primary key, full_name text)`)
    await bulkInsert(db, table, [{ id: 1, fullName: 'a' }])
    const report = await bulkInsert(db, table, [{ id: 1, fullName: 'b' }], {
      onConflict: {
        target: 'id',
        update: (excluded) => ({ fullName: sql`${excluded.fullName} || 'x'` }),
      },
    })
    expect(report).toMatchObject({ updated: 1 })
    expect(await db.all(sql`select * from t`)).toEqual([{ id: 1, full_name: 'bx' }])
  }
})

test('sends the query that a callback returns, and waits for it', async () => {
  const table = lite.sqliteTable('t', { id: lite.integer().primaryKey() })
  const entry = lite.sqliteTable('entry', { name: lite.text() })
  const [db, log] = [sqliteDrizzle(':memory:'), sqliteDrizzle(':memory:')]
  onTestFinished(async () => void (await Promise.all([db.$client.close(), log.$client.close()])))
  await db.run(sql`create table t (id integer primary key check (id < 3))`)
  await log.run(sql`create table entry (name text)`)
  const note = (name: string) => log.insert(entry).values({ name })
  const entries = async (): Promise<unknown[]> =>
    (await log.select().from(entry)).map(({ name }) => name)
  await bulkInsert(db, table, [{ id: 1 }, { id: 2 }, { id: 3 }], {
    onRejected: ({ rowIndex }) => note(`rejected ${rowIndex}`),
    returning: ['id'],
    onReturned: (rows) => note(`returned ${rows.length}`),
    onProgress: () => note('progress'),
  })
  await expect
    .poll(entries)
    .toEqual(expect.arrayContaining(['rejected 2', 'returned 2', 'progress']))
  await log.delete(entry)
  const buffer = createWriteBuffer(db, table, {
    onRejected: () => note('refused'),
    onLost: () => note('lost'),
  })
  await rejection(buffer.add({ id: 3 }))
  await buffer.close()
  expect(await entries()).toEqual(['refused'])
})

test('inserts into the table of a schema', async () => {
  const schema = pg.pgSchema('other')
  const table = schema.table('t', { id: pg.integer().primaryKey(), name: pg.text() })
  const db = duckdbDrizzle(':memory:')
  onTestFinished(async () => void (await db.$client.close()))
  await db.execute(sql`create schema other`)
  await db.execute(sql`create table other.t (id integer primary key, name varchar)`)
  await bulkInsert(db, table, [{ id: 1, name: 'a' }])
  expect(
    await bulkInsert(db, table, [{ id: 1, name: 'b' }, { id: 2 }], {
      onConflict: { target: 'id', update: 'all' },
    }),
  ).toMatchObject({ inserted: 1, updated: 1 })
})

test('calls columns in errors what the table calls them', async () => {
  const table = lite.sqliteTable('t', {
    id: lite.integer().primaryKey(),
    fullName: lite.text('full_name').notNull(),
  })
  const db = sqliteDrizzle(':memory:')
  onTestFinished(async () => void (await db.$client.close()))
  await db.run(sql`create table t (id integer primary key, full_name text not null)`)
  const unknown = await rejection(bulkInsert(db, table, [{ id: 1, full_name: 'a' }] as never))
  expect(unknown.message).toMatch(/It has: id, fullName\. /)
  const missing = await rejection(bulkInsert(db, table, [{ id: 1 }] as never))
  expect(missing).toMatchObject({ column: 'fullName' })
  expect(missing.message).toMatch(/has no value for "fullName", /)
  const options = { returning: ['full_name'] as never, onReturned: () => {} }
  const inOptions = await rejection(bulkInsert(db, table, [{ id: 1, fullName: 'a' }], options))
  expect(inOptions.message).toMatch(/It has: id, fullName\. /)
  const columns: unknown[] = []
  const buffer = createWriteBuffer(db, table, {
    onRejected: ({ column }) => void columns.push(column),
  })
  await rejection(buffer.add({ id: 1, fullName: null as never }))
  await buffer.close()
  expect(columns).toEqual(['fullName'])
})

test('shows no value that an encoder repeats, unless it is asked to', async () => {
  const toDriver = (value: string): string => String(BigInt(value))
  const table = lite.sqliteTable('t', {
    n: lite.customType<{ data: string }>({ dataType: () => 'text', toDriver })(),
  })
  const db = sqliteDrizzle(':memory:')
  onTestFinished(async () => void (await db.$client.close()))
  await db.run(sql`create table t (n text)`)
  const hidden = await rejection(bulkInsert(db, table, [{ n: 'hunter2' }]))
  expect(hidden.message).toMatch(/that its column cannot encode: Cannot convert … to a BigInt\. /)
  const shown = await rejection(bulkInsert(db, table, [{ n: 'hunter2' }], { showValues: true }))
  expect(shown.message).toMatch(/Cannot convert hunter2 to a BigInt\. /)
})

test('names the row of a value that refers to itself', async () => {
  const table = lite.sqliteTable('t', { json: lite.text({ mode: 'json' }) })
  const db = sqliteDrizzle(':memory:')
  onTestFinished(async () => void (await db.$client.close()))
  await db.run(sql`create table t (json text)`)
  const loop: { name: string; itself?: unknown } = { name: 'a' }
  loop.itself = loop
  const error = await rejection(bulkInsert(db, table, [{ json: 1 }, { json: loop }]))
  expect(error).toMatchObject({ name: 'BulkInsertError', rowIndex: 1, column: 'json' })
})

test('a write buffer takes SQL that refers to a table of many columns', async () => {
  const names = Array.from({ length: 100 }, (_, at) => `c${at}`)
  const columns = Object.fromEntries(names.map((name) => [name, lite.integer()]))
  const table: any = lite.sqliteTable('t', columns)
  const db = sqliteDrizzle(':memory:')
  onTestFinished(async () => void (await db.$client.close()))
  await db.run(sql.raw(`create table t (${names.join(', ')})`))
  const buffer = createWriteBuffer(db, table, {})
  const added = buffer.add({ c0: sql`(select count(${table.c1}) from ${table})` } as never)
  expect(buffer.stats.bytes).toBeLessThan(1_000)
  await added
  await buffer.close()
  expect(await db.all(sql`select c0 from t`)).toEqual([{ c0: 0 }])
})
