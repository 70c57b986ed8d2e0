import { existsSync } from 'node:fs'
import { type SqliteDatabase, SqliteStatementError } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { column, open, otherProcess, run, value } from '../fixture.ts'
import { functions, hold, modes, upTo, withTable } from './fixture.ts'

const rows = 'select a from t order by rowid'

describe.for(modes)('a read: %s', (mode) => {
  test('that starts after a write was awaited sees it', async () => {
    const database = await withTable({ mode, readers: 3 })
    for (const n of upTo(200)) {
      await database.execute('insert into t values (?)', [n])
      expect(await value(database, 'select max(a) from t')).toBe(n)
    }
  })

  test('sees what its caller has written, however many callers there are', async () => {
    const database = await withTable({ mode, readers: 3 })
    await Promise.all(
      upTo(64).map(async (caller) => {
        for (const n of upTo(20)) {
          await database.execute('insert into t values (?)', [caller])
          expect(await value(database, 'select count(*) from t where a = ?', [caller])).toBe(n)
        }
      }),
    )
  })

  test('that starts after a transaction was committed sees all of it, and nothing of one that was rolled back', async () => {
    const database = await withTable({ mode, readers: 2 })
    for (const n of upTo(50)) {
      const before = await value(database, 'select count(*) from t')
      await database
        .transaction(async (tx) => {
          await tx.execute('insert into t values (1)')
          expect(await value(database, 'select count(*) from t')).toBe(before)
          await tx.execute('insert into t values (2)')
          expect(await value(tx, 'select count(*) from t')).toBe(Number(before) + 2)
          if (n % 2 === 0) throw new Error('undo')
        })
        .catch(() => {})
      expect(await value(database, 'select count(*) from t')).toBe(
        Number(before) + (n % 2 === 0 ? 0 : 2),
      )
    }
  })

  test('sees what another process has committed', async () => {
    const database = await withTable({ mode, readers: 2 })
    const other = await otherProcess(database.path)
    for (const n of upTo(20)) {
      expect(await other.run(`insert into t values (${n})`)).toBe('ok')
      expect(await value(database, 'select count(*) from t')).toBe(n)
    }
  })

  test('finds the tables as they are after the schema was changed', async () => {
    const database = await withTable({ mode, readers: 2 })
    for (const n of upTo(20)) {
      await run(
        database,
        `alter table t add column c${n} default ${n}`,
        'insert into t (a) values (1)',
      )
      const { rows: found } = await database.execute('select * from t limit 1')
      expect(Object.keys(found[0]!)).toHaveLength(n + 1)
      expect(Object.values(found[0]!).at(-1)).toBe(n)
    }
    await run(database, 'drop table t')
    expect((await rejection(database.execute('select * from t'))).message).toBe('no such table: t')
    await run(database, 'create table t (b)', 'insert into t values (7)')
    expect((await database.execute('select * from t')).rows).toEqual([{ b: 7 }])
  })

  test('finds them so, too, when another process has changed the schema', async () => {
    const database = await withTable({ mode, readers: 2 })
    await run(database, 'insert into t values (1)')
    const other = await otherProcess(database.path)
    for (const n of upTo(10)) {
      expect(await other.run(`alter table t add column c${n} default ${n}`)).toBe('ok')
      const { rows: objects } = await database.execute('select * from t')
      expect(Object.values(objects[0]!)).toEqual([1, ...upTo(n)])
      expect((await database.execute('select * from t', [], { rows: 'arrays' })).rows).toEqual([
        [1, ...upTo(n)],
      ])
    }
  })
})

describe.for(modes)('what only the connection that writes can tell: %s', (mode) => {
  test('last_insert_rowid(), changes() and total_changes() are those of the writes', async () => {
    const database = await withTable({ mode, readers: 2 })
    for (const n of upTo(20)) {
      await database.execute(
        `insert into t values ${upTo(n)
          .map(() => '(1)')
          .join(', ')}`,
      )
      const sum = (n * (n + 1)) / 2
      expect(await value(database, 'select last_insert_rowid()')).toBe(sum)
      expect(await value(database, 'SELECT Last_Insert_RowId ( )')).toBe(sum)
      expect(await value(database, 'select changes()')).toBe(n)
      expect(await value(database, 'select total_changes()')).toBe(sum)
      expect(await value(database, 'select a from t where rowid = last_insert_rowid()')).toBe(1)
      expect(
        await column(
          database,
          'with l(i) as (select last_insert_rowid()) select i + changes() from l',
        ),
      ).toEqual([sum + n])
      for await (const chunk of database.stream('select last_insert_rowid() as id'))
        expect(chunk).toEqual([{ id: sum }])
    }
  })

  test('last_insert_rowid() in a view, too', async () => {
    const database = await withTable({ mode, readers: 2 })
    await run(
      database,
      'create view last as select last_insert_rowid() as id',
      'insert into t values (1), (2), (3)',
    )
    expect(await value(database, 'select id from last')).toBe(3)
  })

  test('PRAGMA is answered by it, and what was set stays so', async () => {
    const database = await withTable({ mode, readers: 2 })
    await run(
      database,
      'pragma cache_size = -1234',
      'pragma user_version = 7',
      'pragma foreign_keys = off',
    )
    expect(await value(database, 'pragma cache_size')).toBe(-1234)
    expect(await value(database, 'pragma user_version')).toBe(7)
    expect(await value(database, 'pragma foreign_keys')).toBe(0)
    expect(await value(database, 'select foreign_keys from pragma_foreign_keys')).toBe(0)
    expect(await column(database, "select name from pragma_table_info('t')")).toEqual(['a'])
    expect((await database.execute('pragma table_info(t)')).rows).toHaveLength(1)
  })

  test('temporary tables are found, also those that stand before another one', async () => {
    const database = await withTable({ mode, readers: 2 })
    await run(database, 'insert into t values (1)')
    expect(await column(database, rows)).toEqual([1])
    await run(database, 'create temp table mine (a)', 'insert into mine values (5)')
    expect(await column(database, 'select a from mine')).toEqual([5])
    expect(await column(database, 'select t.a + mine.a from t, mine')).toEqual([6])
    await run(database, 'create temp table t (a)', 'insert into temp.t values (-1)')
    expect(await column(database, rows)).toEqual([-1])
    expect(await column(database, 'select a from main.t')).toEqual([1])
    for await (const chunk of database.stream(rows)) expect(chunk).toEqual([{ a: -1 }])
    await run(database, 'drop table temp.t')
    expect(await column(database, rows)).toEqual([1])
    await run(database, 'create temp view t as select 9 as a')
    expect(await column(database, 'select a from t')).toEqual([9])
  })

  test('do not keep others waiting for it: reads and streams of the file go on beside a transaction', async () => {
    const database = await withTable({ mode, readers: 1, busyTimeoutMs: 1_000 })
    await run(database, 'insert into t values (1)', 'create temp table own (a)')
    const session = database.connect()
    await session.begin()
    await run(session, 'insert into t values (2)')
    for (const sql of ['select a from t', 'select a as b from t']) {
      expect(await column(database, sql)).toEqual([1])
      const stream = database.stream(`${sql} where true`, [], { rows: 'arrays' })
      expect((await stream.next()).value).toEqual([[1]])
      await stream.return!()
    }
    const own = column(database, 'select a from own')
    await run(session, 'insert into own values (3)')
    await session.commit()
    expect(await own).toEqual([3])
  })

  test('do not keep a write waiting for a stream of the file', async () => {
    const database = await withTable({ mode, readers: 1, busyTimeoutMs: 1_000 })
    await run(database, 'insert into t values (1), (2)', 'create temp table own (a)')
    const stream = database.stream('select a from t', [], { chunkRows: 1 })
    await stream.next()
    await run(database, 'insert into t values (3)')
    expect((await stream.next()).value).toEqual([{ a: 2 }])
    await stream.return!()
    const rows = database.stream('select a from own', [], { rows: 'arrays' })
    expect((await rows.next()).done).toBe(true)
  })

  test('attached databases are found, and gone when they are detached', async () => {
    const elsewhere = open()
    await run(elsewhere, 'create table there (a)', 'insert into there values (7)')
    const database = await withTable({ mode, readers: 2 })
    await run(database, `attach '${elsewhere.path}' as other`)
    expect(await column(database, 'select a from other.there')).toEqual([7])
    expect(await column(database, 'select a from there')).toEqual([7])
    await run(database, 'insert into other.there values (8)')
    expect(await column(elsewhere, 'select a from there')).toEqual([7, 8])
    await run(database, 'detach other')
    expect((await rejection(column(database, 'select a from there'))).message).toBe(
      'no such table: there',
    )
  })

  test('EXPLAIN works, for reads and writes', async () => {
    const database = await withTable({ mode, readers: 2 })
    expect((await database.execute('explain query plan select a from t')).rows).toHaveLength(1)
    expect(
      (await database.execute('explain insert into t values (1)')).rows.length,
    ).toBeGreaterThan(1)
    expect(await column(database, rows)).toEqual([])
  })
})

describe.for(modes)('text that would begin or end a transaction: %s', (mode) => {
  const texts = [
    'begin',
    'BEGIN IMMEDIATE',
    '  /* a */ begin -- b',
    'commit',
    'end transaction',
    'rollback',
    'savepoint a',
    'release a',
    'rollback to a',
  ]
  test.for(texts)('%s is refused, and nothing is left open', async (text) => {
    const database = await withTable({ mode, readers: 1 })
    const error = await rejection(database.execute(text))
    expect(error).toBeInstanceOf(SqliteStatementError)
    expect(error.code).toBe('TRANSACTION_CONTROL')
    expect(error.stack).toContain('routing.test.ts')
    await rejection(database.stream(text).next())
    const other = await otherProcess(database.path)
    expect(await other.run('insert into t values (1)')).toBe('ok')
    await run(database, 'insert into t values (2)')
    expect(await column(database, rows)).toEqual([1, 2])
  })

  test('is refused in the middle of others, which are not harmed', async () => {
    const database = await withTable({ mode })
    const results = await Promise.allSettled(
      [
        'insert into t values (1)',
        'begin',
        'insert into t values (2)',
        'commit',
        'insert into t values (3)',
      ].map((sql) => database.execute(sql)),
    )
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    expect(await column(database, rows)).toEqual([1, 2, 3])
  })

  test('several statements in one text, and a text without one, are refused', async () => {
    const database = await withTable({ mode })
    expect((await rejection(database.execute('select 1; select 2'))).code).toBe(
      'MULTIPLE_STATEMENTS',
    )
    expect((await rejection(database.execute('insert into t values (1); commit'))).code).toBe(
      'MULTIPLE_STATEMENTS',
    )
    expect((await rejection(database.execute(' -- nothing'))).code).toBe('EMPTY_STATEMENT')
    expect((await rejection(database.execute('pragma journal_mode = delete'))).code).toBe(
      'SETTING_PRAGMA',
    )
    expect(await column(database, rows)).toEqual([])
  })
})

describe('reads and writes on their threads', () => {
  test('run beside each other, as many reads as there are readers', async () => {
    const database = await withTable({ readers: 2, connectionModule: functions })
    const reading = hold()
    const writing = hold()
    const reads = upTo(2).map(() => value(database, `select ${reading.sql}`))
    const write = database.execute(`insert into t select ${writing.sql}`)
    // Each of the three waits on a thread of its own.
    await reading.begun(2)
    await writing.begun()
    reading.go()
    expect(await Promise.all(reads)).toEqual([1, 1])
    writing.go()
    await write
    expect(await column(database, rows)).toEqual([1])
  })

  test('a read does not wait for the write before it, which it does not see before it is acknowledged', async () => {
    const database = await withTable({ readers: 1, connectionModule: functions })
    const held = hold()
    const write = database.execute(`insert into t select ${held.sql}`)
    await held.begun()
    expect(await column(database, rows)).toEqual([])
    held.go()
    await write
    expect(await column(database, rows)).toEqual([1])
  })

  test('a write does not wait for a read', async () => {
    const database = await withTable({ readers: 1, connectionModule: functions })
    const held = hold()
    const read = value(database, `select ${held.sql} + (select count(*) from t)`)
    await held.begun()
    await run(database, 'insert into t values (1)')
    await database.transaction((tx) => tx.execute('insert into t values (2)'))
    held.go()
    expect([1, 2, 3]).toContain(await read)
  })

  test('a read goes to a reader that is free', async () => {
    const database = await withTable({ readers: 2, connectionModule: functions })
    const held = hold()
    const stuck = value(database, `select ${held.sql}`)
    await held.begun()
    for (const n of upTo(50)) expect(await value(database, 'select ?', [n])).toBe(n)
    expect(await Promise.all(upTo(50).map((n) => value(database, 'select ?', [n])))).toEqual(
      upTo(50),
    )
    held.go()
    await stuck
  })

  test('a read does not wait for a long one that was sent together with it', async () => {
    const database = await withTable({ readers: 2, connectionModule: functions })
    await Promise.all(upTo(50).map((n) => value(database, 'select ?', [n])))
    const held = hold()
    const stuck = value(database, `select ${held.sql}`)
    expect(await Promise.all(upTo(50).map((n) => value(database, 'select ?', [n])))).toEqual(
      upTo(50),
    )
    held.go()
    await stuck
  })

  test('never run on the calling thread', async () => {
    const database = await withTable({ readers: 2, connectionModule: functions })
    const threads = new Set<unknown>()
    const read = await Promise.all(upTo(20).map(() => value(database, 'select thread()')))
    for (const thread of read) threads.add(thread)
    await run(database, 'insert into t select thread()')
    for (const thread of await column(database, 'select a from t')) {
      expect(threads).not.toContain(thread)
      threads.add(thread)
    }
    for await (const chunk of database.stream<{ a: number }>('select thread() as a'))
      threads.add(chunk[0]!.a)
    expect(threads).not.toContain(0)
    expect(threads.size).toBeLessThanOrEqual(4)
  })

  test('a file is made, and is in WAL mode', async () => {
    const database = await withTable()
    expect(existsSync(database.path)).toBe(true)
    expect(await value(database, 'pragma journal_mode')).toBe('wal')
    expect(database.mode).toBe('threads')
    expect((database as SqliteDatabase).options.mode).toBe('threads')
  })

  test('read-only transactions read on a reader of their own', async () => {
    const database = await withTable({ readers: 2, connectionModule: functions })
    const held = hold()
    const write = database.execute(`insert into t select ${held.sql}`)
    await held.begun()
    await database.transaction(
      async (tx) => {
        expect(await value(tx, 'select count(*) from t')).toBe(0)
        held.go()
        await write
        // Its snapshot is that of its first read.
        expect(await value(tx, 'select count(*) from t')).toBe(0)
        expect((await rejection(tx.execute('insert into t values (2)'))).code).toBe(
          'SQLITE_READONLY',
        )
      },
      { accessMode: 'read only' },
    )
    expect(await column(database, rows)).toEqual([1])
  })
})
