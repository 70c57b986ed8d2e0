import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as threads from 'node:worker_threads'
import { DuckDBInstance } from '@duckdb/node-api'
import { OptionError } from '@keelson/core'
import {
  type DuckDBDatabase,
  DuckDBOpenError,
  type DuckDBOptions,
  isDuckDBDatabase,
  openDuckDB,
} from '@keelson/duckdb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openFilesIn } from '../support/open-files.ts'
import { startProgram } from '../support/program.ts'
import { rejection } from '../support/rejection.ts'
import { temporaryDirectory, temporaryFile } from '../support/temporary-directory.ts'
import { column, open, run, value } from './fixture.ts'
import { orders } from './orders.ts'

/** What another process is told when it opens a file for writing. */
async function fromOtherProcess(path: string): Promise<string> {
  const program = startProgram(new URL('./programs/holder.ts', import.meta.url), path, 'READ_WRITE')
  const answer = await program.line()
  await program.end()
  return answer!
}

/** How often this process has the file itself open: once for each instance. */
function instancesOf(path: string): number {
  return openFilesIn(dirname(path)).filter((file) => file === path).length
}

interface Thread {
  /** @returns `'ok'`, or the code of the error */
  order(order: string): Promise<string>
  terminate(): Promise<void>
}

async function thread(): Promise<Thread> {
  const worker = new threads.Worker(new URL('./programs/thread.ts', import.meta.url))
  const answer = async (): Promise<string> => String((await once(worker, 'message'))[0])
  const terminate = async (): Promise<void> => void (await worker.terminate())
  onTestFinished(terminate)
  await answer()
  return {
    order(order) {
      worker.postMessage(order)
      return answer()
    },
    terminate,
  }
}

/** Leaves a WAL behind that takes some time to read. */
async function leaveWal(path: string): Promise<void> {
  const program = startProgram(new URL('./programs/leaver.ts', import.meta.url), path)
  expect(await program.line()).toBe('written')
  await program.kill()
  expect(existsSync(`${path}.wal`)).toBe(true)
}

/** Another copy of this package, as two versions of it in one program are. */
async function otherCopy(): Promise<{ openDuckDB: typeof openDuckDB }> {
  const own = fileURLToPath(new URL('..', import.meta.resolve('@keelson/duckdb')))
  const copy = temporaryDirectory()
  cpSync(join(own, 'src'), join(copy, 'src'), { recursive: true })
  symlinkSync(join(own, 'node_modules'), join(copy, 'node_modules'))
  return import(pathToFileURL(join(copy, 'src', 'index.ts')).href)
}

describe('one instance for each file', () => {
  test('whatever path leads to it', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'app.duckdb')
    await (await open({ path })).close()
    mkdirSync(join(directory, 'a'))
    symlinkSync(path, join(directory, 'link.duckdb'))
    symlinkSync(directory, join(directory, 'way'))
    linkSync(path, join(directory, 'hard.duckdb'))
    const copy = await otherCopy()
    expect(copy.openDuckDB).not.toBe(openDuckDB)
    const byOther = await copy.openDuckDB(path)
    onTestFinished(async () => void (await byOther.close()))
    expect(isDuckDBDatabase(byOther)).toBe(true)
    const databases: DuckDBDatabase[] = [byOther]
    for (const spelling of [
      path,
      relative(process.cwd(), path),
      join(directory, 'a') + '/../app.duckdb',
      join(directory, 'link.duckdb'),
      join(directory, 'way', 'link.duckdb'),
      join(directory, 'hard.duckdb'),
      pathToFileURL(path),
      pathToFileURL(path).href,
    ])
      databases.push(await open({ path: spelling }))
    expect(instancesOf(path)).toBe(1)
    expect(databases.map((database) => database.path)).toEqual(databases.map(() => path))

    await run(databases[0]!, 'create table t (a integer)')
    for (const [index, database] of databases.entries()) {
      await database.execute('insert into t values ($1)', [index])
      for (const each of databases) expect(await value(each, 'select max(a) from t')).toBe(index)
    }
    for (const database of databases) expect(await database.close()).toEqual({ forced: [] })
    expect(readdirSync(directory).toSorted()).toEqual([
      'a',
      'app.duckdb',
      'hard.duckdb',
      'link.duckdb',
      'way',
    ])
    expect(await column(await open({ path }), 'select a from t order by a')).toEqual(
      databases.map((_, index) => index),
    )
  })

  test('also of those that open it at once, and a new file too', async () => {
    for (let round = 0; round < 5; round++) {
      const path = temporaryFile('app.duckdb')
      const databases = await Promise.all(Array.from({ length: 20 }, () => open({ path })))
      expect(instancesOf(path)).toBe(1)
      await run(databases[0]!, 'create table t (a integer)')
      await Promise.all(
        databases.map((database, index) => database.execute('insert into t values ($1)', [index])),
      )
      const reports = await Promise.all(databases.map((database) => database.close()))
      expect(reports).toEqual(databases.map(() => ({ forced: [] })))
      expect(openFilesIn(dirname(path))).toEqual([])
      expect(readdirSync(dirname(path))).toEqual(['app.duckdb'])
      expect(await value(await open({ path }), 'select count(*) from t')).toBe(20)
    }
  })

  test('also of those that open a new file at once by different paths', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'app.duckdb')
    symlinkSync('app.duckdb', join(directory, 'link.duckdb'))
    const [one, other] = await Promise.all([
      open({ path: join(directory, 'link.duckdb') }),
      open({ path }),
    ])
    expect(instancesOf(path)).toBe(1)
    await run(one, 'create table t as select 1 as a')
    expect(await value(other, 'select a from t')).toBe(1)
  })

  test('also of those that come while the last one leaves', async () => {
    const path = temporaryFile('app.duckdb')
    let database = await open({ path })
    await run(database, 'create table t (a integer)')
    for (let round = 0; round < 30; round++) {
      await run(database, `insert into t values (${round})`)
      const closing = database.close()
      for (let turn = 0; turn < round; turn++) await new Promise((next) => setImmediate(next))
      const [next, brief] = await Promise.all([openDuckDB(path), openDuckDB(path)])
      expect(instancesOf(path)).toBe(1)
      expect(await brief.close()).toEqual({ forced: [] })
      expect(await closing).toEqual({ forced: [] })
      database = next
      expect(await value(database, 'select count(*) from t')).toBe(round + 1)
    }
    await database.close()
    expect(openFilesIn(dirname(path))).toEqual([])
  })

  test('also of those that come and leave while the last one leaves', async () => {
    const path = temporaryFile('app.duckdb')
    const warnings: Error[] = []
    const warned = (warning: Error): void => void warnings.push(warning)
    process.on('warning', warned)
    onTestFinished(() => void process.off('warning', warned))
    for (let round = 0; round < 2; round++) {
      const database = await openDuckDB({ path, settings: { wal_autocheckpoint: '1TB' } })
      await run(database, 'create or replace table t (a integer, b varchar)')
      // Enough for the checkpoint to take longer than to come and leave.
      for (let part = 0; part < 6; part++)
        await run(database, 'insert into t select range, md5(range::varchar) from range(50000)')
      const closings = [database.close()]
      for (let brief = 0; brief < 3; brief++) {
        await sleep(20)
        const next = await openDuckDB({ path, settings: { wal_autocheckpoint: '1TB' } })
        closings.push(next.close())
      }
      for (const closing of closings) expect(await closing).toEqual({ forced: [] })
      expect(openFilesIn(dirname(path))).toEqual([])
    }
    expect(warnings).toEqual([])
  })

  test('T3: rows of two databases on one file are all kept, and the bare client loses some', async () => {
    const bare = temporaryFile('bare.duckdb')
    const run = async (instance: DuckDBInstance, ...statements: string[]): Promise<void> => {
      const connection = await instance.connect()
      for (const statement of statements) await connection.run(statement)
      connection.closeSync()
    }
    const first = await DuckDBInstance.create(bare)
    await run(first, 'create table t (a integer)', 'checkpoint')
    const second = await DuckDBInstance.create(bare)
    await run(first, 'insert into t select range from range(0, 20000)')
    await run(second, 'insert into t select range from range(20000, 40000)')
    first.closeSync()
    second.closeSync()
    const program = startProgram(new URL('./programs/count.ts', import.meta.url), bare)
    // DuckDB has said of 40,000 that they are committed.
    expect(Number(await program.line())).toBeLessThan(40_000)

    const path = temporaryFile('app.duckdb')
    const one = await open({ path })
    await one.execute('create table t (a integer)')
    const other = await open({ path })
    await one.execute('insert into t select range from range(0, 20000)')
    await other.execute('insert into t select range from range(20000, 40000)')
    await one.close()
    await other.close()
    expect(await value(await open({ path }), 'select count(distinct a) from t')).toBe(40_000)
  })

  test('does not let go of the lock that keeps other processes out', async () => {
    const path = temporaryFile('app.duckdb')
    const database = await open({ path })
    await run(database, 'create table t (a integer)')
    const locked = /Could not set lock/
    expect(await fromOtherProcess(path)).toMatch(locked)
    // A file that is opened and closed again by the same process has no lock any more.
    const second = await open({ path })
    expect(await fromOtherProcess(path)).toMatch(locked)
    await second.close()
    expect(await fromOtherProcess(path)).toMatch(locked)
    expect((await rejection(openDuckDB({ path, threads: 1 }))).code).toBe('INVALID_OPTION')
    expect((await rejection(openDuckDB({ path, readOnly: true }))).code).toBe('INVALID_OPTION')
    expect(await fromOtherProcess(path)).toMatch(locked)
    await database.close()
    expect(await fromOtherProcess(path)).toBe('open')
  })

  test('a file that was deleted or replaced meanwhile is not taken for the one that is open', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'app.duckdb')
    const database = await open({ path })
    await run(database, 'create table t (a integer)')
    renameSync(path, join(directory, 'renamed.duckdb'))
    const error = await rejection(openDuckDB(path))
    expect(error).toBeInstanceOf(DuckDBOpenError)
    expect(error.code).toBe('OPEN_IN_THIS_PROCESS')
    expect(error.message).toMatch(
      /was deleted or replaced while it was open in this process, .*\. Close the database that has the old file open first\./,
    )
    expect(existsSync(path)).toBe(false)
    const same = await open({ path: join(directory, 'renamed.duckdb') })
    expect(await column(same, 'select table_name from duckdb_tables()')).toEqual(['t'])
    await same.close()
    await database.close()
    expect(await column(await open({ path }), 'select table_name from duckdb_tables()')).toEqual([])
  })
})

describe('an open file', () => {
  const differing: [DuckDBOptions, DuckDBOptions, string, RegExp][] = [
    [
      { threads: 1 },
      { threads: 2 },
      'threads',
      /with `threads` 2: it is open .* with 1, and there/,
    ],
    [{}, { threads: 2 }, 'threads', /with `threads` 2: it is open in this process with left out/],
    [{ memoryLimit: '1GB' }, {}, 'memoryLimit', /`memoryLimit` left out: it is .* with "1GB", and/],
    [{ readOnly: true }, {}, 'readOnly', /with `readOnly` false: it is open in this .* with true/],
    [
      { settings: { TimeZone: 'UTC' } },
      { settings: { timezone: 'Asia/Tokyo' } },
      'settings.timezone',
      /`settings\.timezone` "Asia\/Tokyo": it is open in this process with "UTC"/,
    ],
    [
      {},
      { autoLoadExtensions: true },
      'autoLoadExtensions',
      /with `autoLoadExtensions` true: it is open in this process with false/,
    ],
  ]
  test.for(differing)('with %o is not opened with %o', async ([first, second, option, message]) => {
    const path = temporaryFile('app.duckdb')
    await (await open({ path })).close()
    const database = await open({ path, ...first })
    const error = await rejection(openDuckDB({ path, ...second }))
    expect(error).toBeInstanceOf(OptionError)
    expect(error).toMatchObject({ code: 'INVALID_OPTION', option })
    expect(error.message).toMatch(message)
    expect(error.message).toMatch(/Give the same options, or share the database\.$/)
    await database.close()
    expect(openFilesIn(dirname(path))).toEqual([])
    await open({ path, ...second })
  })

  test('is shared by options that come to the same, and by those that are no matter of the instance', async () => {
    const path = temporaryFile('app.duckdb')
    await open({ path, memoryLimit: 1e9, settings: { TimeZone: 'UTC' } })
    const other = await open({
      path,
      memoryLimit: '1000MB',
      settings: { timezone: 'UTC', search_path: 'main' },
      pool: { max: 1 },
      int64: 'bigint',
      queryTimeoutMs: 1_000,
    })
    expect(await value(other, "select current_setting('TimeZone')")).toBe('UTC')
    expect(instancesOf(path)).toBe(1)
  })

  test('can be opened again as soon as it is closed, a hundred times, with other options', async () => {
    const path = temporaryFile('app.duckdb')
    for (let round = 0; round < 100; round++) {
      const database = await openDuckDB({ path, threads: (round % 3) + 1 })
      await run(
        database,
        'create table if not exists t (a integer)',
        `insert into t values (${round})`,
      )
      expect(await value(database, "select current_setting('threads')::integer")).toBe(
        (round % 3) + 1,
      )
      expect(await database.close()).toEqual({ forced: [] })
      expect(openFilesIn(dirname(path))).toEqual([])
    }
    expect(await value(await open({ path }), 'select count(*) from t')).toBe(100)
  })

  test('stays open for the others when one closes, and is written and freed by the last', async () => {
    const path = temporaryFile('app.duckdb')
    const databases = [await open({ path }), await open({ path }), await open({ path })]
    await run(databases[0]!, 'create table t (a integer)')
    while (databases.length > 1) {
      expect(await databases.shift()!.close()).toEqual({ forced: [] })
      await run(databases[0]!, 'insert into t values (1)')
      expect(existsSync(`${path}.wal`)).toBe(true)
      expect(await fromOtherProcess(path)).toMatch(/Could not set lock/)
    }
    expect(await databases[0]!.close()).toEqual({ forced: [] })
    expect(readdirSync(dirname(path))).toEqual(['app.duckdb'])
    expect(await fromOtherProcess(path)).toBe('open')
  })
})

describe('an instance of somebody else', () => {
  async function refused(path: string, options: DuckDBOptions = {}): Promise<void> {
    const error = await rejection(openDuckDB({ path, ...options }))
    expect(error).toBeInstanceOf(DuckDBOpenError)
    expect(error.code).toBe('OPEN_IN_THIS_PROCESS')
    expect(error.message).toMatch(
      /is open in this process already, and not by this package in this thread: .* Close it there \(.*\), pass that instance as `instance`, or use one database in one thread\./,
    )
    expect(instancesOf(path)).toBe(1)
    expect(await fromOtherProcess(path)).toMatch(/Could not set lock/)
  }

  test.for(['create', 'fromCache'] as const)(
    'of DuckDBInstance.%s() keeps the file for itself until its last connection is closed',
    async (how) => {
      const path = temporaryFile('app.duckdb')
      const instance = await DuckDBInstance[how](path)
      const connection = await instance.connect()
      await refused(path)
      await refused(path, { readOnly: true })
      const through = await open({ instance })
      await run(through, 'create table t as select 5 as a')
      await through.close()
      instance.closeSync()
      await refused(path)
      connection.closeSync()
      expect(await value(await open({ path }), 'select a from t')).toBe(5)
    },
  )

  test('that is made while the file is being opened is noticed', async () => {
    const path = temporaryFile('app.duckdb')
    await leaveWal(path)
    const opening = rejection(openDuckDB(path))
    // By now the file is open, and the WAL is being read.
    while (instancesOf(path) === 0) await new Promise((next) => setImmediate(next))
    const instance = await DuckDBInstance.create(path)
    expect(await opening).toMatchObject({ code: 'OPEN_IN_THIS_PROCESS' })
    expect(instancesOf(path)).toBe(1)
    instance.closeSync()
    expect(await value(await open({ path }), 'select count(*) from t')).toBe(400_000)
  })

  test('of DuckDBInstance.fromCache() is not made beside this one', async () => {
    const path = temporaryFile('app.duckdb')
    await open({ path })
    expect((await rejection(DuckDBInstance.fromCache(path))).message).toMatch(
      /different configuration than existing connections/,
    )
    expect(instancesOf(path)).toBe(1)
  })

  test('in another thread keeps the file for itself, and the other way round', async () => {
    const path = temporaryFile('app.duckdb')
    const other = await thread()
    const database = await open({ path })
    await run(database, 'create table t (a integer)')
    expect(await other.order(`open ${path}`)).toBe('OPEN_IN_THIS_PROCESS')
    await run(database, 'insert into t values (1)')
    expect(await fromOtherProcess(path)).toMatch(/Could not set lock/)
    await database.close()

    expect(await other.order(`open ${path}`)).toBe('ok')
    expect(await other.order('run insert into t values (2)')).toBe('ok')
    await refused(path)
    expect(await other.order('run insert into t values (3)')).toBe('ok')
    expect(await other.order('close')).toBe('ok')
    expect(await column(await open({ path }), 'select a from t order by a')).toEqual([1, 2, 3])
  })

  test('in another thread that begins at the same moment: one of them gets the file', async () => {
    const own: Thread = { order: orders(), terminate: async () => {} }
    const contenders = [own, await thread(), await thread()]
    const path = temporaryFile('app.duckdb')
    const all = (order: string): Promise<string[]> =>
      Promise.all(contenders.map((each) => each.order(order)))
    let written = 0
    for (let round = 0; round < 25; round++) {
      const answers = await all(`open ${path}`)
      const winners = contenders.filter((_, index) => answers[index] === 'ok')
      // Without locks among threads (https://nodejs.org/api/worker_threads.html#worker_threadslocks) all may be refused.
      expect(winners.length).toBeLessThanOrEqual(1)
      if ('locks' in threads) expect(winners).toHaveLength(1)
      expect(new Set(answers)).toEqual(
        new Set(winners.length === 1 ? ['ok', 'OPEN_IN_THIS_PROCESS'] : ['OPEN_IN_THIS_PROCESS']),
      )
      for (const winner of winners) {
        expect(instancesOf(path)).toBe(1)
        if (round % 8 === 0) expect(await fromOtherProcess(path)).toMatch(/Could not set lock/)
        expect(await winner.order('run create table if not exists t (a integer)')).toBe('ok')
        expect(await winner.order(`run insert into t values (${written++})`)).toBe('ok')
        expect(await winner.order('close')).toBe('ok')
      }
    }
    expect(await value(await open({ path }), 'select count(distinct a) from t')).toBe(written)
  })

  test('in a thread that was stopped is gone with it', async () => {
    const path = temporaryFile('app.duckdb')
    const other = await thread()
    expect(await other.order(`open ${path}`)).toBe('ok')
    expect(await other.order('run create table t as select 1 as a')).toBe('ok')
    await other.terminate()
    expect(await value(await open({ path }), 'select a from t')).toBe(1)
  })
})
