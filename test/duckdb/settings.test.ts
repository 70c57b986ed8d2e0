import { readdirSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import { DuckDBStatementError, type DuckDBDatabase, type DuckDBOptions } from '@keelson/duckdb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../support/rejection.ts'
import { temporaryDirectory, temporaryFile } from '../support/temporary-directory.ts'
import { column, open, run, value } from './fixture.ts'

/** A setting as DuckDB has it. */
async function setting(database: Pick<DuckDBDatabase, 'execute'>, name: string): Promise<unknown> {
  return value(database, `select current_setting('${name}')::varchar`)
}

async function settingWith(options: DuckDBOptions, name: string): Promise<unknown> {
  return setting(await open({ path: ':memory:', ...options }), name)
}

describe('defaults', () => {
  test('extensions are neither downloaded nor loaded for a query', async () => {
    expect(await settingWith({}, 'autoinstall_known_extensions')).toBe('false')
    expect(await settingWith({}, 'autoload_known_extensions')).toBe('false')
  })

  test('a query that needs an extension fails at once, and tells which', async () => {
    const database = await open({ path: ':memory:' })
    for (const [sql, extension] of [
      ["select * from 'https://example.com/a.parquet'", 'httpfs'],
      ['select st_point(1, 2)', 'spatial'],
      ["select * from sqlite_scan('a', 'b')", 'sqlite_scanner'],
    ] as const) {
      const start = performance.now()
      expect((await rejection(database.execute(sql))).message).toContain(extension)
      expect(performance.now() - start).toBeLessThan(5_000)
    }
  })

  test('what DuckDB chooses by the machine is left to it', async () => {
    expect(await settingWith({}, 'threads')).toBe(String(cpus().length))
    const { options } = await open()
    expect(options).toMatchObject({ threads: undefined, memoryLimit: undefined, readOnly: false })
  })
})

describe('options', () => {
  test('threads', async () => {
    expect(await settingWith({ threads: 1 }, 'threads')).toBe('1')
    expect(await settingWith({ threads: 7 }, 'threads')).toBe('7')
  })

  test('memoryLimit, in bytes and as a text, whatever DuckDB makes of it', async () => {
    const limits: [number | string, string][] = [
      [1_000_000_000, '953.6 MiB'],
      [2 ** 30, '1.0 GiB'],
      [123_456_789, '117.7 MiB'],
      ['2GB', '1.8 GiB'],
      ['1.09GiB', '1.0 GiB'],
      ['1.99 GiB', '1.9 GiB'],
      ['1500 MB', '1.3 GiB'],
      ['0.5gb', '476.8 MiB'],
      ['1TiB', '1.0 TiB'],
      [' 40000 KB ', '38.1 MiB'],
    ]
    for (const [memoryLimit, reported] of limits)
      expect(await settingWith({ memoryLimit }, 'memory_limit'), String(memoryLimit)).toBe(reported)
  })

  test('tempDirectory, as a path and as a URL; what does not fit into the memory goes there', async () => {
    const directory = join(temporaryDirectory(), "it's temporary")
    expect(await settingWith({ tempDirectory: directory }, 'temp_directory')).toBe(directory)
    const tempDirectory = pathToFileURL(directory)
    const database = await open({ tempDirectory, memoryLimit: '64MB', threads: 1 })
    expect(await setting(database, 'temp_directory')).toBe(directory)
    expect(database.options.tempDirectory).toBe(directory)
    const sorting = database.stream(
      'select md5(range::varchar) as a, repeat(md5(range::varchar), 8) as b from range(1000000) order by a',
    )
    await sorting.next()
    expect(readdirSync(directory)).not.toEqual([])
    await sorting.return!()
  })

  test('readOnly', async () => {
    const path = temporaryFile('app.duckdb')
    const writing = await open({ path })
    await run(writing, 'create table t as select 1 as a')
    await writing.close()
    const database = await open({ path, readOnly: true })
    expect(await setting(database, 'access_mode')).toBe('read_only')
    expect(await value(database, 'select a from t')).toBe(1)
    expect(await database.transaction((tx) => value(tx, 'select a from t'))).toBe(1)
    for await (const rows of database.stream('select a from t')) expect(rows).toEqual([{ a: 1 }])
    for (const sql of [
      'insert into t values (2)',
      'update t set a = 2',
      'delete from t',
      'create table u (a integer)',
      'drop table t',
    ])
      expect((await rejection(database.execute(sql))).message, sql).toMatch(/read-only mode/)
    expect(await database.close()).toEqual({ forced: [] })
    expect(readdirSync(dirname(path))).toEqual(['app.duckdb'])
  })

  test('autoInstallExtensions and autoLoadExtensions', async () => {
    expect(await settingWith({ autoInstallExtensions: true }, 'autoinstall_known_extensions')).toBe(
      'true',
    )
    expect(await settingWith({ autoLoadExtensions: true }, 'autoload_known_extensions')).toBe(
      'true',
    )
  })
})

describe('the settings option', () => {
  test.for([
    ['preserve_insertion_order', false, 'false'],
    ['preserve_insertion_order', 0, 'false'],
    ['enable_logging', true, '1'],
    ['Default_Order', 'desc', 'DESC'],
    ['wal_autocheckpoint', '1GB', '953.6 MiB'],
    ['checkpoint_threshold', '64MiB', '64.0 MiB'],
    ['ordered_aggregate_threshold', 1000, '1000'],
    ['index_scan_percentage', 0.25, '0.25'],
    ['index_scan_percentage', '0.250', '0.25'],
    ['custom_user_agent', "it's mine", "it's mine"],
    ['search_path', '"main"', 'main'],
    ['allowed_directories', "['/tmp']", '[/tmp/]'],
    ['errors_as_json', true, 'true'],
    ['TimeZone', 'Asia/Tokyo', 'Asia/Tokyo'],
    ['timezone', 'UTC', 'UTC'],
    ['Calendar', 'gregorian', 'gregorian'],
  ] as const)('sets %s to %o', async ([name, given, reported]) => {
    const settings = { [name]: given }
    expect(await settingWith({ settings }, name)).toBe(reported)
    expect(await settingWith({ settings, autoLoadExtensions: true }, name)).toBe(reported)
    const database = await open({ settings })
    expect(await setting(database, name)).toBe(reported)
    expect(database.options.settings).toEqual(settings)
  })

  test('sets a list, which DuckDB has in an order of its own', async () => {
    const settings = { allowed_directories: "['/c', '/a', '/b']" }
    expect(await settingWith({ settings }, 'allowed_directories')).toMatch(/\/a\/.*\]$/)
  })

  test('sets several, of DuckDB, of its extensions and of its connections', async () => {
    const database = await open({
      settings: {
        TimeZone: 'UTC',
        default_null_order: 'nulls_first',
        Calendar: 'gregorian',
        streaming_buffer_size: '2MiB',
      },
    })
    expect(await setting(database, 'TimeZone')).toBe('UTC')
    expect(await setting(database, 'default_null_order')).toBe('NULLS_FIRST')
    expect(await setting(database, 'streaming_buffer_size')).toBe('2.0 MiB')
  })

  test('gives every connection what DuckDB has for each connection alone', async () => {
    const path = temporaryFile('app.duckdb')
    const database = await open({ path, pool: { max: 3 } })
    await run(
      database,
      'create schema tenant_a',
      'create schema tenant_b',
      "create table tenant_a.t as select 'a' as owner",
      "create table tenant_b.t as select 'b' as owner",
    )
    const a = await open({ path, settings: { search_path: 'tenant_a', progress_bar_time: 5 } })
    const b = await open({ path, settings: { schema: 'tenant_b' }, pool: { max: 2 } })
    for (const [tenant, owner] of [
      [a, 'a'],
      [b, 'b'],
    ] as const) {
      const all = Array.from({ length: 5 }, () => value(tenant, 'select owner from t'))
      expect(await Promise.all(all)).toEqual(all.map(() => owner))
      expect(await tenant.transaction((tx) => value(tx, 'select owner from t'))).toBe(owner)
      for await (const rows of tenant.stream('select owner from t'))
        expect(rows).toEqual([{ owner }])
      // A connection that was changed is replaced.
      const session = await tenant.reserve()
      await run(session, "set search_path = 'main'")
      await session.release()
      expect(await value(tenant, 'select owner from t')).toBe(owner)
    }
    expect(await setting(a, 'progress_bar_time')).toBe('5')
    expect(await rejection(value(database, 'select owner from t'))).toBeInstanceOf(Error)
  })

  test('takes every setting that each connection has for itself', async () => {
    const database = await open({ path: ':memory:' })
    const { rows } = await database.execute<[string, string]>(
      "select name, value from duckdb_settings() where scope = 'LOCAL' and value is not null",
      [],
      { rows: 'arrays' },
    )
    expect(rows.map(([name]) => name)).toContain('search_path')
    for (const [name, given] of rows) {
      // Once they are set, profiles and logs are printed.
      if (given === '' || /profiling|logging/.test(name)) continue
      expect(await settingWith({ settings: { [name]: given } }, name), name).toBe(given)
    }
  })
})

describe('a setting that was verified when the database was opened', () => {
  const given = {
    threads: 2,
    memoryLimit: '1GB',
    settings: { TimeZone: 'UTC', preserve_insertion_order: false },
  }

  test.for([
    ['set threads = 4', 'threads'],
    ['SET GLOBAL threads TO 4', 'threads'],
    ['/* more */ set -- here\n worker_threads = 4', 'threads'],
    ['reset threads', 'threads'],
    ['pragma threads = 4', 'threads'],
    ['set global "memory_limit" = \'2GB\'', 'memoryLimit'],
    ["set max_memory = '2GB'", 'memoryLimit'],
    ["pragma memory_limit = '2GB'", 'memoryLimit'],
    ["set global timezone = 'Asia/Tokyo'", 'settings.TimeZone'],
    ['reset global preserve_insertion_order', 'settings.preserve_insertion_order'],
    ['set autoload_known_extensions = true', 'autoLoadExtensions'],
    ['set autoinstall_known_extensions = true', 'autoInstallExtensions'],
    ["set access_mode = 'read_only'", 'readOnly'],
  ] as const)('is not changed by %s', async ([sql, option]) => {
    const database = await open(given)
    const session = await database.reserve()
    for (const where of [database, session]) {
      const error = await rejection(where.execute(sql))
      expect(error).toBeInstanceOf(DuckDBStatementError)
      expect(error.code).toBe('SETTING_GUARDED')
      expect(error.message).toContain(`Use the option \`${option}\`.`)
    }
    await database.transaction(async (tx) => {
      expect((await rejection(tx.execute(sql))).code).toBe('SETTING_GUARDED')
      // Nothing was sent, so the transaction goes on.
      expect(await value(tx, 'select 1')).toBe(1)
    })
    await session.release()
    expect(await setting(database, 'threads')).toBe('2')
    expect(await setting(database, 'TimeZone')).toBe('UTC')
    expect(await setting(database, 'autoload_known_extensions')).toBe('false')
  })

  test('can be read, and others can be changed', async () => {
    const database = await open({ threads: 2 })
    expect(await setting(database, 'threads')).toBe('2')
    await run(database, "set memory_limit = '1GB'", "set global default_order = 'desc'")
    expect(await setting(database, 'memory_limit')).toBe('953.6 MiB')
    expect(await column(database, 'select a from (values (1), (2)) t(a) order by a')).toEqual([
      2, 1,
    ])
    await run(database, 'reset memory_limit')
  })

  test('is nobody else’s business on an instance that was handed in', async () => {
    const instance = await DuckDBInstance.create(':memory:', { threads: '2' })
    onTestFinished(() => instance.closeSync())
    const database = await open({ instance })
    await run(database, 'set threads = 3', 'set autoload_known_extensions = true')
    expect(await setting(database, 'threads')).toBe('3')
  })

  test('can be changed for a session alone', async () => {
    const database = await open({ settings: { search_path: 'main', TimeZone: 'UTC' } })
    await run(database, 'create schema s')
    const session = await database.reserve()
    await run(session, "set search_path = 's'", "set timezone = 'Asia/Tokyo'")
    expect(await setting(session, 'search_path')).toBe('s')
    expect(await setting(session, 'timezone')).toBe('Asia/Tokyo')
    await session.release()
    expect(await setting(database, 'search_path')).toBe('main')
    expect(await setting(database, 'timezone')).toBe('UTC')
  })

  test('does not hinder statements about something of that name', async () => {
    const database = await open(given)
    await run(
      database,
      'create table threads (a integer)',
      'insert into threads values (1)',
      'update threads set a = 2',
    )
    expect(await column(database, 'select a from threads')).toEqual([2])
  })
})
