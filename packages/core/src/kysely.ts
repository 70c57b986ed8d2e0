export { engineNameOfAdapter } from './kysely/adapter-engine.ts'
export {
  type ConnectionInterceptor,
  interceptConnection,
} from './kysely/connection-interceptors.ts'
export {
  type ConnectionRoute,
  type ConnectionWatch,
  connectionWatch,
  type Consumer,
} from './kysely/executor-routes.ts'
export {
  addLayer,
  DialectInstance,
  type DialectLayer,
  instanceOf,
  layerOf,
  LayeredDialect,
  watchConnections,
} from './kysely/layered-dialect.ts'
export {
  acquireMigrationLock,
  type ConnectionMigrationLock,
  migrationLock,
  releaseMigrationLock,
} from './kysely/migration-lock.ts'
export { savepointCommands } from './kysely/savepoint-commands.ts'
export {
  type ConnectionPatience,
  ConnectionUse,
  connectionUse,
  guardSingleConnections,
} from './kysely/single-connection-guard.ts'
export {
  abortedTransaction,
  lateStatementError,
  markAborted,
  markAbortedTransaction,
  TransactionCommands,
} from './kysely/transaction-commands.ts'
