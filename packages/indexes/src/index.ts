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
export { type ResolvedIndexes, resolveIndexes } from './rules/resolve-indexes.ts'
