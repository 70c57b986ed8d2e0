import type { ColumnDefault } from '../ir/column.ts'
import type { Comparison, Literal } from '../ir/expression.ts'
import type { PortableType } from '../ir/portable-type.ts'
import type { ColumnMeta } from './column-meta.ts'

/** A field of a schema, in whatever language that was: what a column is made of. */
export interface Field {
  /** As the source calls it. */
  readonly name: string
  readonly type: PortableType
  readonly nullable: boolean
  readonly default?: ColumnDefault
  readonly demands: readonly Demand[]
  readonly notEnforced: readonly Unenforced[]
  readonly description?: string
  readonly meta: ColumnMeta
}

/** What every value has to be, in a way that each engine can check. NULL passes. */
export type Demand = Bound | OneOf

export interface Bound {
  readonly of: 'value' | 'length'
  readonly operator: Comparison['operator']
  readonly value: Literal
}

export interface OneOf {
  readonly of: 'value'
  readonly values: readonly Literal[]
}

/** What the source demands and no engine checks. */
export interface Unenforced {
  readonly what: string
  readonly why: string
}
