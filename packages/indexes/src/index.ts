export { DefinitionError, NameCollisionError, UnsupportedByEngineError } from './errors.ts'
export { introspectTables, type IntrospectOptions } from './introspect/introspect.ts'
export type { ColumnDefault, ColumnDefinition, GeneratedColumn } from './ir/column.ts'
export type {
  ColumnReference,
  Comparison,
  Expression,
  FunctionCall,
  JsonPath,
  Literal,
  Predicate,
} from './ir/expression.ts'
export type { IndexDefinition, IndexKey, QueryPattern } from './ir/index-definition.ts'
export type {
  ArrayType,
  DecimalType,
  EnumType,
  PortableKind,
  PortableType,
  ScalarType,
  StringType,
} from './ir/portable-type.ts'
export type { Refusal, RefusalCode } from './ir/refusal.ts'
export type {
  CheckDefinition,
  ForeignKeyDefinition,
  NotEnforced,
  TableDefinition,
} from './ir/table-definition.ts'
export { checkTable, checkTables, type CheckNamesOptions } from './names/check-tables.ts'
export { checkName, foreignKeyName } from './names/constraint-name.ts'
export { indexName, isManagedName } from './names/index-name.ts'
export { canonicalTable } from './sql/canonical.ts'
export {
  columnSql,
  columnTypeSql,
  createIndexSql,
  createTableSql,
  dropIndexSql,
  dropTableSql,
  expressionSql,
  predicateSql,
} from './sql/print-table.ts'
export type { PlanStep, Risk, SchemaPlan, StepEstimate } from './plan/schema-plan.ts'
export type { AdvisorQuery, AdvisorWorkload, QuerySample } from './advisor/capture/workload.ts'
export type { ObservedQuery } from './advisor/capture/recorder.ts'
export type { Advisor, AdvisorOptions } from './advisor/create-advisor.ts'
export type { AdviseOptions } from './advisor/options.ts'
export type {
  AdvisedQuery,
  AdviceRefusal,
  AdviceRefusalCode,
  IndexAdvice,
  IndexProposal,
  WorkloadSummary,
} from './advisor/report/advice.ts'
export { adviceAsDrizzleIndexes, adviceAsKyselyMigration } from './advisor/report/advice-code.ts'
export { adviceTable } from './advisor/report/advice-table.ts'
export {
  type FullScan,
  newFullScans,
  type ScanBaseline,
  scanBaseline,
} from './advisor/report/baseline.ts'
export type { IndexDrop } from './advisor/select/drops.ts'
export type { SqliteClient } from './advisor/what-if/sqlite-client.ts'
