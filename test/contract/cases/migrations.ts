import { expect } from 'vitest'
import { rejectionOf, type Contract } from '../contract.ts'
import type { Migration } from '../orm.ts'

/** The ORM's own migrator runs each migration once, or leaves nothing of it. */
export function migrationCases({ it, open, openAgain }: Contract): void {
  const first: Migration = {
    name: '0000_create',
    statements: ['create table thing (id integer)', 'insert into thing values (1)'],
  }
  const second: Migration = { name: '0001_more', statements: ['insert into thing values (2)'] }
  const broken: Migration = {
    name: '0001_broken',
    statements: [
      'create table half (id integer)',
      'insert into thing values (9)',
      'insert into nowhere values (1)',
    ],
  }

  it('runs what has not run yet, in order, and nothing twice', ['outermost'], async () => {
    const db = await open()
    await db.migrate([first])
    expect(await db.rows('select id from thing')).toEqual([{ id: 1 }])
    await db.migrate([first])
    await db.migrate([first, second])
    await db.migrate([first, second])
    expect(await db.rows('select id from thing order by id')).toEqual([{ id: 1 }, { id: 2 }])
  })

  it(
    'leaves nothing of a migration that fails, and runs it once it is repaired',
    ['outermost', 'transactionalDdl'],
    async () => {
      const db = await open()
      await db.migrate([first])
      await rejectionOf(db.migrate([first, broken]))
      expect(await db.rows('select id from thing')).toEqual([{ id: 1 }])
      await rejectionOf(db.rows('select * from half'))

      await db.migrate([first, { ...broken, statements: ['create table half (id integer)'] }])
      expect(await db.rows('select * from half')).toEqual([])
    },
  )

  it(
    'leaves nothing of the migrations before the one that fails in the same run',
    ['outermost', 'transactionalDdl'],
    async () => {
      const db = await open()
      await rejectionOf(db.migrate([first, broken]))
      await rejectionOf(db.rows('select * from thing'))
      await db.migrate([first, second])
      expect(await db.rows('select id from thing order by id')).toEqual([{ id: 1 }, { id: 2 }])
    },
  )

  it('lets the database work on after a migration that failed', ['outermost'], async () => {
    const db = await open()
    await rejectionOf(db.migrate([{ name: '0000_wrong', statements: ['selct 1'] }]))
    await db.add('Ada')
    await db.transaction((tx) => tx.add('Alan'))
    expect(await db.names()).toEqual(['Ada', 'Alan'])
  })

  it(
    'runs each migration once when two migrators start at once',
    ['outermost', 'migrationLock'],
    async () => {
      const db = await open()
      await db.run('insert into counter values (1, 0)')
      const migrations = [1, 2, 3].map((n) => ({
        name: `000${n}_count`,
        statements: [
          'update counter set value = value + 1 where id = 1',
          `create table made_${n} (id integer)`,
        ],
      }))
      await Promise.all([db.migrate(migrations), db.migrate(migrations)])
      expect(await db.rows('select value from counter')).toEqual([{ value: 3 }])
    },
  )

  it(
    'runs each migration once when two migrators of one file start at once',
    ['outermost', 'migrationLock', 'files'],
    async () => {
      const db = await open()
      const other = await openAgain(db)
      await db.run('insert into counter values (1, 0)')
      const count = {
        name: '0000_count',
        statements: ['update counter set value = value + 1 where id = 1'],
      }
      await Promise.all([db.migrate([count]), other.migrate([count])])
      expect(await db.rows('select value from counter')).toEqual([{ value: 1 }])
    },
  )

  it(
    "keeps the children of a table that it builds anew, and their foreign key (SQLite's table rebuild)",
    ['outermost', 'cascades'],
    async () => {
      const db = await open()
      await db.run('create table parent (id integer primary key, name text)')
      await db.run(
        'create table child (parent_id integer not null references parent (id) on delete cascade)',
      )
      await db.run("insert into parent values (1, 'Ada')")
      await db.run('insert into child values (1), (1)')
      await db.migrate([
        {
          name: '0000_rebuild',
          statements: [
            'create table parent_new (id integer primary key, name text not null)',
            'insert into parent_new select * from parent',
            'drop table parent',
            'alter table parent_new rename to parent',
          ],
        },
      ])
      expect(await db.rows('select parent_id from child')).toEqual([
        { parent_id: 1 },
        { parent_id: 1 },
      ])
      await rejectionOf(db.run('insert into child values (99)'))
      await db.run('delete from parent where id = 1')
      expect(await db.rows('select * from child')).toEqual([])
    },
  )
}
