import { bulkInsert } from '@keelson/bulk-insert/kysely'
import BetterSqlite3 from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import { expect, test, vi } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { describeOn, pairs, type Row } from './engines.ts'

const columns = { id: 'int primary key', name: 'text', n: 'int' }

function rows(from: number, to: number, more: (id: number) => Row = () => ({})): Row[] {
  return Array.from({ length: to - from }, (_, at) => {
    const id = from + at
    return { id, name: `name ${id}`, n: id, ...more(id) }
  })
}

const upsert = { onConflict: { target: 'id', update: ['n'] } }

describeOn(
  pairs.filter(({ kind }) => kind === 'sqlite'),
  'on SQLite',
  (db, pair) => {
    /** Without a function in the statement, triggers leave nothing to tell updates from inserts by. */
    const split = pair.isOurs

    test('counts the rows of the table, not those that its triggers write elsewhere', async () => {
      const table = await db().create('t', { columns })
      await db().create('log', { columns: { text: 'text' } })
      for (const event of ['insert', 'update'])
        await db().exec(
          `create trigger log_${event} after ${event} on t begin insert into log values (new.id), (new.id); end`,
        )
      expect(await db().bulk(table, rows(0, 10))).toMatchObject({
        inserted: 10,
        updated: 0,
        skipped: 0,
      })
      expect(await db().count('log')).toBe(20)
      expect(await db().bulk(table, rows(5, 15), { onConflict: 'skip' })).toMatchObject({
        inserted: 5,
        skipped: 5,
      })
      const report = await db().bulk(table, rows(10, 20), upsert)
      expect(report).toMatchObject({
        attempted: 10,
        skipped: 0,
        inserted: split ? 5 : undefined,
        updated: split ? 5 : undefined,
      })
      expect(await db().count('t')).toBe(20)
    })

    test('counts no row that a trigger inserts into the same table', async () => {
      const table = await db().create('t', { columns })
      await db().exec(
        'create trigger more after insert on t when new.id < 1000 begin insert into t values (new.id + 1000, null, 0); end',
      )
      expect(await db().bulk(table, rows(0, 10))).toMatchObject({ inserted: 10, skipped: 0 })
      expect(await db().count('t')).toBe(20)
      const report = await db().bulk(table, rows(5, 15), upsert)
      expect(report).toMatchObject({
        attempted: 10,
        skipped: 0,
        inserted: split ? 5 : undefined,
        updated: split ? 5 : undefined,
      })
      expect(await db().count('t')).toBe(30)
    })

    test('takes a row that a trigger ignores for skipped', async () => {
      const table = await db().create('t', { columns })
      await db().exec(
        'create trigger odd before insert on t when new.id % 2 = 1 begin select raise(ignore); end',
      )
      expect(await db().bulk(table, rows(0, 100))).toMatchObject({
        attempted: 100,
        inserted: 50,
        updated: 0,
        skipped: 50,
      })
      expect(await db().count('t')).toBe(50)
    })

    test('does not guess at updates that a trigger may have ignored', async () => {
      const table = await db().create('t', { columns })
      await db().bulk(table, rows(0, 10))
      await db().exec(
        'create trigger odd before update on t when new.id % 2 = 1 begin select raise(ignore); end',
      )
      const report = await db().bulk(
        table,
        rows(5, 15, () => ({ n: -1 })),
        upsert,
      )
      expect(report).toMatchObject({ attempted: 10, inserted: undefined, updated: undefined })
      expect((await db().all('t')).filter(([, , n]) => n === -1)).toHaveLength(7)
    })

    test('rejects the rows that a trigger refuses', async () => {
      const table = await db().create('t', { columns })
      await db().exec(
        "create trigger odd before insert on t when new.id % 20 = 1 begin select raise(abort, 'odd'); end",
      )
      expect(await rejection(db().bulk(table, rows(0, 100)))).toMatchObject({ rowIndex: 1 })
      const report = await db().bulk(table, rows(0, 100), { onRejected: 'collect' })
      expect(report.rejections.map(({ rowIndex }) => rowIndex)).toEqual([1, 21, 41, 61, 81])
      expect(report).toMatchObject({ inserted: 95, rejected: 5 })
    })

    test.each(['fail', 'rollback'])(
      'tries nothing more, and keeps nothing, when a failed statement does not undo itself alone: %s',
      async (action) => {
        const bad = `begin select raise(${action}, 'bad'); end`
        for (const options of [{}, { onRejected: 'collect' }] as const) {
          const table = await db().create('t', { columns: { ...columns, id: 'int' } })
          await db().exec(`create trigger bad before insert on t when new.id = 57 ${bad}`)
          const error = await rejection(db().bulk(table, rows(0, 100), options))
          expect(error).toMatchObject({ name: 'BulkInsertError' })
          expect(await db().count('t')).toBe(0)
          await db().exec('drop table t')
          await db().exec(
            `create table t (id integer primary key on conflict ${action}, name text, n integer)`,
          )
          const again = [...rows(0, 60), ...rows(57, 70)]
          expect(await rejection(db().bulk(table, again, options))).toMatchObject({
            name: 'BulkInsertError',
          })
          expect(await db().count('t')).toBe(0)
        }
      },
    )

    // Elsewhere the connection of the transaction may be another one.
    test.skipIf(pair.name.endsWith('threads') || pair.name.endsWith('libsql'))(
      'knows of a temporary table or view what it knows of others',
      async () => {
        await db().create('t', { columns })
        await db().exec(
          'create temp table t (id integer primary key on conflict rollback, name text, n integer)',
        )
        const again = [...rows(0, 60), ...rows(57, 70)]
        const collect = { onRejected: 'collect' } as const
        const table = db().table('t', columns)
        await rejection(db().bulk(table, again, collect))
        expect(await db().count('t')).toBe(0)
        await db().exec('drop table temp.t')
        await db().exec('create temp view v as select id, name, n from t')
        await db().exec(
          'create temp trigger v_insert instead of insert on v begin insert into t values (new.id, new.name, new.n); end',
        )
        const report = await db().bulk(db().table('v', columns), rows(0, 10))
        await db().exec('drop view v')
        expect(report).toMatchObject({ inserted: undefined, skipped: undefined, rejected: 0 })
        expect(await db().count('t')).toBe(10)
      },
    )

    test('inserts through a view, of which nothing is counted', async () => {
      await db().create('t', { columns })
      await db().exec('drop view if exists v')
      await db().exec('create view v as select id, name, n from t')
      await db().exec(
        'create trigger v_insert instead of insert on v begin insert into t values (new.id, new.name, new.n); end',
      )
      const report = await db().bulk(db().table('v', columns), rows(0, 10))
      expect(report).toMatchObject({
        attempted: 10,
        inserted: undefined,
        updated: undefined,
        skipped: undefined,
        rejected: 0,
      })
      expect(await db().count('t')).toBe(10)
      await db().exec('drop view v')
    })

    test('takes tables WITHOUT ROWID', async () => {
      await db().exec('drop table if exists w')
      await db().exec('create table w (id integer primary key, name text, n integer) without rowid')
      const table = db().table('w', columns)
      expect(await db().bulk(table, rows(0, 100))).toMatchObject({ inserted: 100 })
      const report = await db().bulk(table, rows(50, 150), upsert)
      expect(report).toMatchObject({ inserted: 50, updated: 50, skipped: 0 })
    })

    test('numbers the rows itself, in their order', async () => {
      const table = await db().create('t', { columns })
      await db().bulk(
        table,
        ['c', 'a', 'b'].map((name) => ({ name })),
      )
      expect(await db().all('t')).toEqual([
        [1, 'c', null],
        [2, 'a', null],
        [3, 'b', null],
      ])
    })

    test('keeps to the condition of a partial unique index', async () => {
      const table = await db().create('t', { columns })
      await db().exec('create unique index partial on t (name) where n > 0')
      await db().bulk(table, [
        { id: 1, name: 'a', n: 1 },
        { id: 2, name: 'a', n: 0 },
      ])
      const target = { target: 'name', targetWhere: db().condition('n > 0') }
      const input = [
        { id: 3, name: 'a', n: 5 },
        { id: 4, name: 'a', n: -1 },
        { id: 5, name: 'b', n: 1 },
      ]
      const skipped = await db().bulk(table, input, { onConflict: { ...target, skip: true } })
      expect(skipped).toMatchObject({ inserted: 2, skipped: 1 })
      const more = [
        { id: 6, name: 'b', n: 7 },
        { id: 7, name: 'b', n: 0 },
      ]
      const report = await db().bulk(table, more, { onConflict: { ...target, update: ['n'] } })
      expect(report).toMatchObject({ inserted: 1, updated: 1, skipped: 0 })
    })
  },
)

test('blames no row for a database that is closed meanwhile', async () => {
  const client = new BetterSqlite3(':memory:')
  client.exec('create table t (id integer primary key)')
  const db = new Kysely<any>({ dialect: new SqliteDialect({ database: client }) })
  const onRejected = vi.fn()
  const error = await rejection(
    bulkInsert(db, 't', [{ id: 1 }, { id: 2 }, { id: 3 }], {
      batchRows: 1,
      onRejected,
      onProgress: ({ rows: done }) => void (done === 1 && client.close()),
    }),
  )
  expect(error.message).toMatch(/The database connection is not open/)
  expect(onRejected).not.toHaveBeenCalled()
})
