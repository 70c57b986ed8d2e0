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
export type { PlanStep, Risk, SchemaPlan, StepEstimate } from './plan/schema-plan.ts'
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
