import {
  chmodSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

/** What a way to open wrongly needs of whoever tries it. */
export interface Workshop {
  /** An empty directory. */
  readonly directory: string
  /** Has another process open a file. */
  hold(path: string, accessMode: 'READ_WRITE' | 'READ_ONLY'): Promise<void>
}

/** One way to open a database wrongly, and what has to come of it. */
export interface BadOpen {
  readonly name: string
  /** Prepares the files, and gives what is passed to `openDuckDB()`. */
  make(workshop: Workshop): unknown
  readonly error: 'DuckDBOpenError' | 'OptionError'
  readonly code: string
  readonly message: RegExp
  readonly option?: string
  readonly hasCause?: boolean
  /** Whether it takes somebody for whom permissions are checked. */
  readonly isUnprivileged?: true
}

const memory = { path: ':memory:' }

function option(
  name: string,
  options: object,
  [code, named]: [code: string, option: string],
  message: RegExp,
): BadOpen {
  return { name, make: () => options, error: 'OptionError', code, option: named, message }
}

const options: BadOpen[] = [
  option(
    'a misspelt option',
    { ...memory, readonly: true },
    ['UNKNOWN_OPTION', 'readonly'],
    /has no option `readonly`\. Did you mean `readOnly`\?/,
  ),
  option(
    'an unknown option',
    { ...memory, wrongThing: 1 },
    ['UNKNOWN_OPTION', 'wrongThing'],
    /Known options: path, instance, pool, threads, memoryLimit, .*infinity\./,
  ),
  option(
    'a misspelt option of the pool',
    { ...memory, pool: { maks: 3 } },
    ['UNKNOWN_OPTION', 'maks'],
    /has no option `maks`\. Did you mean `max`\?/,
  ),
  option(
    'a number of threads that is none',
    { ...memory, threads: 0 },
    ['INVALID_OPTION', 'threads'],
    /cannot use 0 as `threads`\. It takes a whole number from 1 to 1024\./,
  ),
  option(
    'a memory limit without a size',
    { ...memory, memoryLimit: 'lots' },
    ['INVALID_OPTION', 'memoryLimit'],
    /cannot use "lots" as `memoryLimit`\. It takes bytes, or a size with its unit such as '2GB'\./,
  ),
  option(
    'a temporary directory without a name',
    { ...memory, tempDirectory: '' },
    ['INVALID_OPTION', 'tempDirectory'],
    /It takes a path, or a file: URL\./,
  ),
  option(
    'a temporary directory at a URL',
    { ...memory, tempDirectory: new URL('https://example.com/tmp') },
    ['INVALID_OPTION', 'tempDirectory'],
    /It takes a path, or a file: URL\./,
  ),
  option(
    'a truth value that is none',
    { ...memory, autoInstallExtensions: 'yes' },
    ['INVALID_OPTION', 'autoInstallExtensions'],
    /It takes true or false\./,
  ),
  option(
    'a policy that does not exist',
    { ...memory, int64: 'big' },
    ['INVALID_OPTION', 'int64'],
    /It takes 'number', 'bigint', 'string', 'lossyNumber'\./,
  ),
  option(
    'a pool without connections',
    { ...memory, pool: { max: 0 } },
    ['INVALID_OPTION', 'max'],
    /cannot use 0 as `max`/,
  ),
  option(
    'no options',
    null as never,
    ['INVALID_OPTION', 'options'],
    /cannot use null as `options`/,
  ),
]

/** With a file that is left as it was. */
function onFile(bad: BadOpen): BadOpen {
  return {
    ...bad,
    async make(workshop) {
      const path = join(workshop.directory, 'app.duckdb')
      await makeDatabase(path)
      return { path, ...((await bad.make(workshop)) as object) }
    },
  }
}

const settings: BadOpen[] = [
  {
    ...option(
      'a setting that DuckDB does not know',
      { ...memory, settings: { wrong_thing: 1 } },
      ['UNKNOWN_OPTION', 'settings.wrong_thing'],
      /cannot set `wrong_thing`: DuckDB has no such setting\./,
    ),
    hasCause: true,
  },
  {
    ...option(
      'a misspelt setting',
      { ...memory, threads: 2, settings: { default_ordr: 'desc' } },
      ['UNKNOWN_OPTION', 'settings.default_ordr'],
      /DuckDB has no such setting\. Did you mean .*`default_order`/,
    ),
    hasCause: true,
  },
  {
    ...option(
      'a value that DuckDB does not take',
      { ...memory, settings: { preserve_insertion_order: false, default_order: 'sideways' } },
      ['INVALID_OPTION', 'settings.default_order'],
      /cannot use "sideways" as `settings\.default_order`: .* Give a value that DuckDB takes\./,
    ),
    hasCause: true,
  },
  {
    ...option(
      'a value that an extension does not take',
      { ...memory, settings: { TimeZone: 'Mars/Olympus' } },
      ['INVALID_OPTION', 'settings.TimeZone'],
      /cannot use "Mars\/Olympus" as `settings\.TimeZone`: .*Unknown TimeZone/,
    ),
    hasCause: true,
  },
  onFile({
    ...option(
      'a value that a connection does not take',
      { settings: { search_path: 'nowhere' } },
      ['INVALID_OPTION', 'settings.search_path'],
      /cannot use "nowhere" as `settings\.search_path`: .*"nowhere"/,
    ),
    hasCause: true,
  }),
  onFile(
    option(
      'a value that DuckDB does not apply',
      { settings: { max_vacuum_tasks: 1.5 } },
      ['SETTING_NOT_APPLIED', 'settings.max_vacuum_tasks'],
      /set `max_vacuum_tasks` to 1\.5, and DuckDB has "2"\. Give a value that it takes, or leave the option out\./,
    ),
  ),
  onFile(
    option(
      'a value that a connection does not apply',
      { settings: { progress_bar_time: 1.5 } },
      ['SETTING_NOT_APPLIED', 'settings.progress_bar_time'],
      /set `progress_bar_time` to 1\.5, and DuckDB has "2"\./,
    ),
  ),
  {
    name: 'settings that nothing can be done with',
    make: () => ({ ...memory, settings: { max_expression_depth: 3 } }),
    error: 'DuckDBOpenError',
    code: 'OPEN_FAILED',
    message:
      /was opened, but with its settings nothing can be done: .*expression depth.* Check `settings`\./,
    hasCause: true,
  },
  option(
    'a setting that has an option of its own',
    { ...memory, settings: { MAX_memory: '1GB' } },
    ['INVALID_OPTION', 'settings.MAX_memory'],
    /takes `MAX_memory` as its option `memoryLimit`, so that there is one place for it\. Move it there\./,
  ),
  option(
    'a setting without a value',
    { ...memory, settings: { TimeZone: undefined } },
    ['INVALID_OPTION', 'settings.TimeZone'],
    /It takes a string, a finite number or a boolean\./,
  ),
  option(
    'settings without names',
    { ...memory, settings: ['TimeZone'] },
    ['INVALID_OPTION', 'settings'],
    /It takes an object of settings by name/,
  ),
  {
    ...option(
      'SQL in the name of a setting',
      { ...memory, settings: { "threads' = 1; create table t (a int); --": '1' } },
      ['UNKNOWN_OPTION', "settings.threads' = 1; create table t (a int); --"],
      /DuckDB has no such setting/,
    ),
    hasCause: true,
  },
]

function path(name: string, given: unknown, message: RegExp): BadOpen {
  return {
    name,
    make: () => ({ path: given }),
    error: 'DuckDBOpenError',
    code: 'PATH_INVALID',
    message,
  }
}

const paths: BadOpen[] = [
  path('no path', undefined, /needs a `path`, for example 'app\.duckdb' or ':memory:', or/),
  path('an empty path', '', /"" names no file\. Give a path, or ':memory:'/),
  path('a path of spaces', '  ', /names no file/),
  path('a path with a NUL', 'app\0.duckdb', /contains U\+0000, where file systems end a name/),
  path('a number', 7, /7 is not a path\. Give a text, a file: URL, or ':memory:'/),
  path('MotherDuck', 'md:my_db', /"md:my_db" is no file of this machine\. Open it with @duckdb/),
  path('S3', 's3://bucket/app.duckdb', /pass that as `instance`, or give a path/),
  path('a web address', 'https://example.com/app.duckdb', /is no file of this machine/),
  path('a URL object of the web', new URL('https://example.com/a'), /is no file of this machine/),
  path('a file: text without a root', 'file:app.duckdb', /Write file:\/\/\/absolute\/path/),
  path('a file: URL with parameters', 'file:///tmp/a?threads=1', /is not a path as a URL/),
  {
    ...path(
      'a file: URL of another machine',
      'file://elsewhere/a',
      /is no file: URL of this machine\. Write file:\/\/\/absolute\/path, a path, or/,
    ),
    hasCause: true,
  },
  path('a NUL in a file: URL', 'file:///tmp/a%00', /U\+0000|no file: URL/),
  path('a name in memory', ':memory:shared', /names a database in memory, and each of those is/),
  {
    ...path('a read-only database in memory', undefined, /begins empty.*Leave it out\./),
    make: () => ({ ...memory, readOnly: true }),
  },
  {
    ...path('both a path and an instance', undefined, /`path` or `instance`, not both\. Leave one/),
    make: async () => ({ ...memory, instance: await closedInstance() }),
  },
]

async function closedInstance(): Promise<DuckDBInstance> {
  const instance = await DuckDBInstance.create(':memory:')
  instance.closeSync()
  return instance
}

const instances: BadOpen[] = [
  {
    ...option(
      'an instance and an option of opening',
      {},
      ['INVALID_OPTION', 'threads'],
      /cannot set `threads` on an instance that is open already\. Set it when you create it, or give a `path`\./,
    ),
    make: async () => ({ instance: await closedInstance(), threads: 2 }),
  },
  option(
    'an instance that is none',
    { instance: 'app.duckdb' },
    ['INVALID_OPTION', 'instance'],
    /It takes a DuckDBInstance of @duckdb\/node-api\./,
  ),
  {
    name: 'a closed instance',
    make: async () => ({ instance: await closedInstance() }),
    error: 'DuckDBOpenError',
    code: 'OPEN_FAILED',
    message: /cannot use the `instance`: .*closed\. Pass one that is open\./,
    hasCause: true,
  },
]

/** A file that is there, and is no database to open. */
function file(
  name: string,
  make: (path: string, workshop: Workshop) => unknown,
  code: string,
  message: RegExp,
  options: object = {},
): BadOpen {
  return {
    name,
    async make(workshop) {
      const path = join(workshop.directory, 'app.duckdb')
      await make(path, workshop)
      return { path, ...options }
    },
    error: 'DuckDBOpenError',
    code,
    message,
    hasCause: true,
  }
}

/** DuckDB's own finding is the cause of an error, and what is found before it is asked has none. */
function withoutCause(bad: BadOpen): BadOpen {
  return { ...bad, hasCause: false }
}

const damaged = /app\.duckdb is damaged or cut short: .*\. Restore it from a backup; nothing was/

const files: BadOpen[] = [
  file(
    'a file of something else',
    (path) =>
      writeFileSync(path, 'Dear Sir or Madam, this is a letter and no database. '.repeat(99)),
    'NOT_A_DATABASE',
    /app\.duckdb is not a DuckDB database\. Check the path; nothing was changed in the file\./,
  ),
  file(
    'a file of three bytes',
    (path) => writeFileSync(path, 'abc'),
    'NOT_A_DATABASE',
    /is not a DuckDB database/,
  ),
  file(
    'an empty file',
    (path) => writeFileSync(path, ''),
    'NOT_A_DATABASE',
    /is an empty file, which is not a DuckDB database\. Delete it, and it is created\./,
  ),
  withoutCause(
    file(
      'a SQLite database',
      (path) => writeFileSync(path, 'SQLite format 3\0'.padEnd(4096, '\0')),
      'NOT_A_DATABASE',
      /is a SQLite database, not one of DuckDB\. Open it with @keelson\/sqlite; nothing was/,
    ),
  ),
  withoutCause(
    file(
      'a directory',
      (path) => mkdirSync(path),
      'PATH_IS_DIRECTORY',
      /is a directory, and a database is one file\. Give the path of a file in it\./,
    ),
  ),
  withoutCause({
    ...file('a device', () => {}, 'NOT_A_DATABASE', /is a device, a socket or a pipe/),
    make: () => ({ path: '/dev/null' }),
  }),
  {
    ...file(
      'a missing directory',
      () => {},
      'DIRECTORY_MISSING',
      /no[/\\]where does not exist\. Create/,
    ),
    make: ({ directory }) => ({ path: join(directory, 'no', 'where', 'app.duckdb') }),
  },
  {
    ...file('a file as a directory', () => {}, 'OPEN_FAILED', /ENOTDIR.*Check the path, and the/),
    make({ directory }) {
      writeFileSync(join(directory, 'file'), '')
      return { path: join(directory, 'file', 'app.duckdb') }
    },
  },
  withoutCause(
    file(
      'a missing file to read',
      () => {},
      'FILE_MISSING',
      /does not exist, and a read-only database is not created\. Check the path, or open it without `readOnly`/,
      { readOnly: true },
    ),
  ),
  withoutCause(
    file(
      'a link to a missing file to read',
      (path) => symlinkSync('missing', path),
      'FILE_MISSING',
      /missing does not exist, and a read-only database is not created/,
      { readOnly: true },
    ),
  ),
  file(
    'a link into a missing directory',
    (path) => symlinkSync('no/where', path),
    'DIRECTORY_MISSING',
    /no[/\\]where cannot be opened: the directory .*no does not exist\. Create it first\./,
  ),
  file(
    'a link to itself',
    (path) => symlinkSync('app.duckdb', path),
    'OPEN_FAILED',
    /could not be opened: ELOOP/,
  ),
  {
    ...file(
      'a file that may not be read',
      async (path, { directory }) => {
        await makeDatabase(path)
        chmodSync(directory, 0o755)
        chmodSync(path, 0o000)
      },
      'OPEN_FAILED',
      /could not be opened: EACCES.*the permissions of the file and its directory\./,
    ),
    isUnprivileged: true,
  },
  {
    ...file(
      'a file that may not be written',
      async (path, { directory }) => {
        await makeDatabase(path)
        chmodSync(directory, 0o755)
        chmodSync(path, 0o444)
      },
      'OPEN_FAILED',
      /could not be opened: .*Permission denied.*the permissions of the file and its directory\./,
    ),
    isUnprivileged: true,
  },
  {
    ...file(
      'a new file where none may be made',
      (_, { directory }) => chmodSync(directory, 0o555),
      'OPEN_FAILED',
      /could not be opened: .*Permission denied/,
    ),
    isUnprivileged: true,
  },
  file(
    'a file of a newer DuckDB',
    async (path) => {
      await makeDatabase(path)
      changeVersion(path, 69n)
    },
    'OPEN_FAILED',
    /was written by a newer DuckDB: .*version number 69.* Install a newer @duckdb\/node-api; nothing/,
  ),
  file(
    'a file of a very old DuckDB',
    async (path) => {
      await makeDatabase(path)
      changeVersion(path, 40n)
    },
    'OPEN_FAILED',
    /could not be opened: .*version number 40/,
  ),
  file(
    'a file that was cut short in its head',
    async (path) => {
      await makeDatabase(path)
      truncateSync(path, 100)
    },
    'OPEN_FAILED',
    damaged,
  ),
  file(
    'a file that was cut short in its data',
    async (path) => {
      await makeDatabase(path)
      truncateSync(path, 20_000)
    },
    'OPEN_FAILED',
    damaged,
  ),
  file(
    'a file with a wrong bit',
    async (path) => {
      await makeDatabase(path)
      const bytes = readFileSync(path)
      bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20)
      writeFileSync(path, bytes)
    },
    'OPEN_FAILED',
    damaged,
  ),
  file(
    'less memory than DuckDB needs',
    makeDatabase,
    'OPEN_FAILED',
    /could not be opened: .*Out of Memory.* Give a larger `memoryLimit`\./s,
    { memoryLimit: 1_000 },
  ),
  file(
    'a file that another process writes',
    async (path, { hold }) => hold(path, 'READ_WRITE'),
    'FILE_LOCKED',
    /is open in another process \(PID \d+\), and one process at a time can have a DuckDB file open for writing\. Close it there, or open it with `readOnly` in every process\./,
  ),
  file(
    'a file to read that another process writes',
    async (path, { hold }) => hold(path, 'READ_WRITE'),
    'FILE_LOCKED',
    /is open in another process \(PID \d+\)/,
    { readOnly: true },
  ),
  file(
    'a file to write that another process reads',
    async (path, { hold }) => {
      await makeDatabase(path)
      await hold(path, 'READ_ONLY')
    },
    'FILE_LOCKED',
    /is open in another process \(PID \d+\)/,
  ),
]

/** A database of the client's own, with a row in it. */
async function makeDatabase(path: string): Promise<void> {
  const instance = await DuckDBInstance.create(path)
  const connection = await instance.connect()
  await connection.run('create table t as select 1 as a')
  connection.closeSync()
  instance.closeSync()
}

/** The head of a file: its checksum, `DUCK`, and the version of its format. */
function changeVersion(path: string, version: bigint): void {
  const bytes = readFileSync(path)
  bytes.writeBigUInt64LE(version, 12)
  bytes.writeBigUInt64LE(checksum(bytes.subarray(8, 4096)), 0)
  writeFileSync(path, bytes)
}

/** https://github.com/duckdb/duckdb/blob/main/src/common/checksum.cpp */
function checksum(bytes: Buffer): bigint {
  let sum = 5381n
  for (let offset = 0; offset < bytes.length; offset += 8)
    sum ^= BigInt.asUintN(64, bytes.readBigUInt64LE(offset) * 0xbf58476d1ce4e5b9n)
  return sum
}

export const badOpens: readonly BadOpen[] = [
  ...options,
  ...settings,
  ...paths,
  ...instances,
  ...files,
]

/** Gives up what lets this process do anything, for as long as something runs. */
export async function unprivileged<R>(run: () => Promise<R>): Promise<R> {
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(65_534)
  try {
    return await run()
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
}
