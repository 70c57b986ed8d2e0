import { ConnectionBusyError, OptionError } from '@keelson/core'
import { openSqlite, SqliteOpenError, type SqliteOptions } from '@keelson/sqlite'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { temporaryFile } from '../support/temporary-directory.ts'
import { column, open, plain, run, value } from './fixture.ts'

function handle(): Database.Database {
  const database = plain(temporaryFile())
  database.exec('create table t (a); insert into t values (1)')
  return database
}

describe('a better-sqlite3 database that was handed in', () => {
  test('is used as it is: its settings stay', async () => {
    const raw = handle()
    const before = ['journal_mode', 'foreign_keys', 'synchronous', 'busy_timeout'].map((name) =>
      raw.pragma(name),
    )
    const database = open({ database: raw })
    await run(database, 'insert into t values (2)')
    expect(
      ['journal_mode', 'foreign_keys', 'synchronous', 'busy_timeout'].map((name) =>
        raw.pragma(name),
      ),
    ).toEqual(before)
    expect(database.path).toBe(raw.name)
    expect(raw.prepare('select a from t').all()).toEqual([{ a: 1 }, { a: 2 }])
  })

  test('is not closed, and stays usable, also when it was closed in the middle of things', async () => {
    const raw = handle()
    const database = open({ database: raw })
    const session = database.connect()
    await session.begin()
    await session.execute('insert into t values (2)')
    const stream = database.connect().stream('select a from t')
    expect((await database.close({ deadlineMs: 10 })).forced).toHaveLength(1)
    expect(raw.open).toBe(true)
    expect(raw.inTransaction).toBe(false)
    expect(raw.prepare('select a from t').all()).toEqual([{ a: 1 }])
    raw.exec('insert into t values (3)')
    expect((await rejection(stream.next())).code).toBe('DATABASE_CLOSED')
    expect((await rejection(database.execute('select 1'))).code).toBe('DATABASE_CLOSED')

    const again = open({ database: raw })
    expect(again).not.toBe(database)
    expect(await column(again, 'select a from t')).toEqual([1, 3])
  })

  test('runs everything on its one connection: transactions, streams, maintenance', async () => {
    const database = open({ database: handle() })
    await database.transaction(async (tx) => {
      await tx.execute('insert into t values (2)')
      await tx.savepoint('s')
      await tx.execute('insert into t values (3)')
      await tx.rollbackToSavepoint('s')
    })
    for await (const chunk of database.stream('select a from t'))
      expect(chunk).toEqual([{ a: 1 }, { a: 2 }])
    expect(
      await database.transaction((tx) => value(tx, 'select count(*) from t'), {
        accessMode: 'read only',
      }),
    ).toBe(2)
    expect((await database.maintenance.integrityCheck()).ok).toBe(true)
    const file = temporaryFile()
    await database.maintenance.backup(file)
    expect(plain(file).prepare('select a from t').all()).toEqual([{ a: 1 }, { a: 2 }])
    await database.maintenance.vacuum()
  })

  test('is one database however often it is handed in, so that all wait at one gate', async () => {
    const raw = handle()
    const first = open({ database: raw, busyTimeoutMs: 40, int64: 'bigint' })
    expect(openSqlite({ database: raw })).toBe(first)
    expect(openSqlite({ database: raw, int64: 'bigint' })).toBe(first)
    await first.transaction(async () => {
      const second = openSqlite({ database: raw })
      expect(await rejection(second.execute('insert into t values (2)'))).toBeInstanceOf(
        ConnectionBusyError,
      )
    })
    for (const options of [
      { int64: 'string' },
      { busyTimeoutMs: 41 },
      { behavior: 'deferred' },
    ] as SqliteOptions[]) {
      const error = await rejection(() => openSqlite({ ...options, database: raw }))
      expect(error).toBeInstanceOf(OptionError)
      expect(error.message).toMatch(
        /was given this database before.* Share what the first call returned\./,
      )
    }
  })

  test('takes no options that only opening can fulfil', async () => {
    const raw = handle()
    const ofOpening: SqliteOptions[] = [
      { readOnly: true },
      { readers: 2 },
      { synchronous: 'full' },
      { foreignKeys: true },
      { pragmas: { cache_size: -1000 } },
      { directory: '/' },
    ]
    for (const options of ofOpening) {
      const error = await rejection(() => openSqlite({ ...options, database: raw }))
      expect(error).toBeInstanceOf(OptionError)
      expect(error).toMatchObject({ code: 'INVALID_OPTION', option: Object.keys(options)[0] })
      expect(error.message).toMatch(
        /on a database that is open already\. Set it when you open it, or give a `path`\./,
      )
    }
  })

  test('must be one, and open', async () => {
    const closed = new Database(':memory:')
    closed.close()
    for (const [wrong, message] of [
      [closed, /has been closed\. Pass an open one\./],
      [{}, /is not a better-sqlite3 database\. Pass `new Database\(file\)`/],
      ['app.db', /is not a better-sqlite3 database/],
      [null, /is not a better-sqlite3 database/],
      [() => closed, /is not a better-sqlite3 database/],
    ] as const) {
      const error = await rejection(() =>
        openSqlite({ database: wrong } as unknown as SqliteOptions),
      )
      expect(error).toBeInstanceOf(SqliteOpenError)
      expect(error).toMatchObject({ code: 'OPEN_FAILED', message: expect.stringMatching(message) })
    }
  })

  test('that its owner closes too early gives errors, and close() still works', async () => {
    const raw = handle()
    const database = open({ database: raw })
    const session = database.connect()
    await session.begin()
    raw.close()
    expect(await rejection(session.execute('select 1'))).toBeInstanceOf(Error)
    expect(await rejection(session.commit())).toBeInstanceOf(Error)
    await session.release()
    expect(await rejection(database.execute('select 1'))).toBeInstanceOf(Error)
    await database.close()
  })
})

describe('a better-sqlite3 database that its owner uses too', () => {
  test('takes no write into a transaction that the owner began', async () => {
    const raw = handle()
    const database = open({ database: raw })
    raw.exec('begin')
    const error = await rejection(database.execute('insert into t values (2)'))
    expect(error).toBeInstanceOf(ConnectionBusyError)
    expect(error.message).toContain('begun on the handle itself')
    raw.exec('rollback')
    await run(database, 'insert into t values (3)')
    expect(await column(database, 'select a from t order by a')).toEqual([1, 3])
  })

  test('cannot be handed in again before the first use of it has been closed', async () => {
    const raw = handle()
    const database = openSqlite({ database: raw })
    const session = database.connect()
    await session.begin()
    const closing = database.close({ deadlineMs: 20 })
    expect(await rejection(() => openSqlite({ database: raw }))).toBeInstanceOf(SqliteOpenError)
    await closing
    const again = open({ database: raw })
    expect(await value(again, 'select count(*) from t')).toBe(1)
  })
})
