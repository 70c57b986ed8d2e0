import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { invalidOption, OptionError } from '@keelson/core'
import type { DuckDBDatabase } from './database.ts'
import { DuckDBOpenError } from './errors.ts'
import { type InstanceLease, leaseInstance } from './instance/instance-registry.ts'
import { settingsOf } from './instance/settings.ts'
import { type DuckDBOptions, resolveOptions } from './options.ts'
import { resolvePath } from './path.ts'
import { databaseBrand, PooledDatabase } from './pooled-database.ts'
import { Engine } from './session/engine.ts'

/**
 * Opens a DuckDB database file, or one in memory.
 *
 * A file that is open in this process already is shared, whatever path leads to it; one that somebody else in this
 * process has open, or that was opened with other settings, is refused. Every setting is read back after it was set.
 *
 * ```ts
 * const database = await openDuckDB({ path: 'app.duckdb' })
 * const { rows } = await database.execute('select $1 + 1 as next', [41])
 * await database.close()
 * ```
 *
 * @param options the options, or just the path
 * @returns the open database. Close it with `close()`.
 * @throws {OptionError} for an option that is unknown, cannot be used, or that DuckDB did not apply
 * @throws {DuckDBOpenError} for a path that cannot be opened, a file that is no DuckDB database, or one that is locked.
 *   Nothing is left open.
 */
export async function openDuckDB(options: DuckDBOptions | string): Promise<DuckDBDatabase> {
  const database = createDuckDB(options)
  try {
    await database.open()
  } catch (error) {
    await database.close()
    throw error
  }
  return database
}

/** Tells whether a value was made by `openDuckDB()`, also by another copy of this package. */
export function isDuckDBDatabase(value: unknown): value is DuckDBDatabase {
  return typeof value === 'object' && value !== null && databaseBrand in value
}

/** Tells whether a value is an instance of @duckdb/node-api, also of another copy of it. */
export function isDuckDBInstance(value: unknown): value is DuckDBInstance {
  const instance = value as Partial<DuckDBInstance> | null | undefined
  return typeof instance?.connect === 'function' && typeof instance.closeSync === 'function'
}

/**
 * The same database at once, for hosts whose constructors are synchronous. The file is opened with the first statement.
 *
 * @throws {OptionError} for what can be seen without opening
 */
export function createDuckDB(options: DuckDBOptions | string | URL): PooledDatabase {
  const given = typeof options === 'string' || options instanceof URL ? { path: options } : options
  if (typeof given !== 'object' || given === null)
    invalidOption(
      'openDuckDB()',
      'options',
      given,
      "a path, or an object of options such as { path: 'app.duckdb' }",
    )
  const resolved = resolveOptions(given)
  const { path, instance } = given
  if (instance !== undefined) {
    checkAdoptable(given)
    return new PooledDatabase(new Engine('a DuckDBInstance', resolved, async () => adopt(instance)))
  }
  if (path === undefined) {
    throw new DuckDBOpenError(
      'PATH_INVALID',
      "openDuckDB() needs a `path`, for example 'app.duckdb' or ':memory:', or an `instance`.",
    )
  }
  const file = resolvePath(path)
  if (file === ':memory:' && resolved.readOnly)
    throw new DuckDBOpenError(
      'PATH_INVALID',
      "A database in memory begins empty, so `readOnly` makes no sense for ':memory:'. Leave it out.",
    )
  settingsOf(resolved)
  return new PooledDatabase(new Engine(file, resolved, () => leaseInstance(file, resolved)))
}

const ofOpening = [
  'threads',
  'memoryLimit',
  'tempDirectory',
  'readOnly',
  'autoInstallExtensions',
  'autoLoadExtensions',
  'settings',
] as const satisfies readonly (keyof DuckDBOptions)[]

/** Refuses options that would be ignored, since the instance was opened with its own. */
function checkAdoptable(given: DuckDBOptions): void {
  if (!isDuckDBInstance(given.instance))
    invalidOption(
      'openDuckDB()',
      'instance',
      given.instance,
      'a DuckDBInstance of @duckdb/node-api',
    )
  if (given.path !== undefined)
    throw new DuckDBOpenError(
      'PATH_INVALID',
      'openDuckDB() takes `path` or `instance`, not both. Leave one out.',
    )
  for (const name of ofOpening) {
    if (given[name] === undefined) continue
    throw new OptionError(
      'INVALID_OPTION',
      name,
      `openDuckDB() cannot set \`${name}\` on an instance that is open already. Set it when you create it, or give a \`path\`.`,
    )
  }
}

async function adopt(instance: DuckDBInstance): Promise<InstanceLease> {
  let connection: DuckDBConnection | undefined
  try {
    connection = await instance.connect()
    const result = await connection.run(
      'select coalesce(path, $1) from duckdb_databases() where database_name = current_database()',
      [':memory:'],
    )
    const [path] = result.getChunk(0).getColumnValues(0)
    return { instance, path: String(path), settings: [], release: async () => false }
  } catch (error) {
    throw new DuckDBOpenError(
      'OPEN_FAILED',
      `openDuckDB() cannot use the \`instance\`: ${(error as Error).message}. Pass one that is open.`,
      { cause: error },
    )
  } finally {
    connection?.closeSync()
  }
}
