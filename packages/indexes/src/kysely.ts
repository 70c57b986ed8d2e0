export { KyselyHost } from './kysely/kysely-host.ts'
export {
  migrateSafely,
  type MigrateOptions,
  repairMigration,
  type RepairOptions,
} from './kysely/migrate-safely.ts'
export type { MigrationSource, SafeMigration } from './kysely/migration-source.ts'
