export { applyAdvice } from './drizzle/apply-advice.ts'
export type { AnyDatabase } from './drizzle/drizzle-host.ts'
export { fromDrizzle, type FromDrizzleOptions } from './drizzle/from-drizzle.ts'
export { introspect } from './drizzle/introspect.ts'
export type { IntrospectOptions } from './introspect/introspect.ts'
export { applyPlan } from './drizzle/apply-plan.ts'
export { diffSchema } from './drizzle/diff-schema.ts'
export { ensureTables } from './drizzle/ensure-tables.ts'
export type { ApplyOptions, ApplyProgress, ApplyReport } from './plan/apply/apply-options.ts'
export type { DiffOptions } from './plan/diff-schema.ts'
export type { EnsureOptions } from './plan/ensure/run-ensure.ts'
export {
  migrateSafely,
  type MigrateOptions,
  repairMigration,
  type RepairOptions,
} from './drizzle/migrate-safely.ts'
export { adviseIndexes, createAdvisor, type DrizzleAdvisor } from './drizzle/advisor.ts'
