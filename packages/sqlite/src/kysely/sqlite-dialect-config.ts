import { checkOptionNames, invalidOption, OptionError } from '@keelson/core'
import type { AbortableOperationOptions, DatabaseConnection } from 'kysely'
import type { BetterSqlite3Database } from '../better-sqlite3.ts'
import type { SqliteDatabase } from '../database.ts'
import { isSqliteDatabase } from '../open-sqlite.ts'
import { resolveOptions, type SqliteOptions } from '../options.ts'

/**
 * What {@link SqliteDialect} works on: a file that it opens by itself (`path` and every other option of
 * `openSqlite()`), or a database that you opened.
 */
export interface SqliteDialectConfig extends Omit<SqliteOptions, 'database'> {
  /**
   * A database that is open already, instead of `path`: one made by `openSqlite()`, a better-sqlite3 `Database`, or a
   * function that returns one of them and is called when the first query is executed.
   *
   * `db.destroy()` never closes it, also when a function returned it: who opened it closes it. Give `path` if the
   * dialect should own the database.
   *
   * A database made by `openSqlite()` has its options already, so none may stand beside it here. Beside a
   * better-sqlite3 `Database` stand options of how it is used (`busyTimeoutMs`, `int64`, `behavior`, ...).
   */
  readonly database?: SqliteDatabase | BetterSqlite3Database | SqliteDatabaseFactory
  /**
   * Called once, when the first query is executed, with a Kysely connection to the database; what it throws, that query
   * throws. It is for preparing the database, for example registering tables. Settings belong into `pragmas`, which
   * reach read connections too.
   */
  readonly onCreateConnection?: (
    connection: DatabaseConnection,
    options?: AbortableOperationOptions,
  ) => Promise<void>
}

/** Opens, or finds, the database when it is first needed. One that throws is called again by the next query. */
export type SqliteDatabaseFactory = (
  options?: AbortableOperationOptions,
) => Promise<SqliteDatabase | BetterSqlite3Database>

const where = 'new SqliteDialect()'

/**
 * Copies and freezes the user's config, after refusing what cannot work.
 *
 * @throws {OptionError} for an unknown option, an impossible value, and a config without or with two databases
 */
export function checkConfig(config: SqliteDialectConfig): SqliteDialectConfig {
  if (typeof config !== 'object' || config === null)
    invalidOption(where, 'config', config, "an object, such as { path: 'app.db' }")
  const { database, onCreateConnection, ...options } = config
  checkOptionNames(where, config, [
    'path',
    'database',
    'onCreateConnection',
    ...Object.keys(resolveOptions({})),
  ])
  resolveOptions(options)
  if (onCreateConnection !== undefined && typeof onCreateConnection !== 'function') {
    invalidOption(where, 'onCreateConnection', onCreateConnection, 'a function')
  }
  if (database === undefined) {
    if (config.path === undefined) {
      throw new OptionError(
        'INVALID_OPTION',
        'path',
        `${where} has no database to work on. Give it \`path\`, a file that it opens and closes, or \`database\`, one that is open already.`,
      )
    }
  } else {
    checkDatabase(database, config)
  }
  return Object.freeze({
    ...config,
    ...(config.pragmas && { pragmas: Object.freeze({ ...config.pragmas }) }),
  })
}

/** Refuses options that would be ignored because the database they stand beside was opened with its own. */
export function checkDatabase(database: unknown, config: SqliteDialectConfig): void {
  if (config.path !== undefined) {
    throw new OptionError(
      'INVALID_OPTION',
      'path',
      `${where} has both \`path\` and \`database\`, and uses one database. Leave one of them out.`,
    )
  }
  if (typeof database === 'function') return
  if (isSqliteDatabase(database)) {
    for (const [name, value] of Object.entries(config)) {
      if (name === 'database' || name === 'onCreateConnection' || value === undefined) continue
      throw new OptionError(
        'INVALID_OPTION',
        name,
        `${where} cannot set \`${name}\` on a database that is open already. Give the option to openSqlite().`,
      )
    }
    return
  }
  const raw = database as Partial<BetterSqlite3Database> | null
  if (
    typeof raw !== 'object' ||
    typeof raw?.prepare !== 'function' ||
    typeof raw.pragma !== 'function'
  ) {
    invalidOption(
      where,
      'database',
      database,
      'a database made by openSqlite(), a better-sqlite3 Database, or a function that returns one of them',
    )
  }
}
