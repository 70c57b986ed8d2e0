import { existsSync } from 'node:fs'
import { MigrationForeignKeyError, type SqliteDatabase, type SqliteOptions } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { column, open, plain, run, value } from './fixture.ts'

async function withFamily(options: SqliteOptions = {}): Promise<SqliteDatabase> {
  const database = open(options)
  await run(
    database,
    'create table parent (id integer primary key, name text)',
    'create table child (id integer primary key, parent integer not null references parent on delete cascade)',
    "insert into parent values (1, 'a'), (2, 'b')",
    'insert into child values (1, 1), (2, 1), (3, 2)',
  )
  return database
}

/** The twelve steps of https://www.sqlite.org/lang_altertable.html#otheralter, as migrations write them. */
const rebuild = [
  'create table new_parent (id integer primary key, name text not null)',
  'insert into new_parent select id, name from parent',
  'drop table parent',
  'alter table new_parent rename to parent',
]

describe('a migration', () => {
  test('rebuilds a table under enforcement, and keeps the rows that refer to it', async () => {
    for (const path of [undefined, ':memory:'] as const) {
      const database = await withFamily(path && { path })
      const session = database.connect()
      await session.beginMigration()
      await session.begin()
      await run(session, 'pragma foreign_keys = off', ...rebuild, 'pragma foreign_keys = on')
      await session.commit()
      await session.endMigration()
      await session.release()
      expect(await value(database, 'select count(*) from child')).toBe(3)
      expect(await value(database, 'pragma foreign_keys')).toBe(1)
      await run(database, 'delete from parent where id = 1')
      expect(await column(database, 'select id from child')).toEqual([3])
    }
  })

  test('several times over, on one and on many sessions', async () => {
    const database = await withFamily()
    const session = database.connect()
    for (let round = 0; round < 4; round++) {
      for (const each of [session, database.connect()]) {
        await each.beginMigration()
        expect(await value(each, 'pragma foreign_keys')).toBe(0)
        await each.begin()
        await run(each, ...rebuild)
        await each.commit()
        await each.endMigration()
        expect(await value(database, 'pragma foreign_keys')).toBe(1)
      }
    }
    expect(await value(database, 'select count(*) from child')).toBe(3)
  })

  test('that leaves rows without their parent does not commit', async () => {
    const database = await withFamily()
    const session = database.connect()
    await session.beginMigration()
    await session.begin()
    await run(session, 'delete from parent where id = 1')
    const error = await rejection(session.commit())
    expect(error).toBeInstanceOf(MigrationForeignKeyError)
    expect(error.message).toMatch(
      /leaves rows without a parent: 2 in "child" \(parent "parent"\)\. Delete or correct these rows in the migration\./,
    )
    await session.rollback()
    await session.endMigration()
    expect(await column(database, 'select id from parent')).toEqual([1, 2])
    expect(await value(database, 'pragma foreign_keys')).toBe(1)
  })

  test('does not answer for orphans that were there before', async () => {
    const database = await withFamily({ foreignKeys: false })
    await run(database, 'insert into child values (9, 99)')
    const enforcing = open({ path: database.path })
    const session = enforcing.connect()
    await session.beginMigration()
    await session.begin()
    await run(session, ...rebuild)
    await session.commit()
    await session.endMigration()
    expect(await value(enforcing, 'select count(*) from child')).toBe(4)
  })

  test('keeps every other writer waiting, and readers not', async () => {
    const database = await withFamily()
    const session = database.connect()
    await session.beginMigration()
    const order: string[] = []
    const writing = database
      .execute("insert into parent values (3, 'c')")
      .then(() => order.push('writer'))
    expect(await value(database, 'select count(*) from child')).toBe(3)
    await session.begin()
    await run(session, ...rebuild)
    await session.commit()
    order.push('migration')
    await session.endMigration()
    await writing
    expect(order).toEqual(['migration', 'writer'])
  })

  test('without transactions restores enforcement, and says what it left behind', async () => {
    const database = await withFamily()
    const session = database.connect()
    await session.beginMigration()
    await run(session, ...rebuild, 'delete from parent where id = 2')
    expect(existsSync(`${database.path}-migration-lock`)).toBe(true)
    expect(await rejection(session.endMigration())).toBeInstanceOf(MigrationForeignKeyError)
    await session.release()
    expect(await value(database, 'pragma foreign_keys')).toBe(1)
    await run(database, "insert into parent values (3, 'c')")
    expect(plain(database.path).prepare('select count(*) as n from parent').get()).toEqual({ n: 2 })
  })

  test('cannot begin inside a transaction, and is given up by release()', async () => {
    const database = await withFamily()
    const session = database.connect()
    await session.begin()
    expect((await rejection(session.beginMigration())).code).toBe('TRANSACTION_OPEN')
    await session.rollback()
    await session.beginMigration()
    await session.begin()
    await run(session, ...rebuild)
    await session.release()
    expect(await value(database, 'pragma foreign_keys')).toBe(1)
    expect(
      await column(database, "select name from sqlite_schema where name like '%parent'"),
    ).toEqual(['parent'])
    await database.connect().endMigration()
  })
})

describe('a migration outside a transaction', () => {
  test('keeps enforcement off although one of its steps turns it on again', async () => {
    const database = await withFamily()
    const session = database.connect()
    await session.beginMigration()
    await run(session, 'pragma foreign_keys = off', 'pragma foreign_keys = on', ...rebuild)
    await session.endMigration()
    await session.release()
    expect(await value(database, 'select count(*) from child')).toBe(3)
    expect(await value(database, 'pragma foreign_keys')).toBe(1)
  })

  test('runs statements that were not awaited one by one', async () => {
    const database = await withFamily()
    const session = database.connect()
    await session.beginMigration()
    await Promise.all([
      session.execute('create table one (a)'),
      session.execute('create table two (a)'),
    ])
    await session.endMigration()
    await session.release()
    expect(
      await column(
        database,
        "select name from sqlite_schema where name in ('one', 'two') order by name",
      ),
    ).toEqual(['one', 'two'])
  })

  test('warns of rows it left without a parent where an error must keep its place', async () => {
    const database = await withFamily()
    const session = database.connect()
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    await session.beginMigration()
    await rejection(session.execute('insert into missing values (1)'))
    await run(session, 'delete from parent where id = 1')
    await session.endMigration()
    await session.release()
    expect(await warned).toBeInstanceOf(MigrationForeignKeyError)
  })
})

describe('a migration that is ended while its transaction begins', () => {
  test('restores enforcement and lets others write', async () => {
    const database = await withFamily()
    const session = database.connect()
    await session.beginMigration()
    const begun = session.begin()
    await session.endMigration()
    await begun
    await session.release()
    expect(await value(database, 'pragma foreign_keys')).toBe(1)
    await run(database, "insert into parent values (3, 'c')")
    expect(await value(database, 'select count(*) from parent')).toBe(3)
  })
})
