import { existsSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { OptionError } from '@keelson/core'
import {
  SqliteBackupError,
  SqliteOpenError,
  type SqliteDatabase,
  type SqliteOptions,
} from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { openFilesIn } from '../support/open-files.ts'
import { rejection } from '../support/rejection.ts'
import { temporaryDirectory, temporaryFile } from '../support/temporary-directory.ts'
import { open, plain, run, value } from './fixture.ts'

/** Accounts whose balances add up to nothing, whatever is committed. */
async function withAccounts(options: SqliteOptions = {}): Promise<SqliteDatabase> {
  const database = open(options)
  await run(
    database,
    'create table account (id integer primary key, balance integer, filling text)',
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000) insert into account select i, 0, printf('%.*c', 300, 'x') from n",
  )
  return database
}

async function transfer(database: SqliteDatabase): Promise<void> {
  const [from, to] = [1 + Math.floor(Math.random() * 3000), 1 + Math.floor(Math.random() * 3000)]
  await database.transaction(async (tx) => {
    await tx.execute('update account set balance = balance - 1 where id = ?', [from])
    await tx.execute('update account set balance = balance + 1 where id = ?', [to])
  })
}

function content(file: string): { sum: number; rows: number; check: unknown } {
  const copy = plain(file)
  const row = copy.prepare('select sum(balance) as sum, count(*) as rows from account').get() as {
    sum: number
    rows: number
  }
  return { ...row, check: copy.pragma('integrity_check', { simple: true }) }
}

const sound = { sum: 0, rows: 3000, check: 'ok' }

describe('backup()', () => {
  test('copies a database into one file, and says what it did', async () => {
    const database = await withAccounts()
    const file = temporaryFile('copy.db')
    const report = await database.maintenance.backup(file)
    expect(report).toEqual({
      file,
      pages: expect.any(Number),
      bytes: readFileSync(file).length,
      elapsedMs: expect.any(Number),
    })
    expect(report.pages * 4096).toBe(report.bytes)
    expect(readdirSync(dirname(file))).toEqual(['copy.db'])
    expect(openFilesIn(dirname(file))).toEqual([])
    expect(content(file)).toEqual(sound)
    expect(plain(file).pragma('journal_mode', { simple: true })).toBe('delete')
  })

  test('of a database that is written all the time ends, and is as of one commit', async () => {
    const database = await withAccounts()
    const file = temporaryFile('copy.db')
    let isDone = false
    let commits = 0
    const writing = (async () => {
      while (!isDone) {
        await transfer(database)
        commits++
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    await database.maintenance.backup(file, { pagesPerSlice: 3 })
    isDone = true
    await writing
    expect(commits).toBeGreaterThan(20)
    expect(content(file)).toEqual(sound)
  })

  test('of a database that another process writes is as of one commit, too', async () => {
    const database = await withAccounts()
    const other = plain(database.path)
    const move = other.transaction(() => {
      other.exec('update account set balance = balance - 1 where id = 1')
      other.exec('update account set balance = balance + 1 where id = 2999')
    })
    const file = temporaryFile('copy.db')
    let moves = 0
    await database.maintenance.backup(file, {
      pagesPerSlice: 50,
      onProgress: () => {
        if (moves++ < 5) move.immediate()
      },
    })
    expect(content(file)).toEqual(sound)
  })

  test('waits for the transaction that is open, and never copies a part of it', async () => {
    const database = await withAccounts()
    const file = temporaryFile('copy.db')
    const backup = await database.transaction(async (tx) => {
      await tx.execute('update account set balance = balance + 100 where id = 1')
      const backup = database.maintenance.backup(file)
      await sleep(30)
      expect(existsSync(file)).toBe(false)
      await tx.execute('update account set balance = balance - 100 where id = 2')
      return { backup }
    })
    expect((await backup.backup).pages).toBeGreaterThan(100)
    expect(content(file)).toEqual(sound)
    expect(plain(file).prepare('select balance from account where id = 1').get()).toEqual({
      balance: 100,
    })
  })

  test('goes on behind a transaction that began while it was copying', async () => {
    const database = await withAccounts()
    const file = temporaryFile('copy.db')
    let transaction: Promise<unknown> | undefined
    await database.maintenance.backup(file, {
      pagesPerSlice: 10,
      onProgress: () => {
        transaction ??= database.transaction(async (tx) => {
          await tx.execute('update account set balance = balance + 7')
          await sleep(20)
          await tx.execute('update account set balance = balance - 7')
        })
      },
    })
    await transaction
    expect(content(file)).toEqual(sound)
  })

  test('inside a transaction of its own caller gives up, and says why', async () => {
    const database = await withAccounts({ busyTimeoutMs: 50 })
    const file = temporaryFile('copy.db')
    const error = await database.transaction(() => rejection(database.maintenance.backup(file)))
    expect(error).toBeInstanceOf(SqliteBackupError)
    expect(error.cause).toMatchObject({ code: 'CONNECTION_BUSY' })
    expect(readdirSync(dirname(file))).toEqual([])
  })

  test('leaves the event loop free between slices, and tells how far it is', async () => {
    const database = await withAccounts()
    const progress: number[] = []
    const totals = new Set<number>()
    let turns = 0
    const turn = (): void => {
      turns++
      if (!isDone) setImmediate(turn)
    }
    let isDone = false
    turn()
    const { pages } = await database.maintenance.backup(temporaryFile('copy.db'), {
      pagesPerSlice: 5,
      onProgress({ totalPages, remainingPages }) {
        progress.push(remainingPages)
        totals.add(totalPages)
      },
    })
    isDone = true
    expect([...totals]).toEqual([pages])
    expect(progress.length).toBeGreaterThan(20)
    expect(progress).toEqual(progress.toSorted((a, b) => b - a))
    expect(turns).toBeGreaterThanOrEqual(progress.length)
  })

  test('of a database in memory, of one opened for reading, and of one with nothing in it', async () => {
    const inMemory = await withAccounts({ path: ':memory:' })
    const first = temporaryFile('copy.db')
    await inMemory.maintenance.backup(first)
    expect(content(first)).toEqual(sound)

    const second = temporaryFile('copy.db')
    await open({ path: first, readOnly: true }).maintenance.backup(second)
    expect(content(second)).toEqual(sound)

    for (const empty of [open(), open({ path: ':memory:' })]) {
      const third = temporaryFile('copy.db')
      await empty.maintenance.backup(third)
      expect(plain(third).prepare('select * from sqlite_schema').all()).toEqual([])
    }
  })

  test('of values that only a database knows: sequences, versions, large ids', async () => {
    const database = open({ pragmas: { page_size: 8192, user_version: 7, application_id: 9 } })
    await run(
      database,
      'create table t (id integer primary key autoincrement)',
      'insert into t values (9007199254740993)',
      'delete from t',
    )
    const file = temporaryFile('copy.db')
    await database.maintenance.backup(file)
    const copy = plain(file)
    expect(
      ['page_size', 'user_version', 'application_id'].map((name) =>
        copy.pragma(name, { simple: true }),
      ),
    ).toEqual([8192, 7, 9])
    copy.exec('insert into t default values')
    expect(copy.prepare('select id from t').safeIntegers().get()).toEqual({ id: 9007199254740994n })
  })
})

describe('a backup that is not made', () => {
  const cause = new Error('mine')

  test('does not touch a file that is there already', async () => {
    const database = await withAccounts()
    const file = temporaryFile('letter.txt')
    writeFileSync(file, 'Dear Sir or Madam')
    for (const target of [file, database.path]) {
      const before = readFileSync(target)
      const error = await rejection(database.maintenance.backup(target))
      expect(error).toBeInstanceOf(SqliteBackupError)
      expect(error.code).toBe('BACKUP_EXISTS')
      expect(error.message).toMatch(
        /a backup does not overwrite\. Give a new name, or remove the file first\./,
      )
      expect(readFileSync(target).equals(before)).toBe(true)
    }
    expect(readdirSync(dirname(file))).toEqual(['letter.txt'])
  })

  test('nor one that appears while it is copying', async () => {
    const database = await withAccounts()
    const file = temporaryFile('copy.db')
    const error = await rejection(
      database.maintenance.backup(file, { onProgress: () => writeFileSync(file, 'mine') }),
    )
    expect(error.code).toBe('BACKUP_EXISTS')
    expect(readFileSync(file, 'utf8')).toBe('mine')
    expect(readdirSync(dirname(file))).toEqual(['copy.db'])
  })

  test('nor what a link leads to', async () => {
    const database = await withAccounts()
    const file = temporaryFile('copy.db')
    symlinkSync(join(dirname(file), 'elsewhere.db'), file)
    const error = await rejection(database.maintenance.backup(file))
    expect(error).toBeInstanceOf(SqliteBackupError)
    expect(readdirSync(dirname(file))).toEqual(['copy.db'])
  })

  test('has its signal to end it, with the reason, and leaves nothing', async () => {
    const database = await withAccounts()
    const file = temporaryFile('copy.db')
    const controller = new AbortController()
    const error = await rejection(
      database.maintenance.backup(file, {
        pagesPerSlice: 2,
        signal: controller.signal,
        onProgress: ({ remainingPages, totalPages }) => {
          if (remainingPages < totalPages / 2) controller.abort(cause)
        },
      }),
    )
    expect(error).toBe(cause)
    expect(
      await rejection(database.maintenance.backup(file, { signal: AbortSignal.abort(cause) })),
    ).toBe(cause)
    expect(readdirSync(dirname(file))).toEqual([])
    expect(openFilesIn(dirname(file))).toEqual([])
  })

  test('ends its wait for a transaction by its signal as well', async () => {
    const database = await withAccounts()
    const file = temporaryFile('copy.db')
    await database.transaction(async () => {
      const controller = new AbortController()
      const backup = rejection(database.maintenance.backup(file, { signal: controller.signal }))
      await sleep(10)
      controller.abort(cause)
      expect(await backup).toBe(cause)
    })
    expect(readdirSync(dirname(file))).toEqual([])
  })

  test('leaves nothing when its progress listener throws', async () => {
    const database = await withAccounts()
    const file = temporaryFile('copy.db')
    const error = await rejection(
      database.maintenance.backup(file, {
        onProgress() {
          throw cause
        },
      }),
    )
    expect(error).toBeInstanceOf(SqliteBackupError)
    expect(error.code).toBe('BACKUP_FAILED')
    expect(error.message).toMatch(
      /The backup to .*copy\.db failed: mine\. Nothing was left behind\./,
    )
    expect(error.cause).toBe(cause)
    expect(readdirSync(dirname(file))).toEqual([])
    await run(database, 'update account set balance = 0')
  })

  test('leaves nothing when the database is closed meanwhile', async () => {
    const database = await withAccounts()
    const file = temporaryFile('copy.db')
    let closing: Promise<unknown> | undefined
    const error = await rejection(
      database.maintenance.backup(file, {
        pagesPerSlice: 1,
        onProgress: () => {
          closing ??= database.close()
        },
      }),
    )
    expect(error).toBeInstanceOf(SqliteBackupError)
    await closing
    expect(readdirSync(dirname(file))).toEqual([])
    expect(openFilesIn(dirname(file))).toEqual([])
    expect(openFilesIn(dirname(database.path))).toEqual([])
  })

  test('refuses paths and options that cannot be used', async () => {
    const database = await withAccounts()
    const directory = temporaryDirectory()
    const paths: [unknown, string][] = [
      [directory, 'PATH_IS_DIRECTORY'],
      [join(directory, 'missing', 'copy.db'), 'DIRECTORY_MISSING'],
      ['a\0b', 'PATH_INVALID'],
      ['', 'PATH_INVALID'],
      ['file:copy.db', 'PATH_INVALID'],
      [undefined, 'PATH_INVALID'],
      [':memory:', 'PATH_INVALID'],
    ]
    for (const [path, code] of paths) {
      const error = await rejection(database.maintenance.backup(path as string))
      expect(error).toBeInstanceOf(SqliteOpenError)
      expect(error.code).toBe(code)
      if (code === 'PATH_INVALID') expect(error.message).toMatch(/^backup\(\) cannot use /)
    }
    const options: [object, string][] = [
      [{ onprogress() {} }, 'onprogress'],
      [{ pagesPerSlice: 0 }, 'pagesPerSlice'],
      [{ pagesPerSlice: 1.5 }, 'pagesPerSlice'],
      [{ pagesPerSlice: Infinity }, 'pagesPerSlice'],
    ]
    for (const [option, name] of options) {
      const error = await rejection(database.maintenance.backup(join(directory, 'copy.db'), option))
      expect(error).toBeInstanceOf(OptionError)
      expect(error.option).toBe(name)
    }
    expect(readdirSync(directory)).toEqual([])
    expect(existsSync(':memory:')).toBe(false)
    expect(await value(database, 'select count(*) from account')).toBe(3000)
  })

  test('of a damaged database is refused, and left behind by no name', async () => {
    const path = temporaryFile()
    const database = await withAccounts({ path })
    await run(
      database,
      'create index by_balance on account (balance)',
      'pragma wal_checkpoint(truncate)',
    )
    await database.close()
    damage(path)
    const file = temporaryFile('copy.db')
    const error = await rejection(open({ path }).maintenance.backup(file))
    expect(error).toBeInstanceOf(SqliteBackupError)
    expect(error.code).toBe('BACKUP_CORRUPT')
    expect(error.message).toMatch(
      /fails its integrity check: .* Run maintenance\.integrityCheck\(\) on the database itself\./,
    )
    expect(readdirSync(dirname(file))).toEqual([])
  })
})

/** Overwrites the middle of a file. */
function damage(path: string): void {
  const bytes = readFileSync(path)
  bytes.fill(0x5a, bytes.length / 2, bytes.length / 2 + 2000)
  writeFileSync(path, bytes)
}
