export { atCallSite, callSite, captureCallSite } from './call-site.ts'
export {
  type AmbientTransactions,
  ambientTransactions,
} from './capabilities/ambient-transactions.ts'
export {
  bulkIngest,
  type BulkIngestCapable,
  type BulkIngestRequest,
  type BulkIngestResult,
} from './capabilities/bulk-ingest.ts'
export {
  bulkStatements,
  type BulkStatementsCapable,
  type BulkStatementsRequest,
  type BulkStatementsResult,
  upsertedFunction,
  worksBeside,
} from './capabilities/bulk-statements.ts'
export {
  databaseOf,
  engineOfAdapter,
  engineSession,
  type EngineSession,
  onEngineSession,
} from './capabilities/engine-session.ts'
export type {
  Catalogue,
  CatalogueCheck,
  CatalogueColumn,
  CatalogueForeignKey,
  CatalogueGenerated,
  CatalogueIndex,
  CatalogueIndexColumn,
  CatalogueKey,
  CatalogueTable,
  Deferrability,
  ReferentialAction,
} from './catalogue/catalogue.ts'
export {
  transactionObserver,
  type TransactionObserver,
} from './capabilities/transaction-observer.ts'
export {
  bulkRows,
  type DirectOutcome,
  type DirectStatement,
  statementObserver,
  type StatementObserver,
} from './capabilities/statement-observer.ts'
export {
  duckdbCatalogue,
  type DuckDBCatalogueOptions,
  readDuckDBCatalogue,
} from './catalogue/duckdb.ts'
export {
  type CatalogueQuery,
  type CatalogueSteppedQuery,
  readSqliteCatalogue,
  sqliteCatalogue,
  type SqliteCatalogueOptions,
} from './catalogue/sqlite.ts'
export {
  type BeginStatements,
  type EngineName,
  type EngineTraits,
  engineTraits,
  type SavepointStatements,
} from './engine-traits.ts'
export { attachSuppressed } from './errors/attach-suppressed.ts'
export { describeError, type DescribeErrorOptions } from './errors/describe-error.ts'
export type {
  ErrorCategory,
  ErrorDescription,
  TransactionFate,
} from './errors/error-description.ts'
export { IdentifierError } from './errors/identifier-error.ts'
export {
  ConnectionBusyError,
  DatabaseClosedError,
  KeelsonError,
  OptionError,
  QueryTimeoutError,
  SavepointsNotSupportedError,
  TransactionAbortedError,
  TransactionClosedError,
} from './errors/keelson-error.ts'
export {
  PoolAcquireTimeoutError,
  PoolClosedError,
  PoolLeaseError,
  PoolQueueFullError,
} from './errors/pool-errors.ts'
export { Int64RangeError, ParameterError } from './errors/value-errors.ts'
export {
  poolAcquireChannel,
  queryChannel,
  traceAsync,
  traceSync,
  transactionChannel,
} from './events/channels.ts'
export { nextEventId } from './events/event-id.ts'
export { guardListener } from './events/guarded-listener.ts'
export type { PoolEvent } from './events/pool-event.ts'
export type {
  BatchedStatement,
  QueryEvent,
  QueryFingerprint,
  QueryOutcome,
} from './events/query-event.ts'
export {
  newQueryEvent,
  type QueryStart,
  traceQuery,
  traceStreamEnd,
  traceStreamStart,
} from './events/query-trace.ts'
export type { Signal } from './events/signal.ts'
export type { TransactionEvent, TransactionOutcome } from './events/transaction-event.ts'
export {
  callStatement,
  callStatementWith,
  statementCall,
  type StatementCall,
} from './events/statement-call.ts'
export { TransactionTrace, type TransactionStart } from './events/transaction-trace.ts'
export { excerpt } from './excerpt.ts'
export { Holder } from './holder.ts'
export { checkIdentifier, type IdentifierOptions, quoteIdentifier } from './identifier.ts'
export { isThenable } from './is-thenable.ts'
export { milliseconds } from './milliseconds.ts'
export { objectFrom } from './object-from.ts'
export { checkOptionNames, describeValue, invalidOption } from './options.ts'
export type { LeakReport } from './pool/leak-watch.ts'
export type { Lease, LeaseHolder } from './pool/lease.ts'
export type {
  AcquireOptions,
  CreateContext,
  PoolDestroyReason,
  PoolOptions,
} from './pool/pool-options.ts'
export type { PoolStats } from './pool/pool-stats.ts'
export { Pool } from './pool/pool.ts'
export type { PoolCloseOptions, PoolCloseReport } from './pool/shutdown.ts'
export { printable } from './printable.ts'
export { dooming, inSavepoint, type SavepointCommands } from './savepoint.ts'
export { settlesWithin } from './settles-within.ts'
export { started } from './started.ts'
export { type Later, type Steps, takeSteps, takeStepsNow, wait } from './steps.ts'
export { valuesByRow } from './values-by-row.ts'
