export {
  acquireMigrationLock,
  type ConnectionMigrationLock,
  migrationLock,
  releaseMigrationLock,
} from './kysely/migration-lock.ts'
export {
  type ConnectionPatience,
  ConnectionUse,
  connectionUse,
  guardSingleConnections,
} from './kysely/single-connection-guard.ts'
export {
  lateStatementError,
  markAbortedTransaction,
  TransactionCommands,
} from './kysely/transaction-commands.ts'
