import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import { OptionError } from '@keelson/core'
import { DuckDBOpenError, type DuckDBOptions, isDuckDBDatabase, openDuckDB } from '@keelson/duckdb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openFilesIn } from '../support/open-files.ts'
import { startProgram } from '../support/program.ts'
import { rejection } from '../support/rejection.ts'
import { temporaryDirectory, temporaryFile } from '../support/temporary-directory.ts'
import { badOpens, unprivileged } from './bad-opens.ts'
import { column, open, run, value } from './fixture.ts'

const classes = { DuckDBOpenError, OptionError }

function contents(directory: string): Record<string, string | undefined> {
  return Object.fromEntries(
    readdirSync(directory, { withFileTypes: true }).map((entry) => [
      entry.name,
      entry.isFile() ? readFileSync(join(directory, entry.name), 'latin1') : undefined,
    ]),
  )
}

describe('refuses', () => {
  test.for(badOpens.map((bad) => [bad.name, bad] as const))('%s', async ([, bad]) => {
    const directory = temporaryDirectory()
    onTestFinished(() => chmodSync(directory, 0o755))
    const options = await bad.make({
      directory,
      async hold(path, accessMode) {
        const program = startProgram(
          new URL('./programs/holder.ts', import.meta.url),
          path,
          accessMode,
        )
        expect(await program.line()).toBe('open')
      },
    })
    const before = contents(directory)
    const attempt = async (): Promise<Error> => rejection(openDuckDB(options as DuckDBOptions))
    const error = await (bad.isUnprivileged === true ? unprivileged(attempt) : attempt())
    expect(error).toBeInstanceOf(classes[bad.error])
    expect(error).toMatchObject({ code: bad.code, ...(bad.option && { option: bad.option }) })
    expect(error.message).toMatch(bad.message)
    expect(error.cause instanceof Error).toBe(bad.hasCause === true)
    expect(openFilesIn(directory)).toEqual([])
    expect(contents(directory)).toEqual(before)
  })

  test('each in a program of its own, which keeps no file open, goes on, and ends by itself', async () => {
    const program = startProgram(
      new URL('./programs/bad-opens.ts', import.meta.url),
      temporaryDirectory(),
    )
    for (const { name, error, code, message, option, hasCause = false } of badOpens) {
      const line = await program.line()
      expect(JSON.parse(line ?? (await program.end()).stderr), name).toEqual({
        name,
        error,
        code,
        ...(option === undefined ? {} : { option }),
        message: expect.stringMatching(message),
        hasCause,
      })
    }
    expect(await program.line()).toBe('[]')
    expect(await program.line()).toBe('[{"a":1}]')
    expect(await program.line()).toBeUndefined()
    expect(await program.end()).toEqual({ code: 0, stderr: '' })
  })
})

describe('opens', () => {
  test('a file that does not exist, by creating it', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'app.duckdb')
    const database = await open({ path })
    expect(database.path).toBe(path)
    expect(database.isOpen).toBe(true)
    await run(database, 'create table t (a integer)', 'insert into t values (7)')
    await database.close()
    expect(readdirSync(directory)).toEqual(['app.duckdb'])
    expect(await value(await open({ path }), 'select a from t')).toBe(7)
  })

  test('a path alone, as the only argument', async () => {
    const database = await openDuckDB(':memory:')
    expect(database.path).toBe(':memory:')
    await database.close()
  })

  test('a relative path, from the directory of the process', async () => {
    const path = temporaryFile('app.duckdb')
    expect((await open({ path: relative(process.cwd(), path) })).path).toBe(path)
  })

  test('a file: URL, as an object and as a text, percent signs decoded', async () => {
    const path = join(temporaryDirectory(), 'Ünïcödé 100%.duckdb')
    expect((await open({ path: pathToFileURL(path) })).path).toBe(path)
    expect((await open({ path: pathToFileURL(path).href })).path).toBe(path)
  })

  test('a name with everything that a file name may hold', async () => {
    const directory = temporaryDirectory()
    const name = "it's \"a\" 'na?me=1' *, 100% [ü] $x;--.db"
    const database = await open({ path: join(directory, name) })
    await run(database, 'create table t as select 1 as a')
    await database.close()
    expect(readdirSync(directory)).toEqual([name])
  })

  test('a link to a file that does not exist yet, by creating the file', async () => {
    const directory = temporaryDirectory()
    mkdirSync(join(directory, 'data'))
    symlinkSync('data', join(directory, 'way'))
    symlinkSync('../data/app.duckdb', join(directory, 'data', 'link'))
    const database = await open({ path: join(directory, 'way', 'link') })
    expect(database.path).toBe(join(directory, 'data', 'app.duckdb'))
    await run(database, 'create table t as select 1 as a')
    await database.close()
    expect(readdirSync(join(directory, 'data')).toSorted()).toEqual(['app.duckdb', 'link'])
  })

  test('databases in memory, each its own', async () => {
    const [one, other] = [await open({ path: ':memory:' }), await open({ path: ':memory:' })]
    await run(one, 'create table t (a integer)')
    expect(await column(one, 'select table_name from duckdb_tables()')).toEqual(['t'])
    expect(await column(other, 'select table_name from duckdb_tables()')).toEqual([])
  })

  test('an instance, which knows its path and is left open', async () => {
    const path = temporaryFile('app.duckdb')
    const instance = await DuckDBInstance.create(path)
    onTestFinished(() => instance.closeSync())
    const database = await open({ instance })
    expect(database.path).toBe(path)
    await run(database, 'create table t as select 3 as a')
    expect(await database.close()).toEqual({ forced: [] })
    expect(await value(await open({ instance }), 'select a from t')).toBe(3)
    const inMemory = await DuckDBInstance.create(':memory:')
    onTestFinished(() => inMemory.closeSync())
    expect((await open({ instance: inMemory })).path).toBe(':memory:')
  })

  test('with undefined for every option, as spreading optional settings gives it', async () => {
    const options = {
      path: ':memory:',
      threads: undefined,
      readOnly: undefined,
      pool: undefined,
      settings: undefined,
      int64: undefined,
    }
    const database = await open(options as unknown as DuckDBOptions)
    expect(database.options).toMatchObject({ readOnly: false, int64: 'number', pool: { max: 10 } })
    expect(Object.isFrozen(database.options)).toBe(true)
  })

  test('a database that is recognised by its brand, not by its class', async () => {
    expect(isDuckDBDatabase(await open({ path: ':memory:' }))).toBe(true)
    expect(isDuckDBDatabase({ execute() {} })).toBe(false)
    expect(isDuckDBDatabase(null)).toBe(false)
  })

  test('a file whose opening has failed before, once the reason is gone', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'app.duckdb')
    writeFileSync(path, 'nonsense')
    for (let round = 0; round < 3; round++)
      expect((await rejection(openDuckDB(path))).code).toBe('NOT_A_DATABASE')
    const attempts = await Promise.allSettled([openDuckDB(path), openDuckDB(path)])
    expect(attempts.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    rmSync(path)
    await run(await open({ path }), 'create table t (a integer)')
    expect(openFilesIn(directory).map((file) => basename(file))).toContain('app.duckdb')
  })
})
