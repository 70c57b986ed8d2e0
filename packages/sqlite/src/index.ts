export {
  ConnectionBusyError,
  DatabaseClosedError,
  describeError,
  type ErrorDescription,
  Int64RangeError,
  KeelsonError,
  OptionError,
  ParameterError,
  QueryTimeoutError,
  TransactionAbortedError,
  TransactionClosedError,
} from '@keelson/core'
export type {
  BeginOptions,
  ExecuteOptions,
  Int64Policy,
  MappedExecuteOptions,
  SqliteResult,
  SqliteSession,
  StreamOptions,
  TransactionBehavior,
} from './contract.ts'
export type { BetterSqlite3Database, BetterSqlite3Statement } from './better-sqlite3.ts'
export type { SqliteCloseReport, SqliteDatabase } from './database.ts'
export {
  MigrationForeignKeyError,
  SqliteBackupError,
  SqliteOpenError,
  SqliteResultError,
  SqliteStatementError,
  SqliteThreadError,
} from './errors.ts'
export type {
  BackupOptions,
  BackupReport,
  ForeignKeyViolation,
  OrphanCount,
  SqliteMaintenance,
  SqliteSize,
} from './maintenance/maintenance.ts'
export type { Maintain, MaintenanceSchedule, MaintenanceTask } from './maintenance/schedule.ts'
export { isSqliteDatabase, openSqlite } from './open-sqlite.ts'
export type { ConnectionOptions, ResolvedSqliteOptions, SqliteOptions } from './options.ts'
