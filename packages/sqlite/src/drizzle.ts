export { CacheInvalidationError, UnsupportedDrizzleError } from '@keelson/core/drizzle'
export { KeelsonSqliteDatabase } from './drizzle/database.ts'
export { drizzle } from './drizzle/driver.ts'
export type {
  DrizzleSqlite,
  SqliteDrizzleConfig,
  SqliteDrizzleParameters,
} from './drizzle/driver.ts'
export { migrate } from './drizzle/migrator.ts'
export type { MigrateOptions } from './drizzle/migrator.ts'
export type { RunResult } from './drizzle/run-result.ts'
export { stream } from './drizzle/stream.ts'
export type { StreamableQuery, StreamRowsOptions } from './drizzle/stream.ts'
export { KeelsonSqliteTransaction } from './drizzle/transaction.ts'
export type { SqliteTransactionConfig } from './drizzle/transaction.ts'
