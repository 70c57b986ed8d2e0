export { fingerprint } from './fingerprint/fingerprint.ts'
export type {
  HealthCheck,
  HealthOptions,
  HealthReport,
  HealthStatus,
} from './health/health-report.ts'
export type { TimingOptions } from './options.ts'
export { type AuditEntry, auditSink } from './output/audit-sink.ts'
export { logSink, type StructuredLogger } from './output/log-sink.ts'
export { prettySink, type PrettySinkOptions } from './output/pretty-sink.ts'
export type {
  DatabaseReport,
  QueryReport,
  TimingReport,
  Totals,
  TransactionsReport,
  WaitReport,
} from './output/report.ts'
export type { Workload, WorkloadQuery, WorkloadSample } from './output/workload.ts'
export type { PoolGauges } from './record/pool-reader.ts'
export { type QueryContext, queryContext } from './record/query-context.ts'
export type { ScopeOptions } from './record/scopes.ts'
export type { WatchedDatabaseOptions } from './record/watched-database.ts'
export type { Sink } from './sink.ts'
export { Histogram } from './stats/histogram.ts'
export type { QueryPlan } from './stats/query-stats.ts'
export type { SampledValue } from './stats/sampled-values.ts'
export { createTiming, type Timing } from './timing.ts'
export type {
  BatchedStatement,
  PoolEvent,
  QueryEvent,
  QueryFingerprint,
  Signal,
  TransactionEvent,
} from '@keelson/core'
export { timingHandler, type TimingHandlerOptions } from './web/timing-handler.ts'
