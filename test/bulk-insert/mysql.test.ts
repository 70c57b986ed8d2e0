import { expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { describeOn, pairs } from './engines.ts'

describeOn(
  pairs.filter(({ kind }) => kind === 'mysql'),
  'on MySQL',
  (db) => {
    const columns = { id: 'int primary key', name: 'text', n: 'int' }

    test('sends rows of 500 kB in packets that the server takes', async () => {
      await db().exec('drop table if exists big')
      await db().exec('create table big (id integer primary key, name longtext)')
      const table = db().table('big', columns)
      const name = 'x"\\\u00fc'.repeat(125_000)
      const rows = Array.from({ length: 40 }, (_, id) => ({ id, name }))
      expect(await db().bulk(table, rows)).toMatchObject({ inserted: 40, batches: 1 })
      const [sum] = await db().rows(
        'select count(*) as n, sum(char_length(name)) as length from big',
      )
      expect([Number(sum!['n']), Number(sum!['length'])]).toEqual([40, 40 * name.length])
    })

    test('counts an update that changes nothing, and rows in whatever mode', async () => {
      const table = await db().create('t', { columns })
      const rows = [1, 2, 3].map((id) => ({ id, name: 'same', n: 1 }))
      await db().bulk(table, rows)
      const onConflict = { target: 'id', update: ['name'] }
      const report = await db().bulk(table, [...rows, { id: 4, name: 'new' }], { onConflict })
      expect(report).toMatchObject({ attempted: 4, inserted: 1, updated: 3, skipped: 0 })
      const expressions = [
        { id: 1, n: db().sql('1 + 1') },
        { id: 5, n: db().sql('1 + 1') },
      ]
      const again = await db().bulk(table, expressions, {
        onConflict: { target: 'id', update: ['n'] },
      })
      expect(again).toMatchObject({ attempted: 2, inserted: 1, updated: 1, skipped: 0 })
      expect((await db().all('t')).map(([id, , n]) => [id, n])).toEqual([
        [1, 2],
        [2, 1],
        [3, 1],
        [4, null],
        [5, 2],
      ])
    })

    test('counts the rows of the table, not those that its triggers write', async () => {
      const table = await db().create('t', { columns })
      await db().create('log', { columns: { text: 'int' } })
      await db().exec(
        'create trigger log_insert after insert on t for each row insert into log values (new.id), (new.id)',
      )
      const rows = [1, 2, 3].map((id) => ({ id }))
      expect(await db().bulk(table, rows)).toMatchObject({ inserted: 3 })
      expect(await db().bulk(table, [...rows, { id: 4 }], { onConflict: 'skip' })).toMatchObject({
        inserted: 1,
        skipped: 3,
      })
      expect(await db().count('log')).toBe(8)
    })

    test('refuses text that is too long', async () => {
      const table = await db().create('t', { columns })
      const rows = [
        { id: 1, name: 'a' },
        { id: 2, name: 'x'.repeat(401) },
      ]
      expect(await rejection(db().bulk(table, rows))).toMatchObject({ rowIndex: 1 })
      expect(await db().count('t')).toBe(0)
    })
  },
)
