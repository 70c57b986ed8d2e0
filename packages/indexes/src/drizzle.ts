export { type AnyDatabase, DrizzleHost } from './drizzle/drizzle-host.ts'
export {
  migrateSafely,
  type MigrateOptions,
  repairMigration,
  type RepairOptions,
} from './drizzle/migrate-safely.ts'
