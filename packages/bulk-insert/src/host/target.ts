import type { Later, Steps } from '@keelson/core'
import type { Conflict } from '../conflict.ts'
import type { HostSession } from './host.ts'

/** The table that rows go into, as an ORM describes it. */
export interface Target {
  readonly table: string
  readonly schema: string | undefined
  /** What the columns of these keys are called in the database; undefined for a key that stands for none. */
  columnNames(keys: readonly string[]): readonly (string | undefined)[]
  /** What the ORM calls a column of the database; undefined where it does not know. */
  keyOf(name: string): string | undefined
  /** Whether the ORM knows the column of a key for one that the database generates. */
  isGenerated(key: string): boolean
  /** The columns that get a value also where a row has no such key. */
  readonly filled: readonly string[]
  /** How the value for a key is made where a row has none; undefined for most. */
  fillOf(key: string): (() => unknown) | undefined
  /** What a value for a key has to go through before it is bound; undefined where it is bound as it is. */
  encoderOf(key: string): ((value: unknown) => unknown) | undefined
  /** Whether a value stands for SQL, so that the row that has it cannot be bound. */
  isExpression(value: unknown): boolean
  /** Whether something changes values on their way, so that each statement has to be made anew. */
  readonly changesValues: boolean
  /** Whether an INSERT says something else each time that it is made. */
  readonly isVolatile: boolean
  /** Makes an INSERT. */
  compile(shape: StatementShape): CompiledInsert
  /** Inserts rows the ORM's own way, whatever is in them. */
  insertPlainly(
    session: HostSession,
    keys: readonly string[],
    values: readonly (readonly unknown[])[],
    shape: PlainShape,
  ): Steps<PlainResult>
  /** Rows that `RETURNING` gave, as the ORM delivers them. */
  deliver(rows: readonly Record<string, unknown>[]): Later<readonly Record<string, unknown>[]>
}

export interface PlainResult {
  readonly rows: readonly Record<string, unknown>[]
  readonly changes: number | undefined
}

export interface PlainShape {
  readonly conflict: Conflict | undefined
  /** SQL that is added to the condition of an update. */
  readonly updateCondition?: string | undefined
  /** What `RETURNING` is to give: keys of the row. */
  readonly returning: readonly string[] | undefined
  /** SQL that `RETURNING` gives besides, complete with its name. */
  readonly returningExpression?: string | undefined
  /** How many of the keys, from the first, the rows have themselves. */
  readonly given: number
}

export interface StatementShape extends PlainShape {
  readonly keys: readonly string[]
  /** Placeholders for so many rows, or a query that they come from: its text, with a placeholder between two parts. */
  readonly source: { readonly rowCount: number } | { readonly query: readonly string[] }
}

export interface CompiledInsert {
  readonly sql: string
  /** Parameters that come after those of the rows: constants of `onConflict`. */
  readonly tail: readonly unknown[]
}
