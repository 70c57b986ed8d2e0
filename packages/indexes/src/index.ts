export {
  type DefinedTable,
  defineTable,
  type DefineTableOptions,
  type InferRow,
  type TableParts,
} from './define/define-table.ts'
export type { IndexBuilder, KeyInput } from './define/index-builder.ts'
export type { JsonKind, JsonPathOf, JsonValueAt } from './define/json-types.ts'
export type { JsonValues, Operators, UnsafeSql } from './define/operators.ts'
export type { Predicates } from './define/predicates.ts'
export type { QueryBuilder } from './define/query-builder.ts'
export type {
  Call,
  Column,
  Columns,
  Comparable,
  JsonValue,
  Typed,
} from './define/typed-expression.ts'
export {
  BackupError,
  DefinitionError,
  DestructiveStepError,
  NameCollisionError,
  NotAdditiveError,
  OpenTransactionError,
  RebuildError,
  RowsInTheWayError,
  SchemaDriftError,
  SchemaError,
  SchemaLockError,
  UnsupportedByEngineError,
  UnsupportedChangeError,
} from './errors.ts'
export type { IntrospectOptions } from './introspect/introspect.ts'
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
export { checkTables, type CheckNamesOptions } from './names/check-tables.ts'
export { checkName, foreignKeyName } from './names/constraint-name.ts'
export { indexName, isManagedName } from './names/index-name.ts'
export { canonicalTable } from './sql/canonical.ts'
export { createIndexSql, createTableSql, dropIndexSql, dropTableSql } from './sql/print-table.ts'
export { revertPlan } from './plan/revert-plan.ts'
export type { PlanStep, Risk, SchemaPlan, StepCheck, StepEstimate } from './plan/schema-plan.ts'
export { type ResolvedIndexes, resolveIndexes } from './rules/resolve-indexes.ts'
export {
  type Emit,
  type GeneratedFile,
  type GeneratedSchema,
  type GenerateOptions,
  generateSchema,
} from './generate/generate-schema.ts'
export { type LintCode, type LintFinding, lintTables } from './rules/lint-tables.ts'
export type { ColumnMeta, ColumnReferences } from './read/column-meta.ts'
export {
  type DescriptionRow,
  fromDescriptions,
  type FromDescriptionsOptions,
} from './read/from-descriptions.ts'
export { fromJsonSchema, type FromJsonSchemaOptions } from './read/json-schema/from-json-schema.ts'
export { rowEncoder } from './values/row-encoder.ts'
export {
  MigrationFailedError,
  MigrationLockError,
  MigrationRefusedError,
} from './migrate/errors.ts'
export type { CommonMigrateOptions } from './migrate/options.ts'
export type { MigrationRepair } from './migrate/repair-migration.ts'
export type {
  MigrationBackup,
  MigrationEvent,
  MigrationReport,
  MigrationRun,
  PlannedMigration,
} from './migrate/report.ts'
export type { AdvisorQuery, AdvisorWorkload, QuerySample } from './advisor/capture/workload.ts'
export type { ObservedQuery } from './advisor/capture/recorder.ts'
export type { Advisor, AdvisorOptions } from './advisor/create-advisor.ts'
export type { ApplyAdviceOptions } from './advisor/apply-advice.ts'
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
export { adviceLines } from './advisor/report/advice-lines.ts'
export { adviceTable } from './advisor/report/advice-table.ts'
export {
  type FullScan,
  newFullScans,
  type ScanBaseline,
  scanBaseline,
} from './advisor/report/baseline.ts'
export type { IndexDrop } from './advisor/select/drops.ts'
export type { SqliteClient } from './advisor/what-if/sqlite-client.ts'
