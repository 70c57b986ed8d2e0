export { CacheInvalidationError, UnsupportedDrizzleError } from '@keelson/core/drizzle'
export { KeelsonDuckDBDatabase } from './drizzle/database.ts'
export { drizzle } from './drizzle/driver.ts'
export type {
  DrizzleDuckDB,
  DuckDBDrizzleConfig,
  DuckDBDrizzleParameters,
} from './drizzle/driver.ts'
export { MigrationError } from './drizzle/migration-error.ts'
export { migrate } from './drizzle/migrator.ts'
export type { MigrateOptions } from './drizzle/migrator.ts'
export { stream } from './drizzle/stream.ts'
export type { DuckDBQueryResult, DuckDBQueryResultHKT } from './drizzle/query-result.ts'
export type { StreamableQuery, StreamRowsOptions } from './drizzle/stream.ts'
export { KeelsonDuckDBTransaction } from './drizzle/transaction.ts'
export type { DuckDBTransactionConfig } from './drizzle/transaction-config.ts'
