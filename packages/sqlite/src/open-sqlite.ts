import { invalidOption, OptionError } from '@keelson/core'
import type { BetterSqlite3Database } from './better-sqlite3.ts'
import { connect } from './connection/connect.ts'
import { databaseBrand, type SqliteDatabase } from './database.ts'
import { SqliteOpenError } from './errors.ts'
import { InlineDatabase } from './inline/inline-database.ts'
import { InlineEngine } from './inline/inline-engine.ts'
import { resolveOptions, type ResolvedSqliteOptions, type SqliteOptions } from './options.ts'
import { resolvePath } from './path.ts'
import { checkPragmas } from './settings.ts'
import { StatementEngine } from './statement/statement-engine.ts'
import { ThreadedDatabase } from './threads/threaded-database.ts'
import { ThreadedEngine } from './threads/threaded-engine.ts'
import { usesThreads } from './threads/uses-threads.ts'

/**
 * Opens a SQLite database file in WAL mode, or one in memory.
 *
 * Every setting is read back after it was set. Opening is synchronous; while another process holds the file
 * exclusively it waits for up to `busyTimeoutMs` and blocks the event loop, which nothing does later.
 *
 * ```ts
 * const database = openSqlite({ path: 'app.db' })
 * await database.execute('insert into account (name) values (?)', ['Ada'])
 * await database.close()
 * ```
 *
 * @param options the options, or just the path
 * @returns the open database. Close it with `close()`.
 * @throws {OptionError} for an option that is unknown, cannot be used, or that SQLite did not apply
 * @throws {SqliteOpenError} for a path that cannot be opened, a file that is not a database, WAL being impossible.
 *   Nothing is left open.
 */
export function openSqlite(options: SqliteOptions | string): SqliteDatabase {
  const given = typeof options === 'string' ? { path: options } : options
  if (typeof given !== 'object' || given === null)
    invalidOption(
      'openSqlite()',
      'options',
      given,
      "a path, or an object of options such as { path: 'app.db' }",
    )
  const resolved = resolveOptions(given)
  checkPragmas(resolved.pragmas)
  const { database, path } = given
  if (database !== undefined) {
    if (path !== undefined) {
      throw new SqliteOpenError(
        'PATH_INVALID',
        'openSqlite() takes `path` or `database`, not both. Leave one out.',
      )
    }
    checkAdoptable(database, given)
    return adopt(database, resolved)
  }
  if (path === undefined) {
    throw new SqliteOpenError(
      'PATH_INVALID',
      "openSqlite() needs a `path`, for example 'app.db' or ':memory:', or a `database`.",
    )
  }
  const file = resolvePath(path, given.directory)
  const opened = connect(file, resolved, false)
  if (usesThreads(file, resolved)) {
    // That it can be opened, and its settings be applied, is known now; the threads have connections of their own.
    opened.database.close()
    return new ThreadedDatabase(new ThreadedEngine(file, resolved))
  }
  const engine = new InlineEngine(
    file,
    resolved,
    opened,
    file === ':memory:' ? undefined : () => connect(file, resolved, true),
  )
  return new InlineDatabase(engine, () => engine.writer.database.close())
}

/** Tells whether a value was made by `openSqlite()`, also by another copy of this package. */
export function isSqliteDatabase(value: unknown): value is SqliteDatabase {
  return typeof value === 'object' && value !== null && databaseBrand in value
}

/** One database for each handle, so that everything on it waits at the same gate. */
const adopted = new WeakMap<BetterSqlite3Database, SqliteDatabase>()

/** Refuses options that would be ignored, since the database was opened with its own. */
function checkAdoptable(database: BetterSqlite3Database, given: SqliteOptions): void {
  if (given.mode === 'threads') {
    throw new OptionError(
      'INVALID_OPTION',
      'mode',
      'openSqlite() cannot run a database that is open already on threads, which have connections of their own. Give its `path`.',
    )
  }
  for (const name of ofOpening) {
    if (given[name] === undefined) continue
    throw new OptionError(
      'INVALID_OPTION',
      name,
      `openSqlite() cannot set \`${name}\` on a database that is open already. Set it when you open it, or give a \`path\`.`,
    )
  }
  const known =
    typeof database === 'object' && database !== null ? adopted.get(database) : undefined
  if (known?.isOpen !== true) return
  for (const name of ofUse) {
    if (given[name] === undefined || given[name] === known.options[name]) continue
    throw new OptionError(
      'INVALID_OPTION',
      name,
      `openSqlite() was given this database before, with \`${name}: ${String(known.options[name])}\`, and everything on one handle shares its options. Share what the first call returned.`,
    )
  }
}

const ofOpening = [
  'readers',
  'readOnly',
  'synchronous',
  'foreignKeys',
  'pragmas',
  'directory',
  'connectionModule',
  'worker',
] as const satisfies readonly (keyof SqliteOptions)[]

const ofUse = [
  'busyTimeoutMs',
  'statementCacheSize',
  'int64',
  'behavior',
  'queryTimeoutMs',
  'maxRows',
] as const satisfies readonly (keyof SqliteOptions)[]

function adopt(database: BetterSqlite3Database, options: ResolvedSqliteOptions): SqliteDatabase {
  if (
    typeof database !== 'object' ||
    typeof database?.prepare !== 'function' ||
    typeof database.pragma !== 'function'
  ) {
    throw new SqliteOpenError(
      'OPEN_FAILED',
      '`database` is not a better-sqlite3 database. Pass `new Database(file)` from better-sqlite3 12 or 13, or a `path`.',
    )
  }
  if (!database.open) {
    throw new SqliteOpenError(
      'OPEN_FAILED',
      'The better-sqlite3 database has been closed. Pass an open one.',
    )
  }
  const known = adopted.get(database)
  if (known?.isOpen === true) return known
  if (known !== undefined) {
    throw new SqliteOpenError(
      'OPEN_FAILED',
      'The better-sqlite3 database is in use by one that is being closed. Await its close() first.',
    )
  }
  const settled = { ...options, readOnly: options.readOnly || database.readonly }
  const writer = new StatementEngine(database, settled, false)
  const engine = new InlineEngine(database.name, settled, writer, undefined)
  const created = new InlineDatabase(engine, () => adopted.delete(database))
  adopted.set(database, created)
  return created
}
