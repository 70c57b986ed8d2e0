import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { KeelsonError, OptionError } from '@keelson/core/base'
import Database from 'better-sqlite3'
import type { BetterSqlite3Database } from '../better-sqlite3.ts'
import { SqliteOpenError } from '../errors.ts'
import type { ConnectionOptions } from '../options.ts'
import { applySettings } from '../settings.ts'
import { StatementEngine } from '../statement/statement-engine.ts'

/**
 * Opens a connection and verifies its settings.
 *
 * @param isReader it is to read only
 * @throws {SqliteOpenError} when it cannot be opened
 * @throws {OptionError} for a setting that SQLite did not apply, and a `connectionModule` that is none
 */
export function connect(
  path: string,
  options: ConnectionOptions,
  isReader: boolean,
): StatementEngine {
  const readonly = options.readOnly || isReader
  if (readonly && path === ':memory:') {
    throw new SqliteOpenError(
      'PATH_INVALID',
      "A database in memory begins empty, so `readOnly` makes no sense for ':memory:'. Leave it out.",
    )
  }
  if (readonly && !existsSync(path)) {
    throw new SqliteOpenError(
      'FILE_MISSING',
      `${path} does not exist, and a read-only database is not created. Check the path, or open it without \`readOnly\` to create it.`,
    )
  }
  const { connectionModule: href } = options
  const prepare = href === undefined ? undefined : connectionModule(href)
  const database = create(path, { readonly, timeout: options.busyTimeoutMs })
  try {
    // SQLite opens lazily: only a read finds out that the file is not a database.
    database.pragma('schema_version')
    applySettings(database, options, isReader)
    if (prepare !== undefined) prepare(database)
    // From here on waiting is done by the driver, which notices meanwhile that somebody has lost interest.
    database.pragma('busy_timeout = 0')
    return new StatementEngine(database, options, true)
  } catch (error) {
    database.close()
    if ((error as { code?: string }).code !== 'SQLITE_NOTADB') throw error
    throw new SqliteOpenError(
      'NOT_A_DATABASE',
      `${path} is not a SQLite database, or is encrypted. Check the path; nothing was changed in the file.`,
      { cause: error },
    )
  }
}

function create(
  path: string,
  options: { readonly: boolean; timeout: number },
): BetterSqlite3Database {
  // better-sqlite3 13 ends the process with a segmentation fault there.
  if (Number(process.versions.node.split('.')[0]) < 22)
    throw new KeelsonError(
      'UNSUPPORTED_NODE',
      `@keelson/sqlite runs on Node.js 22.12 or newer, and this is ${process.version}. Install a newer one.`,
    )
  try {
    return new Database(path, options) as unknown as BetterSqlite3Database
  } catch (error) {
    throw new SqliteOpenError(
      'OPEN_FAILED',
      `${path} could not be opened: ${(error as Error).message}. Check the permissions of the file and its directory.`,
      { cause: error },
    )
  }
}

/** What the module does to a connection. Required, since a database opens without waiting. */
function connectionModule(href: string): (database: BetterSqlite3Database) => void {
  let loaded: unknown
  try {
    loaded = createRequire(import.meta.url)(fileURLToPath(href))
  } catch (cause) {
    throw new OptionError(
      'INVALID_OPTION',
      'connectionModule',
      `The \`connectionModule\` ${href} could not be loaded: ${(cause as Error).message}. It is a module of its own, without top-level await.`,
      { cause },
    )
  }
  const { default: prepare = loaded } = loaded as { readonly default?: unknown }
  if (typeof prepare === 'function') return prepare as (database: BetterSqlite3Database) => void
  throw new OptionError(
    'INVALID_OPTION',
    'connectionModule',
    `The \`connectionModule\` ${href} has no function as its default export: \`export default (database) => { ... }\`.`,
  )
}
