import type { ReferentialAction } from '@keelson/core'
import type { ColumnDefinition } from './column.ts'
import type { Predicate } from './expression.ts'
import type { IndexDefinition, QueryPattern } from './index-definition.ts'

/**
 * A table in terms of no engine: what every reader (zod, JSON Schema, rows, Drizzle, a live database) makes, and every
 * printer (SQL, Kysely, Drizzle, types) takes. Plain data: it can be kept as JSON, but for `bigint` literals.
 */
export interface TableDefinition {
  readonly name: string
  /** The schema that holds it. @default the connection's own */
  readonly schema?: string
  readonly columns: readonly ColumnDefinition[]
  /** Columns of the primary key, in its order; empty for none. */
  readonly primaryKey: readonly string[]
  readonly indexes: readonly IndexDefinition[]
  readonly foreignKeys: readonly ForeignKeyDefinition[]
  readonly checks: readonly CheckDefinition[]
  /** How it is asked; the generator derives indexes from these that the others do not serve. */
  readonly queries: readonly QueryPattern[]
  readonly description?: string
  /** What the source demands of values and no CHECK can say, such as a refinement; of a live table what no definition says. */
  readonly notEnforced?: readonly NotEnforced[]
}

export interface ForeignKeyDefinition {
  /** @default made as that of an index */
  readonly name?: string
  readonly columns: readonly string[]
  readonly referencedTable: string
  readonly referencedColumns: readonly string[]
  /** @default 'no action' */
  readonly onDelete?: ReferentialAction
  /** @default 'no action' */
  readonly onUpdate?: ReferentialAction
}

export interface CheckDefinition {
  /** @default made as that of an index */
  readonly name?: string
  readonly predicate: Predicate
}

/** A demand of the source that the database does not check, or would not after it was created from the definition. */
export interface NotEnforced {
  /** `*`: the whole table. */
  readonly column: string
  /** For example `regex /^[a-z]+$/`. */
  readonly what: string
  readonly why: string
}
