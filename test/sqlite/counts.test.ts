import type { SqliteDatabase } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { column, open, run, value } from './fixture.ts'

async function withTables(): Promise<SqliteDatabase> {
  const database = open()
  await run(
    database,
    'create table person (id integer primary key, name text unique, age integer default 0)',
    'create table tag (name text primary key, uses integer default 1) without rowid',
    'create table log (id integer primary key, line text)',
    'create table pet (id integer primary key, owner integer references person on delete cascade on update cascade)',
  )
  return database
}

/** What a statement reports, without its rows. */
async function counts(
  database: Pick<SqliteDatabase, 'execute'>,
  sql: string,
  parameters?: readonly unknown[],
): Promise<[changes: number | undefined, insertId: bigint | undefined]> {
  const { changes, insertId } = await database.execute(sql, parameters)
  return [changes, insertId]
}

describe('INSERT', () => {
  test('of one row counts it and tells its rowid', async () => {
    const database = await withTables()
    expect(await counts(database, "insert into person (name) values ('a')")).toEqual([1, 1n])
    expect(await counts(database, "insert into person (id, name) values (70, 'b')")).toEqual([
      1,
      70n,
    ])
    expect(await counts(database, "insert into person (id, name) values (-3, 'c')")).toEqual([
      1,
      -3n,
    ])
    expect(await counts(database, 'insert into person default values')).toEqual([1, 71n])
    expect(
      await counts(
        database,
        "with x as (select 'w' as n) insert into person (name) select n from x",
      ),
    ).toEqual([1, 72n])
  })

  test('of many rows counts them all and tells the last rowid', async () => {
    const database = await withTables()
    expect(await counts(database, "insert into person (name) values ('a'), ('b'), ('c')")).toEqual([
      3,
      3n,
    ])
    expect(await counts(database, 'insert into log (line) select name from person')).toEqual([
      3,
      3n,
    ])
    expect(
      await counts(database, 'insert into log (line) select name from person where false'),
    ).toEqual([0, undefined])
  })

  test('with RETURNING says the same, and the rows beside it', async () => {
    const database = await withTables()
    const one = await database.execute("insert into person (name) values ('a') returning id, name")
    expect(one).toEqual({ rows: [{ id: 1, name: 'a' }], changes: 1, insertId: 1n })
    const two = await database.execute("insert into person (name) values ('b'), ('c') returning id")
    expect(two).toEqual({ rows: [{ id: 2 }, { id: 3 }], changes: 2, insertId: 3n })
    const none = await database.execute(
      "insert or ignore into person (name) values ('c') returning id",
    )
    expect(none).toEqual({ rows: [], changes: 0, insertId: undefined })
  })

  test('that is ignored counts nothing, whatever was inserted before', async () => {
    const database = await withTables()
    await run(database, "insert into person (name) values ('a'), ('b')")
    for (const sql of [
      "insert or ignore into person (name) values ('a')",
      "insert into person (name) values ('a') on conflict do nothing",
      "insert into person (name) values ('a'), ('b') on conflict (name) do nothing",
    ]) {
      for (let again = 0; again < 3; again++)
        expect(await counts(database, sql), sql).toEqual([0, undefined])
    }
    expect(
      await counts(database, "insert or ignore into person (name) values ('a'), ('new'), ('b')"),
    ).toEqual([1, 3n])
  })

  test('that fails leaves the next counts alone', async () => {
    const database = await withTables()
    await run(database, "insert into person (name) values ('a')")
    const sql = 'insert into person (name) values (?)'
    await rejection(database.execute(sql, ['a']))
    expect(await counts(database, sql, ['b'])).toEqual([1, 2n])
    await rejection(database.execute(sql, ['b']))
    expect(await counts(database, 'update person set age = 1')).toEqual([2, undefined])
  })

  test('OR REPLACE counts the new row, not the one it replaces', async () => {
    const database = await withTables()
    await run(database, "insert into person (name) values ('a'), ('b')")
    expect(await counts(database, "insert or replace into person (name) values ('a')")).toEqual([
      1,
      3n,
    ])
    expect(await counts(database, "replace into person (id, name) values (3, 'b')")).toEqual([
      1,
      3n,
    ])
    expect(await column(database, 'select id from person')).toEqual([3])
  })

  test('into a table without rowid tells no id', async () => {
    const database = await withTables()
    await run(database, "insert into person (name) values ('a')")
    const sql = 'insert into tag (name) values (?)'
    for (const name of ['x', 'y', 'z'])
      expect(await counts(database, sql, [name])).toEqual([1, undefined])
    const returning = 'insert into tag (name) values (?) returning name'
    for (const name of ['u', 'v'])
      expect(await counts(database, returning, [name])).toEqual([1, undefined])
  })

  test('into a virtual table tells the rowid', async () => {
    const database = open()
    await run(database, 'create virtual table note using fts5(text)')
    const sql = 'insert into note values (?)'
    expect(await counts(database, sql, ['first'])).toEqual([1, 1n])
    expect(await counts(database, sql, ['second'])).toEqual([1, 2n])
  })

  test('tells the rowid also when it is that of an insert into another table before', async () => {
    const database = await withTables()
    await run(database, "insert into log (id, line) values (5, 'x')")
    expect(await counts(database, "insert into person (id, name) values (5, 'a')")).toEqual([1, 5n])
    await run(database, "insert into log (id, line) values (6, 'x')")
    expect(
      await counts(database, "insert into person (id, name) values (6, 'b') returning id"),
    ).toEqual([1, 6n])
  })

  test('keeps every digit of a rowid', async () => {
    const database = await withTables()
    for (const id of [2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      expect(await counts(database, 'insert into log (id) values (?)', [id])).toEqual([1, id])
      await run(database, 'delete from log')
      expect(
        await counts(database, 'insert into log (id) values (?) returning line', [id]),
      ).toEqual([1, id])
      expect(
        await counts(
          database,
          "insert into log (id) values (?) on conflict do update set line = 'u'",
          [id],
        ),
      ).toEqual([1, undefined])
      await run(database, 'delete from log')
      const upsert = "insert into log (id) values (?) on conflict (id) do update set line = 'v'"
      // The lowest of all rowids marks "nothing was inserted" while an upsert runs.
      const told = id === -(2n ** 63n) ? undefined : id
      expect(await counts(database, upsert, [id])).toEqual([1, told])
    }
  })
})

describe('upserts', () => {
  const upsert =
    'insert into person (name, age) values (?, 1) on conflict (name) do update set age = age + 1'

  test('tell an id when they insert, and none when they update', async () => {
    const database = await withTables()
    expect(await counts(database, upsert, ['a'])).toEqual([1, 1n])
    expect(await counts(database, upsert, ['a'])).toEqual([1, undefined])
    expect(await counts(database, upsert, ['b'])).toEqual([1, 2n])
    expect(await counts(database, upsert, ['a'])).toEqual([1, undefined])
    expect(await counts(database, `${upsert} returning id`, ['a'])).toEqual([1, undefined])
    expect(await counts(database, `${upsert} returning id`, ['c'])).toEqual([1, 3n])
  })

  test('that insert one row and update another count both, and tell the new one', async () => {
    const database = await withTables()
    const sql =
      'insert into person (name) values (?), (?) on conflict (name) do update set age = age + 1'
    await run(database, "insert into person (name) values ('old')")
    expect(await counts(database, sql, ['old', 'new'])).toEqual([2, 2n])
    expect(await counts(database, sql, ['newer', 'old'])).toEqual([2, 3n])
    expect(await counts(database, sql, ['old', 'new'])).toEqual([2, undefined])
  })

  test('whose condition does not hold count nothing', async () => {
    const database = await withTables()
    const sql = `${upsert} where excluded.age > 100`
    expect(await counts(database, sql, ['a'])).toEqual([1, 1n])
    expect(await counts(database, sql, ['a'])).toEqual([0, undefined])
  })

  test('on a table without rowid tell no id', async () => {
    const database = await withTables()
    await run(database, "insert into person (name) values ('a')")
    const sql = "insert into tag (name) values ('t') on conflict do update set uses = uses + 1"
    for (let again = 0; again < 3; again++)
      expect(await counts(database, sql)).toEqual([1, undefined])
    expect(await value(database, 'select uses from tag')).toBe(3)
  })

  test('that fail tell nothing and leave nothing behind', async () => {
    const database = await withTables()
    await run(database, "insert into person (name) values ('a')")
    const failing =
      "insert into person (id, name) values (1, 'b') on conflict (name) do update set age = 1"
    expect((await rejection(database.execute(failing))).code).toBe('SQLITE_CONSTRAINT_PRIMARYKEY')
    expect(await value(database, 'select last_insert_rowid()')).toBe(1)
    expect(await counts(database, upsert, ['a'])).toEqual([1, undefined])
  })

  test('work in a transaction that is rolled back, and after it', async () => {
    const database = await withTables()
    for (let round = 0; round < 3; round++) {
      await rejection(
        database.transaction(async (tx) => {
          expect(await counts(tx, upsert, ['a'])).toEqual([1, 1n])
          expect(await counts(tx, upsert, ['a'])).toEqual([1, undefined])
          throw new Error('undo')
        }),
      )
    }
    expect(await counts(database, upsert, ['a'])).toEqual([1, 1n])
  })

  test('leave no table of ours where the user looks', async () => {
    const database = await withTables()
    await database.execute(upsert, ['a'])
    expect(
      await column(database, "select name from sqlite_schema where type = 'table' order by 1"),
    ).toEqual(['log', 'person', 'pet', 'tag'])
  })
})

describe('last_insert_rowid() and changes() in SQL', () => {
  test('an INSERT may use the rowid of the one before', async () => {
    const database = await withTables()
    for (const id of [41, 42, 43]) {
      await database.execute('insert into person (id, name) values (?, ?)', [id, `p${id}`])
      await database.execute('insert into pet (owner) values (last_insert_rowid())')
    }
    expect(await column(database, 'select owner from pet')).toEqual([41, 42, 43])
  })

  test('an upsert may use it as well', async () => {
    const database = await withTables()
    const sql =
      'insert into pet (id, owner) values (7, last_insert_rowid()) on conflict do update set owner = last_insert_rowid()'
    await run(database, "insert into person (id, name) values (41, 'a')")
    expect(await counts(database, sql)).toEqual([1, 7n])
    await run(database, "insert into person (id, name) values (42, 'b')")
    expect(await counts(database, sql)).toEqual([1, undefined])
    expect(await column(database, 'select owner from pet')).toEqual([42])
  })

  test('an INSERT that inserted nothing leaves them as SQLite leaves them', async () => {
    const database = await withTables()
    await run(
      database,
      "insert into person (id, name) values (9, 'a')",
      "insert into tag (name) values ('t')",
    )
    const nothing: [string, number][] = [
      ["insert or ignore into person (name) values ('a')", 0],
      ["insert into person (name) values ('a') on conflict do nothing", 0],
      ["insert into person (name) values ('a') on conflict (name) do update set age = 5", 1],
      [
        "insert into person (name) values ('a'), ('a'), ('a') on conflict (name) do update set age = 5",
        3,
      ],
      [
        "insert into person (name) values ('a') on conflict (name) do update set age = 5 where false",
        0,
      ],
      ["insert into tag (name) values ('u')", 1],
      ["insert into tag (name) values ('u') on conflict do update set uses = 2", 1],
    ]
    for (const [sql, changed] of nothing) {
      for (let again = 0; again < 2; again++) {
        await run(database, "delete from tag where name = 'u' and uses = 1", sql)
        expect(await value(database, 'select last_insert_rowid()'), sql).toBe(9)
        expect(await value(database, 'select changes()'), sql).toBe(changed)
      }
    }
  })

  test('a trigger that uses them gets what it would get without us', async () => {
    const database = await withTables()
    await run(
      database,
      'create trigger t before insert on person begin insert into log (line) values (last_insert_rowid()); end',
      'insert into pet (id) values (77)',
      "insert into person (name) values ('a')",
    )
    expect(await column(database, 'select line from log')).toEqual(['77'])
  })
})

describe('UPDATE and DELETE', () => {
  test('count their rows and tell no id', async () => {
    const database = await withTables()
    await run(database, "insert into person (name) values ('a'), ('b'), ('c')")
    expect(await counts(database, "update person set age = 5 where name <> 'a'")).toEqual([
      2,
      undefined,
    ])
    expect(await counts(database, 'update person set age = age')).toEqual([3, undefined])
    expect(await counts(database, 'update person set age = 1 where false')).toEqual([0, undefined])
    expect(await counts(database, 'update person set age = 9 returning id')).toEqual([3, undefined])
    expect(await counts(database, "delete from person where name = 'a' returning id")).toEqual([
      1,
      undefined,
    ])
    expect(
      await counts(
        database,
        'with x as (select 2 as i) delete from person where id in (select i from x)',
      ),
    ).toEqual([1, undefined])
    expect(await counts(database, 'delete from person')).toEqual([1, undefined])
    expect(await counts(database, 'delete from person')).toEqual([0, undefined])
  })

  test('do not count what cascades or triggers change', async () => {
    const database = await withTables()
    await run(
      database,
      "insert into person (id, name) values (1, 'a'), (2, 'b')",
      'insert into pet (owner) values (1), (1), (1), (2)',
      "create trigger t after delete on pet begin insert into log (line) values ('x'), ('y'); end",
    )
    expect(await counts(database, 'update person set id = 10 where id = 1')).toEqual([1, undefined])
    expect(await column(database, 'select distinct owner from pet order by 1')).toEqual([2, 10])
    expect(await counts(database, 'delete from person where id = 10')).toEqual([1, undefined])
    expect(await value(database, 'select count(*) from pet')).toBe(1)
    expect(await value(database, 'select count(*) from log')).toBe(6)
  })
})

describe('triggers and views', () => {
  test('a trigger that inserts elsewhere changes neither count nor id', async () => {
    const database = await withTables()
    await run(
      database,
      "insert into log (id, line) values (1000, 'before')",
      'create trigger t after insert on person begin insert into log (line) values (new.name), (new.name); end',
      'create trigger u after insert on tag begin insert into log (line) values (new.name); end',
    )
    expect(await counts(database, "insert into person (name) values ('a')")).toEqual([1, 1n])
    expect(
      await counts(database, "insert into person (name) values ('b'), ('c') returning id"),
    ).toEqual([2, 3n])
    expect(await counts(database, "insert into tag (name) values ('t')")).toEqual([1, undefined])
    expect(
      await counts(
        database,
        "insert into person (name) values ('a') on conflict (name) do update set age = 1",
      ),
    ).toEqual([1, undefined])
    expect(await value(database, 'select count(*) from log')).toBe(8)
  })

  test('an INSERT into a view counts nothing, since its trigger does the work', async () => {
    const database = await withTables()
    await run(
      database,
      'create view named as select name from person',
      'create trigger t instead of insert on named begin insert into person (name) values (new.name); end',
    )
    expect(await counts(database, "insert into named values ('a'), ('b')")).toEqual([0, undefined])
    expect(await column(database, 'select name from person')).toEqual(['a', 'b'])
  })

  test('a row that a trigger refuses is not counted', async () => {
    const database = await withTables()
    await run(
      database,
      "create trigger t before insert on person when new.name = 'no' begin select raise(ignore); end",
    )
    expect(await counts(database, "insert into person (name) values ('no')")).toEqual([
      0,
      undefined,
    ])
    expect(
      await counts(database, "insert into person (name) values ('no'), ('yes'), ('no')"),
    ).toEqual([1, 1n])
  })
})

describe('other statements', () => {
  test('tell no counts', async () => {
    const database = await withTables()
    await run(database, "insert into person (name) values ('a')")
    const others = [
      'select * from person',
      'values (1), (2)',
      'with x as (select 1) select * from x',
      'create table made as select * from person',
      'create index i on person (age)',
      'alter table person add column extra',
      "create trigger t after insert on person begin update person set age = 1; insert into log (line) values ('x') on conflict do update set line = 'y'; end",
      'drop trigger t',
      'drop table made',
      'analyze',
      'vacuum',
      'pragma user_version = 3',
      'pragma user_version',
      'explain insert into person default values',
    ]
    for (const sql of others)
      expect(await counts(database, sql), sql).toEqual([undefined, undefined])
  })

  test('what is known of a statement is forgotten when its table is made anew', async () => {
    const database = open()
    const sql = 'insert into t values (?)'
    await run(database, 'create table t (a integer primary key)')
    expect(await counts(database, sql, [5])).toEqual([1, 5n])
    await run(database, 'drop table t', 'create table t (a integer primary key) without rowid')
    expect(await counts(database, sql, [6])).toEqual([1, undefined])
    await run(database, 'drop table t', 'create table t (a integer primary key)')
    expect(await counts(database, sql, [7])).toEqual([1, 7n])
  })

  test('so is what was known of it while a schema stood that was rolled back', async () => {
    const database = open()
    const sql = 'insert into t values (?)'
    await run(database, 'create table t (a integer primary key)', 'create table u (a)')
    const session = database.connect()
    for (const undo of [
      () => session.rollback(),
      () => session.rollbackToSavepoint('s').then(() => session.commit()),
    ]) {
      await session.begin()
      await session.savepoint('s')
      await run(session, 'drop table t', 'create table t (a integer primary key) without rowid')
      expect(await counts(session, sql, [5])).toEqual([1, undefined])
      await undo()
      expect(await counts(database, sql, [6])).toEqual([1, 6n])
      await run(database, 'delete from t')
    }
  })
})

describe('a statement that waited for a transaction', () => {
  test('reports no row id when the transaction has rebuilt its table without one', async () => {
    const database = open()
    await run(database, 'create table t (k text primary key)', "insert into t values ('a')")
    const insert = "insert into t values ('b')"
    await run(database, insert, "delete from t where k = 'b'")
    const { waited } = await database.transaction(async (tx) => {
      const pending = database.execute(insert)
      await run(tx, 'drop table t', 'create table t (k text primary key) without rowid')
      return { waited: pending }
    })
    expect(await waited).toMatchObject({ changes: 1, insertId: undefined })
  })
})
