import type { Kysely } from 'kysely'
import type { ApplyOptions, ApplyReport } from '../plan/apply/apply-options.ts'
import { runPlan } from '../plan/apply/apply-plan.ts'
import type { SchemaPlan } from '../plan/schema-plan.ts'
import { KyselyHost } from './kysely-host.ts'

/**
 * Takes the steps of a plan under a lock that holds among all processes, if the schema is still what it was when the plan
 * was made. Where a run was interrupted, or another process was quicker, it goes on after the steps that were taken.
 *
 * All steps are in one transaction, but those that can be in none: on PostgreSQL indexes that are created `concurrently`.
 * A table that SQLite has to rebuild is rebuilt while foreign keys are not enforced; afterwards its rows are counted, and
 * rows that refer to none undo all of it.
 *
 * @param db a `Kysely`, outside of a transaction
 * @param plan what `diffSchema()` has returned for this database, or `revertPlan()` has made of it
 * @throws {DestructiveStepError} for steps that lose data, without `allowDrop`
 * @throws {SchemaDriftError} when somebody has changed the tables since
 * @throws {SchemaLockError} when others hold the lock for longer than `lockTimeoutMs`
 * @throws {RowsInTheWayError} for rows that cannot be as a step demands, with an example
 * @throws {RebuildError} when a rebuilt table is not what it was
 * @throws {BackupError} when there is no backup as it was asked for
 *
 * @example
 * const plan = await diffSchema(db, [users])
 * const report = await applyPlan(db, plan, { backup: 'before.db' })
 * // begin; create index "ix_users_..." on "users" (...); commit
 */
export async function applyPlan(
  db: Kysely<any>,
  plan: SchemaPlan,
  options?: ApplyOptions,
): Promise<ApplyReport> {
  const host = new KyselyHost(db, 'applyPlan()')
  return runPlan(host, plan, options)
}
