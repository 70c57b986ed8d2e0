import type { Deferrability, ReferentialAction } from '@keelson/core'
import type { NotEnforced } from '../ir/table-definition.ts'

/** What a database says of a table, in its own words. */
export interface LiveTable {
  readonly name: string
  readonly columns: readonly LiveColumn[]
  readonly primaryKey: readonly string[]
  readonly foreignKeys: readonly LiveForeignKey[]
  readonly checks: readonly LiveCheck[]
  readonly indexes: readonly LiveIndex[]
  readonly unsaid: readonly NotEnforced[]
}

/** A key or constraint whose check can wait for the commit. */
export function deferrableKey(
  columns: readonly string[],
  deferrable: Exclude<Deferrability, 'no'>,
): NotEnforced {
  return {
    column: columns.join(', '),
    what: deferrable === 'deferred' ? 'deferrable initially deferred' : 'deferrable',
    why: 'constraints of definitions are checked at once, and not at the commit',
  }
}

export interface LiveColumn {
  readonly name: string
  readonly native: string
  readonly nullable: boolean
  readonly default?: string
  readonly generated?: { readonly sql: string; readonly stored: boolean }
  readonly identity: boolean
}

export interface LiveForeignKey {
  readonly name?: string
  readonly columns: readonly string[]
  readonly referencedTable: string
  readonly referencedColumns: readonly string[]
  readonly onDelete: ReferentialAction
  readonly onUpdate: ReferentialAction
}

export interface LiveCheck {
  readonly name?: string
  readonly expression: string
}

export interface LiveIndex {
  readonly name: string
  readonly unique: boolean
  readonly keys: readonly LiveKey[]
  readonly where?: string
  readonly method?: string
  readonly include?: readonly string[]
  readonly nullsDistinct?: boolean
  /** Whether a UNIQUE constraint is behind it. */
  readonly constraint: boolean
}

export interface LiveKey {
  /** Of a column; else there is an expression. */
  readonly column?: string
  readonly expression?: string
  readonly descending: boolean
  /** Where it is not the column's own. */
  readonly collation?: string
}
