/** What an index is over, or a predicate compares. Never text, but for `unsafeSql`, which has to be asked for by name. */
export type Expression =
  | ColumnReference
  | JsonPath
  | FunctionCall
  | { readonly kind: 'unsafeSql'; readonly sql: string }

export interface ColumnReference {
  readonly kind: 'column'
  readonly name: string
}

/** A value inside a JSON column. Printed as the ORMs print it, since SQLite finds an expression index by its text. */
export interface JsonPath {
  readonly kind: 'json'
  readonly column: string
  /** Keys of objects, and indexes of arrays, from the outside in. At least one. */
  readonly path: readonly (string | number)[]
  /** What the value is compared as. */
  readonly as: 'string' | 'number' | 'integer' | 'boolean'
}

export interface FunctionCall {
  readonly kind: 'call'
  readonly function: 'lower' | 'upper' | 'length'
  readonly argument: ColumnReference | JsonPath
}

/** A constant in a predicate or a DEFAULT. */
export type Literal = string | number | bigint | boolean | null

/** Which rows: of a partial index, or of a CHECK. */
export type Predicate =
  | Comparison
  | { readonly kind: 'in'; readonly expression: Expression; readonly values: readonly Literal[] }
  | { readonly kind: 'isNull' | 'isNotNull'; readonly expression: Expression }
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Predicate[] }
  | { readonly kind: 'not'; readonly operand: Predicate }
  | { readonly kind: 'unsafeSql'; readonly sql: string }

export interface Comparison {
  readonly kind: 'compare'
  readonly operator: '=' | '<>' | '<' | '<=' | '>' | '>='
  readonly expression: Expression
  readonly value: Literal
}
