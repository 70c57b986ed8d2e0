import { drizzleSession } from '@keelson/core/drizzle'
import type { TableDefinition } from '../ir/table-definition.ts'
import { areEnsured } from '../plan/ensure/ensured-tables.ts'
import { type EnsureOptions, runEnsure } from '../plan/ensure/run-ensure.ts'
import { type AnyDatabase, DrizzleHost } from './drizzle-host.ts'

/**
 * Creates what is missing of tables, columns and indexes. Made to be called before each use: what is known to be there is
 * not asked for again, so that a call with the same definitions sends nothing.
 *
 * It takes the same lock as `applyPlan()`, so that any number of processes can call it at once. It only adds: indexes that no definition
 * asks for stay, and tables that are there otherwise than they are defined are an error.
 *
 * @param db what `drizzle()` has returned, or a transaction
 * @throws {NotAdditiveError} when more than adding is needed; use `diffSchema()` and `applyPlan()`
 * @throws {OpenTransactionError} inside a transaction, when something may be missing; see `inTransaction`
 * @throws {SchemaLockError} when others hold the lock for longer than `lockTimeoutMs`
 *
 * @example
 * await ensureTables(db, [users])
 * // begin; create table "users" (...); create index "ix_users_..." on "users" (...); commit
 * await ensureTables(db, [users]) // nothing
 */
export async function ensureTables(
  db: AnyDatabase,
  tables: readonly TableDefinition[],
  options?: EnsureOptions,
): Promise<void> {
  if (options === undefined && areEnsured(drizzleSession(db)?.dialect, tables)) return
  await runEnsure(new DrizzleHost(db, 'ensureTables()'), tables, options)
}
