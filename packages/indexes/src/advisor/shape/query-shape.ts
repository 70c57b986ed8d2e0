import type { Expression } from '../../ir/expression.ts'

/** How a statement reads and writes tables: what candidates come from and costs are made of. */
export interface QueryShape {
  readonly scans: readonly TableScan[]
  readonly writes: readonly TableWrite[]
  /** What was not understood; it makes advice less certain, never wrong. */
  readonly problems: readonly string[]
}

/** One place at which a table is read. */
export interface TableScan {
  readonly table: string
  readonly alias: string
  /** All of them hold. */
  readonly terms: readonly Term[]
  /** Of each list one branch holds. */
  readonly alternatives: readonly (readonly (readonly Term[])[])[]
  readonly sort: readonly SortKey[]
  readonly group: readonly Expression[]
  /** How many rows are asked for at most; `Infinity` for all, undefined where there is a limit that is not known. */
  readonly limit: number | undefined
  /** Columns that are needed; undefined for all. */
  readonly columns: ReadonlySet<string> | undefined
}

export interface Term {
  readonly kind: 'equals' | 'among' | 'range' | 'isNull' | 'isNotNull' | 'other'
  readonly key: Expression
  readonly operator: string
  /** Equal to a column of this other scan, by alias. */
  readonly join?: string
  /** What it is compared with; undefined where that is not known. */
  readonly values: readonly unknown[] | undefined
  /** How many values there are in the list. */
  readonly count: number
}

export interface SortKey {
  readonly key: Expression
  readonly descending: boolean
}

export interface TableWrite {
  readonly operation: 'insert' | 'update' | 'delete'
  readonly table: string
  /** The columns that are set; undefined for all. */
  readonly columns: ReadonlySet<string> | undefined
  readonly rows: number
}

/** What identifies a key: two expressions with the same text are the same. */
export function keyText(key: Expression): string {
  if (key.kind === 'column') return key.name
  if (key.kind === 'json') {
    const path = key.path.map((step) => `->${JSON.stringify(step)}`).join('')
    return `${key.column}${path}${key.as === 'string' ? '' : ` as ${key.as}`}`
  }
  if (key.kind === 'call') return `${key.function}(${keyText(key.argument)})`
  return key.sql
}

/** The column that a key is over; undefined where it is SQL of its own. */
export function columnOfKey(key: Expression): string | undefined {
  if (key.kind === 'column') return key.name
  if (key.kind === 'json') return key.column
  return key.kind === 'call' ? columnOfKey(key.argument) : undefined
}
