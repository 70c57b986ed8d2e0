import type { DuckDBInstance } from '@duckdb/node-api'
import { checkOptionNames, invalidOption, OptionError } from '@keelson/core'
import type { AbortableOperationOptions } from 'kysely'
import type { DuckDBDatabase } from '../database.ts'
import { settingsOf } from '../instance/settings.ts'
import { isDuckDBDatabase, isDuckDBInstance } from '../open-duckdb.ts'
import { type DuckDBOptions, resolveOptions } from '../options.ts'
import { resolvePath } from '../path.ts'

/**
 * What {@link DuckDBDialect} works on: a file that it opens by itself (`path` and every other option of `openDuckDB()`),
 * or a database or instance that you opened.
 */
export interface DuckDBDialectConfig extends DuckDBOptions {
  /**
   * A database that is open already, instead of `path`: one made by `openDuckDB()`, or a function that returns one or a
   * `DuckDBInstance` of @duckdb/node-api. The function is called when the first query is executed.
   *
   * `db.destroy()` never closes it, also when a function returned it: who opened it closes it. Give `path` if the
   * dialect should own the database.
   *
   * A database made by `openDuckDB()` has its options already, so none may stand beside it here. Beside an instance
   * stand options of how it is used (`pool`, `int64`, `queryTimeoutMs`, ...).
   */
  readonly database?: DuckDBDatabase | DuckDBDatabaseFactory
  /**
   * How long a `Migrator` waits for another one that migrates the same database, in milliseconds, before it fails with
   * `MigrationLockTimeoutError`. @default 600_000, ten minutes
   */
  readonly migrationLockTimeoutMs?: number
}

/** Opens, or finds, the database when it is first needed. One that throws is called again by the next query. */
export type DuckDBDatabaseFactory = (
  options?: AbortableOperationOptions,
) => Promise<DuckDBDatabase | DuckDBInstance>

const where = 'new DuckDBDialect()'

/** Options of the dialect itself, which may stand beside any database. */
const ofDialect: readonly string[] = ['database', 'migrationLockTimeoutMs']

/**
 * Copies and freezes the user's config, after refusing what cannot work.
 *
 * @throws {OptionError} for an unknown option, an impossible value, and a config without or with two databases
 * @throws {DuckDBOpenError} for a path that cannot be one
 */
export function checkConfig(config: DuckDBDialectConfig): DuckDBDialectConfig {
  if (typeof config !== 'object' || config === null)
    invalidOption(where, 'config', config, "an object, such as { path: 'app.duckdb' }")
  const { database, migrationLockTimeoutMs: timeout, ...options } = config
  checkOptionNames(where, config, [
    'path',
    'instance',
    ...ofDialect,
    ...Object.keys(resolveOptions({})),
  ])
  settingsOf(resolveOptions(options))
  if (timeout !== undefined && !(Number.isInteger(timeout) && timeout > 0 && timeout <= maxTimeout))
    invalidOption(
      where,
      'migrationLockTimeoutMs',
      timeout,
      `a whole number of milliseconds from 1 to ${maxTimeout}`,
    )
  checkSource(config)
  if (config.path !== undefined) resolvePath(config.path)
  if (database !== undefined && typeof database !== 'function') checkDatabase(database, config)
  return Object.freeze({
    ...config,
    ...(config.pool && { pool: Object.freeze({ ...config.pool }) }),
    ...(config.settings && { settings: Object.freeze({ ...config.settings }) }),
  })
}

/** The longest that a timer takes. */
const maxTimeout = 0x7fffffff

function checkSource(config: DuckDBDialectConfig): void {
  const given = (['path', 'instance', 'database'] as const).filter(
    (name) => config[name] !== undefined,
  )
  const [first, second] = given
  if (second !== undefined) {
    throw new OptionError(
      'INVALID_OPTION',
      second,
      `${where} has both \`${first}\` and \`${second}\`, and uses one database. Leave one of them out.`,
    )
  }
  if (first === undefined) {
    throw new OptionError(
      'INVALID_OPTION',
      'path',
      `${where} has no database to work on. Give it \`path\`, a file that it opens and closes, or \`database\` or \`instance\`, one that is open already.`,
    )
  }
  if (first === 'instance' && !isDuckDBInstance(config.instance))
    invalidOption(where, 'instance', config.instance, 'a DuckDBInstance of @duckdb/node-api')
}

/** Refuses what is no database, and options that would be ignored because the database was opened with its own. */
export function checkDatabase(database: unknown, config: DuckDBDialectConfig): void {
  if (!isDuckDBDatabase(database)) {
    // Only a function may return one: as a value it has an option of its own.
    if (typeof config.database === 'function' && isDuckDBInstance(database)) return
    invalidOption(
      where,
      'database',
      database,
      'a database made by openDuckDB(), or a function that returns one; a DuckDBInstance is given as `instance`',
    )
  }
  for (const [name, value] of Object.entries(config)) {
    if (ofDialect.includes(name) || value === undefined) continue
    throw new OptionError(
      'INVALID_OPTION',
      name,
      `${where} cannot set \`${name}\` on a database that is open already. Give the option to openDuckDB().`,
    )
  }
}
