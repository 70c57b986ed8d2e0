/** The columns that some rows have in common. */
export interface Shape {
  /** As the rows call them, or the options. */
  readonly keys: readonly string[]
  /** As the database calls them. */
  readonly names: readonly string[]
  /** How many of the keys, from the first, the rows have themselves; the others are filled in. */
  readonly given: number
}

/** Values of some rows, by column. */
export type Columns = readonly (readonly unknown[])[]

/** Rows of one shape that follow each other in the input. */
export interface Run extends Shape {
  /** Positions in the input. */
  readonly indexes: number[]
  /** The values of each column, in the order of the keys: every engine but one takes them so, or is faster with them. */
  readonly columns: unknown[][]
  /** The rows as they came. */
  readonly rows: object[]
  /** A row of it holds SQL in place of a value: there is one row, and it has to go in the ORM's own way. */
  readonly isPlain: boolean
}

/** The values of one row. */
export function rowAt(columns: Columns, row: number): unknown[] {
  return columns.map((items) => items[row])
}

/** Those of some rows that follow each other. */
export function part(columns: Columns, from: number, to: number): Columns {
  return from === 0 && to === (columns[0]?.length ?? 0)
    ? columns
    : columns.map((items) => items.slice(from, to))
}

/** Those of some rows. */
export function picked(columns: Columns, rows: readonly number[]): unknown[][] {
  return columns.map((items) => rows.map((row) => items[row]))
}
