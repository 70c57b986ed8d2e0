/**
 * A statement, as far as indexes are concerned: what Kysely's operation tree and the parser of SQL texts are both turned
 * into. Names are as they were written; which table a column belongs to is found out later, against the live tables.
 */
export interface Statement {
  readonly operation: 'select' | 'insert' | 'update' | 'delete'
  readonly expressions: readonly CommonTableExpression[]
  readonly sources: readonly Source[]
  /** All of them hold: WHERE, and the ON of joins. */
  readonly conditions: readonly Condition[]
  readonly sort: readonly Sort[]
  readonly group: readonly Operand[]
  /** Absent for all rows. */
  readonly limit?: Operand
  /** What is selected, `*` for all columns of all sources. */
  readonly columns: readonly (Operand | '*')[]
  /** The columns that an UPDATE sets. */
  readonly sets: readonly string[]
  /** Rows that an INSERT writes, where the text tells. */
  readonly rows?: number
  /** Other branches of a UNION, and queries in places where nothing else is understood. */
  readonly others: readonly Statement[]
  /** Parts that were not understood, for example raw SQL. */
  readonly opaque: readonly string[]
}

export interface CommonTableExpression {
  readonly name: string
  readonly query: Statement
}

/** A table or query of FROM. */
export interface Source {
  readonly alias: string
  readonly table?: string
  readonly query?: Statement
  readonly join: 'first' | 'inner' | 'outer'
}

export type Operand =
  | ColumnOperand
  | {
      readonly kind: 'json'
      readonly of: ColumnOperand
      readonly path: readonly (string | number)[]
      /** How it was written after the column, for example `->'a'->>'b'`: an index is found by that. */
      readonly spelled: string
    }
  | { readonly kind: 'call'; readonly function: string; readonly argument: Operand }
  | ValueOperand
  | { readonly kind: 'list'; readonly values: readonly Operand[] }
  | { readonly kind: 'query'; readonly query: Statement }
  /** Anything else, with what is in it. */
  | { readonly kind: 'other'; readonly parts: readonly Operand[] }

export interface ColumnOperand {
  readonly kind: 'column'
  /** Alias or name of the source, where it was written. */
  readonly of?: string
  readonly name: string
}

/** A literal, or a bound parameter. */
export interface ValueOperand {
  readonly kind: 'value'
  /** The value, where it is known; in memory only. */
  readonly value?: { readonly is: unknown }
  /** Which of the bound parameters it is, from 0. */
  readonly parameter?: number
}

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Condition[] }
  | { readonly kind: 'not'; readonly operand: Condition }
  | {
      readonly kind: 'compare'
      readonly operator: string
      readonly left: Operand
      readonly right: Operand
    }
  | { readonly kind: 'exists'; readonly query: Statement }
  | { readonly kind: 'other'; readonly parts: readonly Operand[] }

export interface Sort {
  readonly operand: Operand
  readonly descending: boolean
  /** Whether NULLs come where the engine puts them by itself. */
  readonly isPlain: boolean
}

/** The statement without a value in it: what may leave the process. */
export function withoutValues<T>(part: T): T {
  if (Array.isArray(part)) return part.map(withoutValues) as T
  if (typeof part !== 'object' || part === null) return part
  const { kind, parameter } = part as Partial<ValueOperand>
  if (kind === 'value')
    return (parameter === undefined ? { kind } : { kind, parameter }) as unknown as T
  return Object.fromEntries(
    Object.entries(part).map(([key, value]) => [key, withoutValues(value as unknown)]),
  ) as T
}
