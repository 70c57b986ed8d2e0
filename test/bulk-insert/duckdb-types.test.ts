import { DuckDBTimestampValue } from '@duckdb/node-api'
import { bulkInsert as bulkOnDrizzle } from '@keelson/bulk-insert/drizzle'
import { bulkInsert as bulkOnKysely } from '@keelson/bulk-insert/kysely'
import * as pg from 'drizzle-orm/pg-core'
import { expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { describeOn, pairs } from './engines.ts'

const moment = new Date('2026-03-29T01:30:15.123Z')
const onDuckDB = pairs.filter(({ kind }) => kind === 'duckdb')

const kyselyValues: Readonly<Record<string, readonly unknown[]>> = {
  TINYINT: [-128, 127, null],
  BIGINT: [9_007_199_254_740_993n, '-9223372036854775808', 5],
  HUGEINT: [170_141_183_460_469_231_731_687_303_715_884_105_727n, '-5', 1],
  UBIGINT: [18_446_744_073_709_551_615n],
  'DECIMAL(38,10)': ['12345678901234567890.0123456789', 1.5, 2n],
  FLOAT: [1.5],
  DOUBLE: [0.1, 1e300, Infinity],
  VARCHAR: ['', 'a"b', "it's", 'a\\b\n', 'ünï 🚢', 'NULL', '[]'],
  BOOLEAN: [true, false],
  DATE: ['2026-02-28', new Date('2026-02-28')],
  TIME: ['12:34:56.789012'],
  TIMESTAMP: [moment, '2026-01-01 12:34:56.123456'],
  TIMESTAMPTZ: [moment, '2026-01-01 12:34:56.123456+00'],
  INTERVAL: ['1 day'],
  UUID: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  BLOB: [Buffer.from([0, 255, 92]), new Uint8Array([1, 2, 3]).subarray(1)],
  JSON: [{ a: [1, 'x"\\'] }, '{"b": 1}', [1, 2]],
  'INTEGER[]': [[1, null, 3], []],
  'VARCHAR[]': [['a', '', 'x,y', null]],
  'INTEGER[][]': [[[1], [], [2, 3]]],
  'INTEGER[3]': [[1, 2, 3]],
  'STRUCT(a INTEGER, b VARCHAR)': [
    { a: 1, b: 'x' },
    { a: null, b: null },
  ],
  'MAP(VARCHAR, INTEGER)': [
    new Map([
      ['a', 1],
      ['b', null],
    ]),
    new Map(),
  ],
  "ENUM('x', 'y z')": ['x', 'y z'],
  'STRUCT(a INTEGER[], m MAP(VARCHAR, DATE))[]': [[{ a: [1], m: new Map([['k', '2026-01-01']]) }]],
}

describeOn(
  onDuckDB.filter(({ orm }) => orm === 'kysely'),
  'a value of DuckDB by Kysely',
  (db) => {
    test.each(Object.entries(kyselyValues))(
      'is stored as an insert of Kysely stores it: %s',
      async (type, values) => {
        const rows = values.map((v, id) => ({ id, v }))
        for (const table of ['own', 'bulk']) {
          await db().exec(`drop table if exists ${table}`)
          await db().exec(`create table ${table} (id integer, v ${type})`)
        }
        const report = await bulkOnKysely(db().kysely, 'bulk', rows)
        expect(report).toMatchObject({ inserted: rows.length, method: 'table-function' })
        const stored = (table: string): Promise<unknown> =>
          db().rows(`select id, v::varchar as v from ${table} order by id`)
        for (const row of rows) await db().db.insertInto('own').values(row).execute()
        expect(await stored('bulk')).toEqual(await stored('own'))
      },
    )

    test.each([
      ['TINYINT', 128],
      ['INTEGER', 1.5],
      ['INTEGER', 'x'],
      ['DECIMAL(4,2)', '100'],
      ['DATE', 'soon'],
      ['DATE', moment],
      ['UUID', 'no'],
      ["ENUM('x')", 'y'],
      ['INTEGER[]', [1, 'x']],
      ['BLOB', Symbol('x')],
    ])('is refused, not changed: %s of %o', async (type, value) => {
      await db().exec('drop table if exists bulk')
      await db().exec(`create table bulk (id integer, v ${type})`)
      const rows = [
        { id: 0, v: null },
        { id: 1, v: value },
        { id: 2, v: null },
      ]
      const error = await rejection(bulkOnKysely(db().kysely, 'bulk', rows))
      expect(error).toMatchObject({ name: 'BulkInsertError', rowIndex: 1 })
      expect(await db().count('bulk')).toBe(0)
      const report = await bulkOnKysely(db().kysely, 'bulk', rows, {
        onRejected: 'collect',
        atomic: false,
      })
      expect(report).toMatchObject({ inserted: 2, rejected: 1 })
    })
  },
)

describeOn(
  onDuckDB.filter(({ orm }) => orm === 'drizzle'),
  'a value of DuckDB by Drizzle',
  (db) => {
    test('is stored as an insert of Drizzle stores it', async () => {
      const columns = {
        id: pg.integer(),
        i8: pg.bigint({ mode: 'bigint' }),
        num: pg.numeric(),
        bool: pg.boolean(),
        date: pg.date(),
        ts: pg.timestamp(),
        tsz: pg.timestamp({ withTimezone: true }),
        json: pg.json(),
        ints: pg.integer().array(),
        stamps: pg.timestamp().array(),
        nested: pg.text().array().array(),
      }
      const ddl =
        'id integer, i8 bigint, num decimal(38,5), bool boolean, "date" date, ts timestamp, tsz timestamptz, json json, ints integer[], stamps timestamp[], nested varchar[][]'
      const rows = [
        {
          id: 0,
          i8: 9_007_199_254_740_993n,
          num: '1234567890.12345',
          bool: true,
          date: '2026-02-28',
          ts: moment,
          tsz: moment,
          json: { a: ['x"\\', null] },
          ints: [1, 2],
          stamps: [moment],
          nested: [['a', 'b c'], []],
        },
        { id: 1, json: 'text', ints: [], bool: false },
        { id: 2, json: [1, 'a'], i8: null },
      ]
      for (const table of ['own', 'bulk']) {
        await db().exec(`drop table if exists ${table}`)
        await db().exec(`create table ${table} (${ddl})`)
      }
      const own = pg.pgTable('own', columns)
      const bulk = pg.pgTable('bulk', columns)
      expect(await bulkOnDrizzle(db().db, bulk, rows)).toMatchObject({ inserted: 3 })
      for (const row of rows) await db().db.insert(own).values(row)
      const texts = (table: string): Promise<unknown> =>
        db().rows(`select ${table}::varchar as t from ${table} order by id`)
      expect(await texts('bulk')).toEqual(await texts('own'))
      expect(await db().db.select().from(bulk).orderBy(bulk.id)).toEqual(
        await db().db.select().from(own).orderBy(own.id),
      )
    })
  },
)

describeOn(
  onDuckDB.filter(({ orm }) => orm === 'kysely'),
  'a key of DuckDB with several unique ones',
  (db) => {
    test('may be of any type, and of no value', async () => {
      await db().exec('drop table if exists bulk')
      await db().exec('create table bulk (moment timestamp unique, n integer unique)')
      const at = (micros: bigint): unknown => new DuckDBTimestampValue(micros)
      const rows = [
        { moment: at(1n), n: 1 },
        { moment: at(2n), n: 2 },
        { moment: at(1n), n: 3 },
        { moment: new Date(Number.NaN), n: 4 },
      ]
      const error = await rejection(bulkOnKysely(db().kysely, 'bulk', rows, { onConflict: 'skip' }))
      expect(error).toMatchObject({ name: 'BulkInsertError', rowIndex: 3, column: 'moment' })
      const report = await bulkOnKysely(db().kysely, 'bulk', rows.slice(0, 3), {
        onConflict: 'skip',
      })
      expect(report).toMatchObject({ inserted: 2, skipped: 1 })
    })
  },
)
