import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { OptionError } from '@keelson/core'
import { isSqliteDatabase, openSqlite, SqliteOpenError, type SqliteOptions } from '@keelson/sqlite'
import { describe, expect, test } from 'vitest'
import { openFilesIn } from '../support/open-files.ts'
import { startProgram } from '../support/program.ts'
import { rejection } from '../support/rejection.ts'
import { temporaryDirectory, temporaryFile } from '../support/temporary-directory.ts'
import { column, open, otherProcess, plain, run, value } from './fixture.ts'

/** Options as JavaScript may pass them. */
type Loose = Record<string, unknown>

/** The error of opening, after checking that nothing was left open and nothing written. */
async function refusal(
  options: Loose | string,
  directory = temporaryDirectory(),
): Promise<Error & Record<string, unknown>> {
  const before = contents(directory)
  const error = await rejection(() => openSqlite(options as SqliteOptions))
  expect(openFilesIn(directory)).toEqual([])
  expect(contents(directory)).toEqual(before)
  return error
}

function contents(directory: string): Record<string, string | undefined> {
  return Object.fromEntries(
    readdirSync(directory, { withFileTypes: true }).map((entry) => [
      entry.name,
      entry.isFile() ? readFileSync(join(directory, entry.name), 'latin1') : undefined,
    ]),
  )
}

describe('options', () => {
  test('an option that does not exist is refused, with the one that was probably meant', async () => {
    const misspelled: [string, string][] = [
      ['readonly', 'readOnly'],
      ['busyTimeout', 'busyTimeoutMs'],
      ['foreignkeys', 'foreignKeys'],
      ['pragma', 'pragmas'],
      ['int46', 'int64'],
      ['Path', 'path'],
    ]
    for (const [name, meant] of misspelled) {
      const directory = temporaryDirectory()
      const error = await refusal({ path: join(directory, 'a.db'), [name]: true }, directory)
      expect(error).toBeInstanceOf(OptionError)
      expect(error).toMatchObject({
        code: 'UNKNOWN_OPTION',
        option: name,
        message: `openSqlite() has no option \`${name}\`. Did you mean \`${meant}\`?`,
      })
    }
  })

  test('an option that resembles none is refused with the list of all', async () => {
    const error = await refusal({ path: ':memory:', wrongThing: 1 })
    expect(error).toMatchObject({ code: 'UNKNOWN_OPTION', option: 'wrongThing' })
    expect(error.message).toMatch(/Known options: path, database, mode, readers, .*worker\./)
  })

  const wrong: [keyof SqliteOptions, unknown, RegExp][] = [
    ['mode', 'workers', /'inline', 'threads', 'auto'/],
    ['readers', 0, /a whole number from 1 to 64/],
    ['readers', 65, /a whole number from 1 to 64/],
    ['readers', 1.5, /a whole number/],
    ['readers', '2', /a whole number/],
    ['readOnly', 'yes', /true or false/],
    ['readOnly', 1, /true or false/],
    ['busyTimeoutMs', -1, /a whole number from 0/],
    ['busyTimeoutMs', Number.NaN, /a whole number from 0/],
    ['busyTimeoutMs', Infinity, /a whole number from 0/],
    ['busyTimeoutMs', 2 ** 31, /to 2147483647/],
    ['synchronous', 'extra', /'normal', 'full', 'off'/],
    ['synchronous', 'NORMAL', /'normal', 'full', 'off'/],
    ['foreignKeys', null, /true or false/],
    ['statementCacheSize', 0, /a whole number from 1/],
    ['int64', 'BigInt', /'number', 'bigint', 'string', 'lossyNumber'/],
    ['behavior', 'immediately', /'immediate', 'deferred', 'exclusive'/],
    ['queryTimeoutMs', 0, /a whole number from 1/],
    ['queryTimeoutMs', null, /a whole number from 1/],
  ]
  test.for(wrong)('%s cannot be %o', async ([option, wrongValue, takes]) => {
    const directory = temporaryDirectory()
    const path = join(directory, 'a.db')
    const error = await refusal({ path, [option]: wrongValue }, directory)
    expect(error).toBeInstanceOf(OptionError)
    expect(error).toMatchObject({ code: 'INVALID_OPTION', option })
    expect(error.message).toMatch(/^openSqlite\(\) cannot use .* as `\w+`\. It takes /)
    expect(error.message).toMatch(takes)
  })

  test('undefined stands for the default, as spreading optional settings gives it', async () => {
    const database = open({
      path: temporaryFile(),
      busyTimeoutMs: undefined,
      int64: undefined,
    } as unknown as SqliteOptions)
    expect(database.options).toMatchObject({ busyTimeoutMs: 5000, int64: 'number', readers: 4 })
    expect(Object.isFrozen(database.options)).toBe(true)
  })

  test('a path or a database is needed, and not both', async () => {
    const neither = await refusal({})
    expect(neither).toBeInstanceOf(SqliteOpenError)
    expect(neither.message).toMatch(
      /openSqlite\(\) needs a `path`, for example 'app.db' or ':memory:'/,
    )
    const handle = plain(':memory:')
    const both = await refusal({ path: ':memory:', database: handle })
    expect(both.message).toMatch(/`path` or `database`, not both\. Leave one out\./)
  })

  test('a database is recognised by its brand, not by its class', () => {
    const database = open({ path: ':memory:' })
    expect(isSqliteDatabase(database)).toBe(true)
    expect(isSqliteDatabase({ execute() {} })).toBe(false)
    expect(isSqliteDatabase(plain(':memory:'))).toBe(false)
    expect(isSqliteDatabase(undefined)).toBe(false)
  })
})

describe('paths', () => {
  const invalid: [string, unknown, RegExp][] = [
    ['nothing', '', /it is empty\. Write ':memory:'/],
    ['white space alone', ' \t\n', /it is empty/],
    ['a space before it', ' app.db', /begins or ends with white space.*Remove it/],
    ['a line feed behind it', 'app.db\n', /begins or ends with white space/],
    ['a NUL in it', 'app\0.db', /contains a NUL character/],
    [
      'a file: string without a path',
      'file:app.db',
      /Write file:\/\/\/absolute\/path, or a plain path/,
    ],
    ['a file: string for memory', 'file::memory:', /Write file:\/\/\/absolute\/path/],
    ['a file: URL with parameters', 'file:///tmp/app.db?mode=ro', /Use the options instead/],
    ['a file: URL with a fragment', 'file:///tmp/app.db#x', /Use the options instead/],
    ['a file: URL of another machine', 'file://elsewhere/app.db', /no file: URL of this machine/],
    ['an encoded slash', 'file:///tmp/a%2fb.db', /no file: URL of this machine/],
    ['a NUL in a file: URL', 'file:///tmp/app%00.db', /NUL character|no file: URL/],
    ['a URL of another kind', new URL('https://example.com/app.db'), /only file: URLs name a file/],
    ['a number', 5, /it takes a string or a file: URL/],
    ['null', null, /it takes a string or a file: URL/],
  ]
  test.for(invalid)('%s is no path', async ([, path, why]) => {
    const error = await refusal({ path })
    expect(error).toBeInstanceOf(SqliteOpenError)
    expect(error).toMatchObject({ code: 'PATH_INVALID', message: expect.stringMatching(why) })
    expect(existsSync('/app.db')).toBe(false)
    expect(existsSync('/:memory:')).toBe(false)
  })

  test('a directory is no database', async () => {
    const directory = temporaryDirectory()
    for (const path of [directory, `${directory}/`, `${directory}/.`]) {
      const error = await refusal({ path }, directory)
      expect(error).toBeInstanceOf(SqliteOpenError)
      expect(error.code).toBe('PATH_IS_DIRECTORY')
      expect(error.message).toContain(`for example ${join(directory, 'app.db')}`)
    }
  })

  test('the directory of a new file must exist, and be one', async () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'file'), '')
    for (const way of ['missing', 'missing/further', 'file']) {
      const error = await refusal({ path: join(directory, way, 'a.db') }, directory)
      expect(error).toBeInstanceOf(SqliteOpenError)
      expect(error.code).toBe('DIRECTORY_MISSING')
      expect(error.message).toMatch(
        /is not an existing directory\. Create it before opening a\.db in it\./,
      )
    }
  })

  test('a name that no file can have is one typed error too', async () => {
    const directory = temporaryDirectory()
    symlinkSync(join(directory, 'b'), join(directory, 'a'))
    symlinkSync(join(directory, 'a'), join(directory, 'b'))
    for (const name of ['x'.repeat(300), 'a']) {
      const error = await refusal({ path: join(directory, name) }, directory)
      expect(error).toBeInstanceOf(SqliteOpenError)
      expect(error.code).toBe('OPEN_FAILED')
      expect(error.message).toMatch(/cannot be looked up: .* Check each part of the path\./)
      expect(error.cause).toMatchObject({ code: expect.stringMatching(/ENAMETOOLONG|ELOOP/) })
    }
  })

  test('a file: URL names the file, percent signs decoded', async () => {
    const path = temporaryFile('a b%.db')
    for (const url of [pathToFileURL(path), pathToFileURL(path).href]) {
      const database = open({ path: url })
      expect(database.path).toBe(path)
      await database.close()
    }
    expect(existsSync(path)).toBe(true)
  })

  test('a relative path is resolved once, when it is opened', () => {
    const database = open({
      path: 'node_modules/.keelson-relative.db',
      readOnly: false,
      directory: temporaryWithModules(),
    })
    expect(database.path).toMatch(/^\/.*\/node_modules\/\.keelson-relative\.db$/)
  })

  test('quotes, wildcards and Unicode in a name are just a name', async () => {
    const directory = temporaryDirectory()
    for (const name of [`it's "so".db`, '%2e%2e.db', '*.db', 'Ünïcödé 🦆.db', '-rf.db']) {
      const database = open({ path: join(directory, name) })
      await run(database, 'create table t (a)')
      await database.close()
      expect(existsSync(join(directory, name))).toBe(true)
    }
  })
})

function temporaryWithModules(): string {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'node_modules'))
  return directory
}

describe('directory', () => {
  function confined(): { root: string; outside: string; parent: string } {
    const parent = temporaryDirectory()
    const [root, outside] = [join(parent, 'root'), join(parent, 'outside')]
    for (const directory of [root, outside]) mkdirSync(directory)
    return { root, outside, parent }
  }

  test('a path within it is opened, also deeper and by an absolute path', async () => {
    const { root } = confined()
    mkdirSync(join(root, 'deep'))
    for (const path of ['a.db', 'deep/b.db', 'deep/../c.db', join(root, 'd.db'), './..db']) {
      const database = open({ path, directory: root })
      expect(database.path.startsWith(`${root}/`)).toBe(true)
    }
    expect(open({ path: 'e.db', directory: pathToFileURL(root) }).path).toBe(join(root, 'e.db'))
  })

  test('a path that leaves it is refused: by .., by being absolute, by a link', async () => {
    const { root, outside, parent } = confined()
    symlinkSync(outside, join(root, 'way'))
    writeFileSync(join(outside, 'real.db'), '')
    symlinkSync(join(outside, 'real.db'), join(root, 'link.db'))
    symlinkSync(join(root, 'way'), join(root, 'way-to-way'))
    const paths = [
      '..',
      '.',
      '../outside/a.db',
      'deep/../../outside/a.db',
      '/etc/passwd',
      join(outside, 'a.db'),
      `${root}-sibling.db`,
      'way/a.db',
      'way-to-way/a.db',
      'link.db',
      pathToFileURL(join(outside, 'a.db')),
      ':memory:',
    ]
    for (const path of paths) {
      const error = await refusal({ path, directory: root }, parent)
      expect(error, String(path)).toBeInstanceOf(SqliteOpenError)
      expect(error.code, String(path)).toBe('PATH_OUTSIDE_DIRECTORY')
      expect(contents(outside)).toEqual({ 'real.db': '' })
    }
  })

  test('a link whose target does not exist yet leads out of it as well', async () => {
    const { root, outside, parent } = confined()
    symlinkSync(join(outside, 'new.db'), join(root, 'dangling.db'))
    const error = await refusal({ path: 'dangling.db', directory: root }, parent)
    expect(error).toBeInstanceOf(SqliteOpenError)
    expect(error.code).toBe('PATH_OUTSIDE_DIRECTORY')
    expect(error.message).toMatch(/symbolic link .*dangling\.db, which leads nowhere/)
    expect(contents(outside)).toEqual({})
  })

  test('a link that stays within it is fine', async () => {
    const { root } = confined()
    await open({ path: join(root, 'real.db') }).execute('create table t (a)')
    symlinkSync(join(root, 'real.db'), join(root, 'link.db'))
    const database = open({ path: 'link.db', directory: root })
    expect(database.path).toBe(join(root, 'real.db'))
    expect(await column(database, 'select name from sqlite_schema')).toEqual(['t'])
  })

  test('it must exist itself', async () => {
    const { root } = confined()
    const error = await refusal({ path: 'a.db', directory: join(root, 'missing') }, root)
    expect(error.code).toBe('DIRECTORY_MISSING')
    expect(error.message).toMatch(
      /`directory` .*missing is not an existing directory\. Create it first\./,
    )
  })

  test('a backup stays within it too', async () => {
    const { root, outside } = confined()
    const database = open({ path: 'a.db', directory: root })
    const error = await rejection(database.maintenance.backup(join(outside, 'copy.db')))
    expect(error.code).toBe('PATH_OUTSIDE_DIRECTORY')
    expect(contents(outside)).toEqual({})
    expect((await database.maintenance.backup('copy.db')).file).toBe(join(root, 'copy.db'))
  })
})

describe('files', () => {
  test('a file that is no database is refused and not touched', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'letter.txt')
    writeFileSync(path, 'Dear Sir or Madam, this is a letter and no database. '.repeat(50))
    const error = await refusal({ path }, directory)
    expect(error).toBeInstanceOf(SqliteOpenError)
    expect(error.code).toBe('NOT_A_DATABASE')
    expect(error.message).toMatch(
      /is not a SQLite database, or is encrypted\. Check the path; nothing was changed/,
    )
    expect(error.cause).toMatchObject({ code: 'SQLITE_NOTADB' })
  })

  test('an empty file is an empty database', async () => {
    const path = temporaryFile()
    writeFileSync(path, '')
    expect(await column(open({ path }), 'select * from sqlite_schema')).toEqual([])
  })

  test('a missing file is not created for reading only', async () => {
    const directory = temporaryDirectory()
    const error = await refusal({ path: join(directory, 'a.db'), readOnly: true }, directory)
    expect(error).toBeInstanceOf(SqliteOpenError)
    expect(error.code).toBe('FILE_MISSING')
    expect(error.message).toMatch(/Check the path, or open it without `readOnly` to create it\./)
  })

  test('a database in memory cannot be read-only', async () => {
    const error = await refusal({ path: ':memory:', readOnly: true })
    expect(error).toBeInstanceOf(SqliteOpenError)
    expect(error).toMatchObject({
      code: 'PATH_INVALID',
      message: expect.stringMatching(/begins empty/),
    })
  })

  test('WAL that cannot be had is an error that tells why', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'a.db')
    const other = await otherProcess(path)
    await other.run('create table t (a)')
    await other.run('begin')
    await other.run('select * from t')
    const error = await refusal({ path, busyTimeoutMs: 20 }, directory)
    expect(error).toBeInstanceOf(SqliteOpenError)
    expect(error.code).toBe('WAL_UNAVAILABLE')
    expect(error.message).toMatch(
      /another connection is using it in another mode\. Close that connection/,
    )
    expect(error.cause).toMatchObject({ code: 'SQLITE_BUSY' })

    await other.run('commit')
    expect(await value(open({ path }), 'pragma journal_mode')).toBe('wal')
  })

  test('processes that open a new file at the same moment all get it', async () => {
    const directory = temporaryDirectory()
    const openers = [1, 2, 3].map(() =>
      startProgram(new URL('./programs/opener.ts', import.meta.url)),
    )
    for (const opener of openers) expect(await opener.line()).toBe('ready')
    for (let round = 0; round < 40; round++) {
      const path = join(directory, `${round}.db`)
      for (const opener of openers) opener.say(path)
      for (const opener of openers) expect(await opener.line()).toBe('ok')
      expect(await value(open({ path }), 'select count(*) from t')).toBe(3)
    }
  })

  test('a file in another journal mode becomes a WAL database', async () => {
    const path = temporaryFile()
    const other = plain(path)
    other.exec('pragma journal_mode = truncate; create table t (a)')
    other.close()
    expect(await value(open({ path }), 'pragma journal_mode')).toBe('wal')
  })

  test('a database that was opened closes its file again, whatever happened in it', async () => {
    const directory = temporaryDirectory()
    const database = open({ path: join(directory, 'a.db') })
    await run(database, 'create table t (a)')
    await rejection(database.execute('nonsense'))
    await rejection(database.execute('insert into t values (?)', [Symbol('no')]))
    await rejection(database.transaction(async (tx) => tx.execute('select * from missing')))
    for await (const _ of database.stream('select 1')) break
    await database.transaction(async (tx) => tx.execute('select 1'), { accessMode: 'read only' })
    await database.close()
    expect(openFilesIn(directory)).toEqual([])
    expect(readdirSync(directory)).toEqual(['a.db'])
  })
})

describe('pragmas', () => {
  test('one that SQLite does not know is refused, with the one that was probably meant', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'a.db')
    const error = await refusal({ path, pragmas: { cache_sise: -2000 } }, directory)
    expect(error).toBeInstanceOf(OptionError)
    expect(error).toMatchObject({ code: 'UNKNOWN_OPTION', option: 'cache_sise' })
    expect(error.message).toMatch(
      /`pragmas` has no option `cache_sise`\. Did you mean `cache_size`\?/,
    )
  })

  test('one with an option of its own is refused, and the option named', async () => {
    const reserved: [string, RegExp][] = [
      ['journal_mode', /always in WAL mode/],
      ['foreign_keys', /Use `foreignKeys`/],
      ['FOREIGN_KEYS', /Use `foreignKeys`/],
      ['synchronous', /Use `synchronous`/],
      ['busy_timeout', /Use `busyTimeoutMs`/],
      ['query_only', /Use `readOnly`/],
    ]
    for (const [name, use] of reserved) {
      const directory = temporaryDirectory()
      const path = join(directory, 'a.db')
      const error = await refusal({ path, pragmas: { [name]: 'on' } }, directory)
      expect(error).toMatchObject({ code: 'INVALID_OPTION', option: `pragmas.${name}` })
      expect(error.message).toMatch(use)
    }
  })

  test('a value that SQLite does not apply is an error', async () => {
    const unappliable: Record<string, string | number>[] = [
      { page_size: 1000 },
      { mmap_size: -5 },
      { temp_store: 'nowhere' },
      { auto_vacuum: 'sometimes' },
      { cache_size: 'large' },
      { encoding: 'latin1' },
    ]
    for (const pragmas of unappliable) {
      const directory = temporaryDirectory()
      const error = await rejection(() => openSqlite({ path: join(directory, 'a.db'), pragmas }))
      expect(openFilesIn(directory)).toEqual([])
      const [name, asked] = Object.entries(pragmas)[0]!
      expect(error, name).toBeInstanceOf(OptionError)
      expect(error).toMatchObject({ code: 'SETTING_NOT_APPLIED', option: `pragmas.${name}` })
      expect(error.message).toContain(`asked for ${JSON.stringify(asked)}, it `)
      expect(error.message).toMatch(/Use a value that it accepts here/)
    }
  })

  test('a value of a type that is no setting is refused', async () => {
    for (const wrongValue of [null, undefined, {}, [], Number.NaN, Infinity, 5n, () => {}]) {
      const directory = temporaryDirectory()
      const path = join(directory, 'a.db')
      const error = await refusal({ path, pragmas: { cache_size: wrongValue } }, directory)
      expect(error).toMatchObject({ code: 'INVALID_OPTION', option: 'pragmas.cache_size' })
    }
  })

  test('SQL in a name or a value is not run', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'a.db')
    const before = plain(path)
    before.exec('create table t (a)')
    before.close()
    const attacks: Record<string, string>[] = [
      { 'cache_size = 1; drop table t; --': '1' },
      { cache_size: "1'; drop table t; --" },
      { user_version: '1; drop table t' },
    ]
    for (const pragmas of attacks) {
      expect(await rejection(() => openSqlite({ path, pragmas }))).toBeInstanceOf(OptionError)
      expect(openFilesIn(directory)).toEqual([])
    }
    expect(await column(open({ path }), 'select name from sqlite_schema')).toEqual(['t'])
  })
})
