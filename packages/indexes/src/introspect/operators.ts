import type { EngineName } from '@keelson/core'

/** How tightly operators bind. */
export interface Strengths {
  readonly or: number
  readonly and: number
  readonly not: number
  readonly is: number
  readonly equals: number
  readonly less: number
  /** BETWEEN, IN and LIKE, and NOT before one of them. */
  readonly among: number
  readonly sum: number
  readonly product: number
  readonly concat: number
  readonly arrow: number
}

const postgresql: Strengths = {
  or: 1,
  and: 2,
  not: 3,
  is: 4,
  equals: 5,
  less: 5,
  among: 6,
  // "(any other operator)": https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-PRECEDENCE
  concat: 7,
  arrow: 7,
  sum: 8,
  product: 9,
}

/** By engine. */
export const strengths: Readonly<Record<EngineName, Strengths>> = {
  // https://www.sqlite.org/lang_expr.html#operators_and_parse_affecting_attributes
  sqlite: {
    or: 1,
    and: 2,
    not: 3,
    is: 4,
    equals: 4,
    less: 5,
    among: 4,
    sum: 7,
    product: 8,
    concat: 9,
    arrow: 9,
  },
  postgresql,
  // It shows everything in parentheses.
  duckdb: postgresql,
  mysql: postgresql,
}

/** Operators that are signs, by what they bind as. */
export const signs: ReadonlyMap<string, keyof Strengths> = new Map(
  Object.entries({
    '=': 'equals',
    '==': 'equals',
    '<>': 'equals',
    '!=': 'equals',
    '<': 'less',
    '<=': 'less',
    '>': 'less',
    '>=': 'less',
    '+': 'sum',
    '-': 'sum',
    '*': 'product',
    '/': 'product',
    '%': 'product',
    '||': 'concat',
    '->': 'arrow',
    '->>': 'arrow',
    '<@': 'arrow',
    '~': 'arrow',
    '!~': 'arrow',
    '~*': 'arrow',
    '!~*': 'arrow',
    '~~': 'arrow',
    '!~~': 'arrow',
    '~~*': 'arrow',
    '!~~*': 'arrow',
  } as const),
)

/** Operators that are words. */
export const wordOperators: ReadonlyMap<string, keyof Strengths> = new Map(
  Object.entries({
    or: 'or',
    and: 'and',
    is: 'is',
    isnull: 'is',
    notnull: 'is',
    not: 'among',
    in: 'among',
    between: 'among',
    like: 'among',
    ilike: 'among',
  } as const),
)
