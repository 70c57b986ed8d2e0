import { checkIdentifier, checkOptionNames, type EngineName, invalidOption } from '@keelson/core'
import { checkLockTimeout } from '../host/check-lock-timeout.ts'
import type { MigrationEvent } from './report.ts'

/** Options of `migrateSafely()` that do not depend on the ORM. */
export interface CommonMigrateOptions {
  /** The last migration to apply. @default the newest */
  readonly to?: string | undefined
  /**
   * Undoes instead of applying: the last migration that was applied, all of them, or those behind the one that is named.
   * Nothing is ever undone without it.
   */
  readonly down?: 'last' | 'all' | { readonly to: string } | undefined
  /** Whether a migration may be applied behind one that comes later by its name. @default false */
  readonly allowOutOfOrder?: boolean | undefined
  /**
   * Whether a migration may take rows from tables that its SQL does not name; or the names of such tables.
   * @default false
   */
  readonly allowDataLoss?: boolean | readonly string[] | undefined
  /**
   * A file that does not exist: before anything is applied the database is copied there, and the copy is checked. SQLite
   * and DuckDB.
   */
  readonly backup?: string | undefined
  /** Only tells what would be done. @default false */
  readonly dryRun?: boolean | undefined
  /** How long to wait for others who migrate or write, in milliseconds. @default 60_000 */
  readonly lockTimeoutMs?: number | undefined
  /** Is called with what happens. What it throws is a process warning, and changes nothing. */
  readonly onProgress?: ((event: MigrationEvent) => unknown) | undefined
}

export interface NormalMigrateOptions extends CommonMigrateOptions {
  readonly lockTimeoutMs: number
}

/** Those of `migrateSafely()`. */
export const migrateOptions: readonly string[] = [
  'migrations',
  'historyTable',
  'historySchema',
  'to',
  'down',
  'allowOutOfOrder',
  'allowDataLoss',
  'backup',
  'dryRun',
  'lockTimeoutMs',
  'onProgress',
]

/** Those of `repairMigration()`, besides what it repairs. */
export const repairOptions: readonly string[] = [
  'migrations',
  'historyTable',
  'historySchema',
  'lockTimeoutMs',
]

/**
 * @param known the names of the options that are read
 * @throws {OptionError} for an option that nobody reads, or of an impossible value
 */
export function normaliseMigrateOptions(
  where: string,
  given: CommonMigrateOptions,
  known: readonly string[],
): NormalMigrateOptions {
  checkOptionNames(where, given, known)
  const { to, down, allowOutOfOrder, allowDataLoss, backup, dryRun, onProgress } = given
  const { lockTimeoutMs = 60_000 } = given
  checkType(where, 'to', to, 'string', 'the name of a migration')
  checkType(where, 'allowOutOfOrder', allowOutOfOrder, 'boolean', 'true or false')
  checkType(where, 'dryRun', dryRun, 'boolean', 'true or false')
  checkType(where, 'backup', backup, 'string', 'the path of a file that does not exist')
  checkType(where, 'onProgress', onProgress, 'function', 'a function')
  const isNames =
    Array.isArray(allowDataLoss) && allowDataLoss.every((it) => typeof it === 'string')
  if (!isNames) {
    checkType(where, 'allowDataLoss', allowDataLoss, 'boolean', 'true, false or names of tables')
  }
  if (backup === '') invalidOption(where, 'backup', backup, 'the path of a file')
  checkLockTimeout(where, lockTimeoutMs)
  const isTarget = typeof down === 'object' && down !== null && typeof down.to === 'string'
  if (down !== undefined && down !== 'last' && down !== 'all' && !isTarget) {
    invalidOption(where, 'down', down, "'last', 'all' or { to: name }")
  }
  if (down !== undefined && to !== undefined) {
    invalidOption(where, 'to', to, 'nothing beside `down`: write `down: { to: name }`')
  }
  return { ...given, lockTimeoutMs }
}

/** @throws {OptionError} {IdentifierError} */
export function checkHistoryName(
  where: string,
  option: 'historyTable' | 'historySchema',
  name: unknown,
  engine: EngineName,
): void {
  if (name === undefined) return
  if (typeof name !== 'string') invalidOption(where, option, name, 'a name')
  checkIdentifier(name, { engine })
}

function checkType(
  where: string,
  option: string,
  value: unknown,
  type: 'string' | 'boolean' | 'function',
  expected: string,
): void {
  if (value !== undefined && typeof value !== type) invalidOption(where, option, value, expected)
}
