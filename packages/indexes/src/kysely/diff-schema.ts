import type { Kysely } from 'kysely'
import type { TableDefinition } from '../ir/table-definition.ts'
import { type DiffOptions, runDiff } from '../plan/diff-schema.ts'
import type { SchemaPlan } from '../plan/schema-plan.ts'
import { KyselyHost } from './kysely-host.ts'

/**
 * Compares the tables that a database has with their definitions, and says what has to be done, in which order, what each
 * step risks and costs, and what undoes it. Only reads.
 *
 * Tables that are not among `tables` are left alone, and so are indexes whose name was not made of their definition: they
 * are listed in `unmanaged`. New indexes come before old ones are dropped. Columns, checks and foreign keys of the tables
 * become those of the definitions; what would change values is refused.
 *
 * @param db a `Kysely`
 * @param tables all that is to be known of these tables
 * @returns a plan for `applyPlan()`, as plain data; without steps where nothing is to be done
 * @throws {UnsupportedChangeError} for a change that no steps can make without risk to the values
 * @throws {KeelsonError} for definitions that mean nothing, or that the engine cannot have
 * @throws {UnsupportedByEngineError} on MySQL, whose tables are not read: there are `generateSchema()` and `migrateSafely()`
 *
 * @example
 * const plan = await diffSchema(db, [users])
 * // plan.steps: [{ kind: 'createIndex', table: 'users', risk: 'locking', sql: ['create index "ix_users_..." ...'], ... }]
 */
export async function diffSchema(
  db: Kysely<any>,
  tables: readonly TableDefinition[],
  options?: DiffOptions,
): Promise<SchemaPlan> {
  return runDiff(new KyselyHost(db, 'diffSchema()'), tables, options)
}
