export {
  type BulkIngestRequest,
  type BulkIngestResult,
  ConnectionBusyError,
  DatabaseClosedError,
  describeError,
  type ErrorDescription,
  Int64RangeError,
  KeelsonError,
  OptionError,
  ParameterError,
  PoolAcquireTimeoutError,
  PoolQueueFullError,
  QueryTimeoutError,
  SavepointsNotSupportedError,
  TransactionAbortedError,
  TransactionClosedError,
} from '@keelson/core'
export type {
  BeginOptions,
  DuckDBResult,
  DuckDBSession,
  ExecuteOptions,
  StreamOptions,
  ValuePolicies,
} from './contract.ts'
export type {
  DuckDBCloseReport,
  DuckDBDatabase,
  ReserveOptions,
  SessionOptions,
} from './database.ts'
export {
  DuckDBOpenError,
  DuckDBStatementError,
  InfiniteTimestampError,
  StreamCutShortError,
  TimestampPrecisionError,
} from './errors.ts'
export type { DuckDBOptions, DuckDBPoolOptions, ResolvedDuckDBOptions } from './options.ts'
export { isDuckDBDatabase, openDuckDB } from './open-duckdb.ts'
export { DateRangeError } from './values/read/date-range-error.ts'
export { JsonTextError } from './values/read/json-text-error.ts'
