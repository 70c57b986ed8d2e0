import { chmodSync, readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { OptionError } from '@keelson/core'
import { openSqlite, type SqliteOptions } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { temporaryFile } from '../support/temporary-directory.ts'
import { column, open, plain, run, value } from './fixture.ts'

/** A setting as the write connection and as a read connection have it. */
async function settings(options: SqliteOptions, name: string): Promise<unknown[]> {
  const database = open({ path: temporaryFile(), ...options })
  const reader = await database.transaction((tx) => value(tx, `pragma ${name}`), {
    accessMode: 'read only',
  })
  return [await value(database, `pragma ${name}`), reader]
}

describe('defaults', () => {
  test('a file is in WAL mode, with foreign keys on, and writes that are safe from a crash', async () => {
    expect(await settings({}, 'journal_mode')).toEqual(['wal', 'wal'])
    expect(await settings({}, 'foreign_keys')).toEqual([1, 1])
    expect(await settings({}, 'synchronous')).toEqual([1, 1])
    expect(await settings({}, 'temp_store')).toEqual([2, 2])
    expect(await settings({}, 'journal_size_limit')).toEqual([64 * 1024 * 1024, 64 * 1024 * 1024])
  })

  test('a read connection cannot write', async () => {
    expect(await settings({}, 'query_only')).toEqual([0, 1])
  })

  test('SQLite itself never waits for a lock, so that the event loop does not', async () => {
    expect(await settings({ busyTimeoutMs: 9000 }, 'busy_timeout')).toEqual([0, 0])
  })

  test('WAL mode is in the file, also for those who open it otherwise', async () => {
    const database = open()
    expect(plain(database.path).pragma('journal_mode', { simple: true })).toBe('wal')
  })

  test('a database in memory has the same settings where they mean anything', async () => {
    const database = open({ path: ':memory:' })
    expect(await value(database, 'pragma journal_mode')).toBe('memory')
    expect(await value(database, 'pragma foreign_keys')).toBe(1)
    expect(database.options.readers).toBe(4)
  })
})

describe('options', () => {
  test('synchronous', async () => {
    expect(await settings({ synchronous: 'full' }, 'synchronous')).toEqual([2, 2])
    expect(await settings({ synchronous: 'normal' }, 'synchronous')).toEqual([1, 1])
    expect(await settings({ synchronous: 'off' }, 'synchronous')).toEqual([0, 0])
  })

  test('foreignKeys', async () => {
    expect(await settings({ foreignKeys: false }, 'foreign_keys')).toEqual([0, 0])
    const database = open()
    await run(
      database,
      'create table parent (id integer primary key)',
      'create table child (parent_id references parent)',
    )
    const error = await rejection(database.execute('insert into child values (1)'))
    expect(error.code).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
  })

  test('pragmas, by number, name, boolean and text, on every connection', async () => {
    expect(await settings({ pragmas: { cache_size: -8000 } }, 'cache_size')).toEqual([-8000, -8000])
    expect(await settings({ pragmas: { temp_store: 'file' } }, 'temp_store')).toEqual([1, 1])
    expect(await settings({ pragmas: { recursive_triggers: true } }, 'recursive_triggers')).toEqual(
      [1, 1],
    )
    expect(await settings({ pragmas: { secure_delete: 'fast' } }, 'secure_delete')).toEqual([2, 2])
    expect(await settings({ pragmas: { mmap_size: 1_000_000 } }, 'mmap_size')).toEqual([
      1_000_000, 1_000_000,
    ])
  })

  test('pragmas that shape a new file', async () => {
    expect(await settings({ pragmas: { page_size: 8192 } }, 'page_size')).toEqual([8192, 8192])
    expect(await settings({ pragmas: { auto_vacuum: 'incremental' } }, 'auto_vacuum')).toEqual([
      2, 2,
    ])
    const database = open({ pragmas: { encoding: 'UTF-16le' } })
    await run(database, "create table t as select 'Ünïcödé 🦆' as a")
    expect(await value(database, 'pragma encoding')).toBe('UTF-16le')
    for await (const rows of database.stream('select a from t'))
      expect(rows).toEqual([{ a: 'Ünïcödé 🦆' }])
  })

  test('a shape that an existing file does not have is an error', async () => {
    const path = temporaryFile()
    const database = open({ path })
    await run(database, 'create table t (a)')
    await database.close()
    const error = await rejection(() => openSqlite({ path, pragmas: { page_size: 8192 } }))
    expect(error).toBeInstanceOf(OptionError)
    expect(error).toMatchObject({ code: 'SETTING_NOT_APPLIED', option: 'pragmas.page_size' })
    expect(error.message).toMatch(/asked for 8192, it reports 4096/)
  })

  test('statementCacheSize: a statement that was pushed out is prepared again', async () => {
    const database = open({ statementCacheSize: 2 })
    for (let round = 0; round < 3; round++)
      for (let each = 0; each < 5; each++)
        expect(await value(database, `select ${each}`)).toBe(each)
  })
})

describe('a PRAGMA as a statement', () => {
  test('works each time, although SQLite does its work while preparing it', async () => {
    const database = open()
    for (let round = 0; round < 3; round++) {
      for (const on of [0, 1]) {
        await run(database, `pragma recursive_triggers = ${on}`, `pragma foreign_keys = ${on}`)
        expect(await value(database, 'pragma recursive_triggers')).toBe(on)
        expect(await value(database, 'pragma foreign_keys')).toBe(on)
      }
    }
  })

  test('works in its turn when it has to wait for a transaction', async () => {
    const database = open()
    const { waiting } = await database.transaction(async (tx) => {
      const waiting = database.execute('pragma foreign_keys = off')
      waiting.catch(() => {})
      expect(await value(tx, 'pragma foreign_keys')).toBe(1)
      return { waiting }
    })
    await waiting
    expect(await value(database, 'pragma foreign_keys')).toBe(0)
  })
})

describe('readOnly', () => {
  async function filled(journal: 'wal' | 'delete'): Promise<string> {
    const path = temporaryFile()
    const other = plain(path)
    other.exec(`pragma journal_mode = ${journal}; create table t (a); insert into t values (1)`)
    other.close()
    return path
  }

  test('reads, also in streams and transactions', async () => {
    for (const journal of ['wal', 'delete'] as const) {
      const database = open({ path: await filled(journal), readOnly: true })
      expect(await value(database, 'select a from t')).toBe(1)
      expect(await database.transaction((tx) => value(tx, 'select a from t'))).toBe(1)
      expect(
        await database.transaction((tx) => value(tx, 'select a from t'), {
          accessMode: 'read only',
        }),
      ).toBe(1)
      for await (const rows of database.stream('select a from t')) expect(rows).toEqual([{ a: 1 }])
      expect(await database.maintenance.integrityCheck()).toEqual({ ok: true, problems: [] })
      expect((await database.close()).forced).toEqual([])
    }
  })

  test('leaves no trace beside a file in rollback mode, and does not change the file', async () => {
    const path = await filled('delete')
    const database = open({ path, readOnly: true })
    await column(database, 'select a from t')
    await Promise.all([column(database, 'select a from t'), column(database, 'select a from t')])
    for await (const _ of database.stream('select a from t')) break
    await database.transaction((tx) => value(tx, 'select a from t'))
    expect(readdirSync(dirname(path))).toEqual(['test.db'])
    await database.close()
    expect(readdirSync(dirname(path))).toEqual(['test.db'])
    expect(plain(path).pragma('journal_mode', { simple: true })).toBe('delete')
  })

  test('works in a directory where nothing may be written', async () => {
    const path = await filled('delete')
    chmodSync(dirname(path), 0o555)
    try {
      expect(await value(open({ path, readOnly: true }), 'select a from t')).toBe(1)
    } finally {
      chmodSync(dirname(path), 0o755)
    }
  })

  test('refuses every way of writing, with the error of SQLite', async () => {
    for (const journal of ['wal', 'delete'] as const) {
      const path = await filled(journal)
      const database = open({ path, readOnly: true })
      const writes = [
        'insert into t values (2)',
        'insert into t values (2) returning a',
        'insert into t values (2) on conflict do update set a = 3',
        'update t set a = 2',
        'delete from t',
        'create table u (a)',
        'drop table t',
        'pragma user_version = 5',
        'vacuum',
      ]
      for (const sql of writes) {
        expect((await rejection(database.execute(sql))).code, sql).toMatch(/^SQLITE_READONLY/)
        const inside = database.transaction(async (tx) => tx.execute(sql))
        expect((await rejection(inside)).code, sql).toMatch(/^SQLITE_(READONLY|ERROR)/)
      }
      expect((await rejection(database.stream('delete from t returning a').next())).code).toMatch(
        /^SQLITE_READONLY/,
      )
      expect((await rejection(database.maintenance.vacuum())).code).toMatch(/^SQLITE_READONLY/)
      expect(await column(database, 'select a from t')).toEqual([1])
    }
  })

  test('sees what others commit', async () => {
    const path = await filled('wal')
    const database = open({ path, readOnly: true })
    expect(await column(database, 'select a from t')).toEqual([1])
    plain(path).exec('insert into t values (2)')
    expect(await column(database, 'select a from t')).toEqual([1, 2])
  })
})

describe('the pragmas option', () => {
  test.each(['x', 7, ['cache_size']])('is refused when it is %o', async (pragmas) => {
    const error = await rejection(() => open({ pragmas: pragmas as never }))
    expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'pragmas' })
  })
})
