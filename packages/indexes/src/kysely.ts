export { applyAdvice } from './kysely/apply-advice.ts'
export { introspect } from './kysely/introspect.ts'
export type { IntrospectOptions } from './introspect/introspect.ts'
export { applyPlan } from './kysely/apply-plan.ts'
export { diffSchema } from './kysely/diff-schema.ts'
export { ensureTables } from './kysely/ensure-tables.ts'
export type { ApplyOptions, ApplyProgress, ApplyReport } from './plan/apply/apply-options.ts'
export type { DiffOptions } from './plan/diff-schema.ts'
export type { EnsureOptions } from './plan/ensure/run-ensure.ts'
export {
  migrateSafely,
  type MigrateOptions,
  repairMigration,
  type RepairOptions,
} from './kysely/migrate-safely.ts'
export type { MigrationSource, SafeMigration } from './kysely/migration-source.ts'
export { adviseIndexes, createAdvisor, type KyselyAdvisor } from './kysely/advisor.ts'
